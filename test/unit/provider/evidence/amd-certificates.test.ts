import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { verifySnpReport } from '../../../../src/attest/snp/verify.ts'
import { toHex } from '../../../../src/core/bytes.ts'
import { silentLogger } from '../../../../src/core/logger.ts'
import { AmdCertificates } from '../../../../src/provider/evidence/amd-certificates.ts'
import { AmdService } from '../../../../src/provider/evidence/amd-service.ts'
import { sharedPath } from '../../../support/shared-data.ts'
import { type TestAnswers, useTestService } from '../../../support/tdx-platform-services.ts'
import { useTempFolder } from '../../../support/temp-folder.ts'
import { blankReport } from '../../attest/snp/blank-report.ts'
import { NOW_MS, snpVectors, VLEK_NOW_MS } from '../../attest/snp/vectors.ts'

const GUIDS = {
  vcek: '63da758d-e664-4564-adc5-f4b93be8accd',
  vlek: 'a8074bc2-a25a-483e-aae6-39c045a0b8a1',
  ask: '4ab7b379-bbac-4fe4-a02f-05aef327c782',
  ark: 'c0b406a4-a803-4952-9743-3fb6014cd0ae'
} as const

/** A table as a host writes it. */
function table(certificates: Partial<Record<keyof typeof GUIDS, Uint8Array>>): Uint8Array {
  const entries = Object.entries(certificates)
  let offset = 24 * (entries.length + 1)
  const heads = entries.map(([name, der]) => {
    const head = Buffer.alloc(24)
    head.write(GUIDS[name as keyof typeof GUIDS].replaceAll('-', ''), 'hex')
    head.writeUInt32LE(offset, 16)
    head.writeUInt32LE(der.byteLength, 20)
    offset += der.byteLength
    return head
  })
  return new Uint8Array(Buffer.concat([...heads, Buffer.alloc(24), ...entries.map(([, der]) => der)]))
}

describe("AMD's certificates", () => {
  const vectors = snpVectors()
  const recorded = sharedPath('vectors', 'attestation', 'snp')
  const server = useTestService()
  const folder = useTempFolder()
  let nowMs = NOW_MS

  beforeEach(() => {
    nowMs = NOW_MS
  })

  const certificates = (timeLimitMs = 2000): AmdCertificates =>
    new AmdCertificates(
      {
        logger: silentLogger,
        clock: { nowMs: () => nowMs },
        service: new AmdService({ baseUrl: server().url, timeLimitMs })
      },
      { folder: join(folder(), 'kept') }
    )

  it('of a Turin chip are asked for by a short chip id and with the version of its FMC', async () => {
    const report = blankReport({
      0: [3],
      0x188: [0x1a, 0x02],
      0x180: [3, 1, 2, 4, 0, 0, 0, 82],
      0x1a0: [0x6b, 0xb1, 0x22, 0x9b, 0x76, 0x92, 0xb7, 0x10]
    })
    await assert.rejects(certificates().certificates(report, undefined), { code: 'COLLATERAL_PLATFORM_UNKNOWN' })
    assert.deepEqual(server().requests, [
      '/vcek/v1/Turin/6bb1229b7692b710?blSPL=1&teeSPL=2&snpSPL=4&ucodeSPL=82&fmcSPL=3'
    ])
  })

  it('cannot be asked for where the host masks the chip, or the processor is unknown', async () => {
    const masked = blankReport({ 0: [3], 0x188: [0x19, 0x01] })
    await assert.rejects(certificates().certificates(masked, undefined), { code: 'COLLATERAL_PLATFORM_UNKNOWN' })
    const unknown = blankReport({ 0: [3], 0x188: [0x17, 0x01], 0x1a0: [1] })
    await assert.rejects(certificates().certificates(unknown, undefined), { code: 'COLLATERAL_PLATFORM_UNKNOWN' })
    assert.deepEqual(server().requests, [])
  })

  if (vectors === undefined || recorded === undefined) {
    return
  }
  const { coco, debug, vlek, virtee } = vectors
  const vcekPath = `/vcek/v1/Milan/${toHex(coco.report.subarray(0x1a0, 0x1e0))}`
  const chain = (name: string): string => readFileSync(join(recorded, name), 'utf8')
  const answers: TestAnswers = {
    [vcekPath]: { body: coco.certificates.leaf },
    '/vcek/v1/Milan/cert_chain': { body: chain('amd-ask-ark-milan.pem') },
    '/vlek/v1/Milan/cert_chain': { body: chain('amd-asvk-ark-milan-vlek.pem') }
  }

  it('come from the host where it has them all, and nobody is asked', async () => {
    const { leaf, ask, ark } = coco.certificates
    const found = await certificates().certificates(coco.report, table({ vcek: leaf, ask, ark }))
    assert.deepEqual(found, { leaf, ask, ark })
    assert.deepEqual(server().requests, [])
  })

  it('come from AMD otherwise, at exactly the TCB that the report states, and fit the report', async () => {
    server().answers = answers
    const found = await certificates().certificates(coco.report, undefined)
    verifySnpReport({ ...coco, certificates: found })
    const [bootLoader, tee, , , , , snp, microcode] = coco.report.subarray(0x180, 0x188)
    assert.deepEqual(server().requests, [
      `${vcekPath}?blSPL=${bootLoader}&teeSPL=${tee}&snpSPL=${snp}&ucodeSPL=${microcode}`,
      '/vcek/v1/Milan/cert_chain'
    ])
  })

  it('are kept, in memory and over a restart, while they are valid', async () => {
    server().answers = answers
    const first = certificates()
    const all = await Promise.all([1, 2, 3].map(() => first.certificates(coco.report, undefined)))
    await first.certificates(coco.report, undefined)
    server().answers = {}
    const again = await certificates().certificates(coco.report, undefined)
    assert.deepEqual({ ...again, leaf: new Uint8Array(again.leaf) }, { ...all[0], ask: again.ask, ark: again.ark })
    assert.equal(server().requests.length, 2)
    assert.equal((await readdir(join(folder(), 'kept'))).length, 1)
    nowMs = Date.UTC(2060, 0, 1)
    await assert.rejects(first.certificates(coco.report, undefined), { code: 'COLLATERAL_PLATFORM_UNKNOWN' })
  })

  it('that were changed on disk are fetched again', async () => {
    server().answers = answers
    await certificates().certificates(coco.report, undefined)
    const [name = ''] = await readdir(join(folder(), 'kept'))
    for (const content of ['garbage', '{}', JSON.stringify({ ark: '', ask: '', leaf: '', version: 1 })]) {
      await writeFile(join(folder(), 'kept', name), content)
      server().requests.length = 0
      verifySnpReport({ ...coco, certificates: await certificates().certificates(coco.report, undefined) })
      assert.equal(server().requests.length, 2)
    }
  })

  it('of the host that do not fit, or cannot be read, are not used', async () => {
    server().answers = answers
    const { ask, ark } = coco.certificates
    const strange = [
      table({ vcek: virtee.certificates.leaf, ask, ark }),
      table({ vcek: coco.certificates.leaf, ask: ark, ark }),
      Uint8Array.of(1, 2, 3),
      table({})
    ]
    for (const hostTable of strange) {
      verifySnpReport({ ...coco, certificates: await certificates().certificates(coco.report, hostTable) })
    }
    assert.ok(server().requests.length > 0)
  })

  it('of another chip: COLLATERAL_ANSWER_…, never handed on', async () => {
    server().answers = { ...answers, [vcekPath]: { body: virtee.certificates.leaf } }
    await assert.rejects(certificates().certificates(coco.report, undefined), { code: 'COLLATERAL_ANSWER_REFUSED' })
    server().answers = { ...answers, [vcekPath]: { body: 'garbage' } }
    await assert.rejects(certificates().certificates(coco.report, undefined), { code: 'COLLATERAL_ANSWER_INVALID' })
    server().answers = { ...answers, '/vcek/v1/Milan/cert_chain': { body: chain('amd-ask-ark-genoa.pem') } }
    await assert.rejects(certificates().certificates(coco.report, undefined), { code: 'COLLATERAL_ANSWER_REFUSED' })
    const cloud = answers['/vlek/v1/Milan/cert_chain'] ?? {}
    server().answers = { ...answers, '/vcek/v1/Milan/cert_chain': cloud }
    await assert.rejects(certificates().certificates(coco.report, undefined), { code: 'COLLATERAL_ANSWER_MISMATCH' })
    server().answers = { ...answers, '/vcek/v1/Milan/cert_chain': { body: 'garbage' } }
    await assert.rejects(certificates().certificates(coco.report, undefined), { code: 'COLLATERAL_ANSWER_INVALID' })
    nowMs = Date.UTC(2060, 0, 1)
    server().answers = answers
    await assert.rejects(certificates().certificates(coco.report, undefined), { code: 'COLLATERAL_ANSWER_EXPIRED' })
  })

  it('cannot be had while AMD is down: COLLATERAL_UNREACHABLE', async () => {
    server().answers = { [vcekPath]: { status: 500 } }
    const asked = certificates()
    await assert.rejects(asked.certificates(coco.report, undefined), { code: 'COLLATERAL_UNREACHABLE' })
    await assert.rejects(asked.certificates(coco.report, undefined), { code: 'COLLATERAL_UNREACHABLE' })
    assert.equal(server().requests.length, 1, 'AMD is left alone for a while')
    server().answers = { [vcekPath]: { silent: true } }
    await assert.rejects(certificates(200).certificates(coco.report, undefined), { code: 'COLLATERAL_UNREACHABLE' })
  })

  it("of a cloud's key come from its host, with AMD's above them from AMD", async () => {
    nowMs = VLEK_NOW_MS
    server().answers = answers
    const { leaf, ask, ark } = vlek.certificates
    const whole = await certificates().certificates(vlek.report, table({ vlek: leaf, ask, ark }))
    assert.deepEqual(server().requests, [])
    assert.deepEqual(whole, { leaf, ask, ark })
    const found = await certificates().certificates(vlek.report, table({ vlek: leaf }))
    verifySnpReport({ ...vlek, certificates: found })
    assert.deepEqual(server().requests, ['/vlek/v1/Milan/cert_chain'])
    await assert.rejects(certificates().certificates(vlek.report, undefined), { code: 'COLLATERAL_PLATFORM_UNKNOWN' })
  })

  it('are not looked for where the guest may be debugged: no client could accept it', async () => {
    const { leaf, ask, ark } = debug.certificates
    await assert.rejects(certificates().certificates(debug.report, table({ vcek: leaf, ask, ark })), {
      code: 'ATTESTATION_SNP_DEBUG'
    })
    assert.deepEqual(server().requests, [])
  })
})
