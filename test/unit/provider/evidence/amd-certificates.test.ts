import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { verifySnpReport } from '../../../../src/attest/snp/verify.ts'
import { toHex } from '../../../../src/core/bytes.ts'
import { lineLogger } from '../../../../src/core/logger.ts'
import { AmdCertificates, type SnpEndorsements } from '../../../../src/provider/evidence/amd-certificates.ts'
import { AmdService } from '../../../../src/provider/evidence/amd-service.ts'
import { sharedPath } from '../../../support/shared-data.ts'
import { type TestAnswers, useTestService } from '../../../support/tdx-platform-services.ts'
import { useTempFolder } from '../../../support/temp-folder.ts'
import { blankReport } from '../../attest/snp/blank-report.ts'
import { MADE_SERIALS, MADE_SNP_NOW_MS, MadeSnpPlatform } from '../../attest/snp/made-snp-platform.ts'
import { NOW_MS, snpVectors } from '../../attest/snp/vectors.ts'
import type { CrlInit } from '../../attest/x509/make-certificate.ts'

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

const DAY_MS = 24 * 60 * 60_000
const HOUR_MS = DAY_MS / 24

describe("AMD's certificates and revocation lists", () => {
  const server = useTestService()
  const folder = useTempFolder()
  const platform = new MadeSnpPlatform()
  const cloud = new MadeSnpPlatform({ signer: 'vlek', root: platform.made.ark })
  const { leaf, ask, ark } = platform.certificates
  const report = platform.report()
  const vcekPath = `/vcek/v1/Genoa/${toHex(report.subarray(0x1a0, 0x1e0))}`
  const chainPath = '/vcek/v1/Genoa/cert_chain'
  const crlPath = '/vcek/v1/Genoa/crl'
  let nowMs = 0
  let lines: string[]

  /** A list of the platform's root, as it is issued now: for 47 days. */
  const issued = (init: Partial<CrlInit> = {}): Uint8Array =>
    platform.crl({ fromMs: nowMs - HOUR_MS, untilMs: nowMs + 47 * DAY_MS, ...init })
  const answers = (): TestAnswers => ({
    [vcekPath]: { body: leaf },
    [chainPath]: { body: platform.made.ask.pem + platform.made.ark.pem },
    [crlPath]: { body: issued() },
    '/vlek/v1/Genoa/cert_chain': { body: cloud.made.ask.pem + cloud.made.ark.pem },
    '/vlek/v1/Genoa/crl': { body: issued() }
  })

  beforeEach(() => {
    nowMs = MADE_SNP_NOW_MS
    lines = []
    server().answers = answers()
  })

  const certificates = ({ timeLimitMs = 2000, amd = false } = {}): AmdCertificates =>
    new AmdCertificates(
      {
        logger: lineLogger(
          'test',
          'debug',
          line => lines.push(line),
          () => nowMs
        ),
        clock: { nowMs: () => nowMs },
        service: new AmdService({ baseUrl: server().url, timeLimitMs })
      },
      { folder: join(folder(), 'kept'), ...(amd ? {} : { roots: platform.roots }) }
    )

  const accepts = (found: SnpEndorsements, of = platform): void => {
    const { crl, ...chain } = found
    verifySnpReport(of.input({ certificates: chain, crl, nowMs }))
  }
  const asked = (path: string): number => server().requests.filter(request => request.startsWith(path)).length

  it('of a Turin chip are asked for by a short chip id and with the version of its FMC', async () => {
    const turin = blankReport({
      0: [3],
      0x188: [0x1a, 0x02],
      0x180: [3, 1, 2, 4, 0, 0, 0, 82],
      0x1a0: [0x6b, 0xb1, 0x22, 0x9b, 0x76, 0x92, 0xb7, 0x10]
    })
    await assert.rejects(certificates().certificates(turin, undefined), { code: 'COLLATERAL_PLATFORM_UNKNOWN' })
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

  it('come from the host where it has them all, and only the list from AMD', async () => {
    const found = await certificates().certificates(report, table({ vcek: leaf, ask, ark }))
    assert.deepEqual({ leaf: found.leaf, ask: found.ask, ark: found.ark }, { leaf, ask, ark })
    accepts(found)
    assert.deepEqual(server().requests, [crlPath])
  })

  it('come from AMD otherwise, at exactly the TCB that the report states, and fit the report', async () => {
    accepts(await certificates().certificates(report, undefined))
    assert.deepEqual(server().requests, [`${vcekPath}?blSPL=9&teeSPL=0&snpSPL=21&ucodeSPL=72`, chainPath, crlPath])
  })

  it('are kept, in memory and over a restart, while they are valid', async () => {
    const first = certificates()
    const all = await Promise.all([1, 2, 3].map(() => first.certificates(report, undefined)))
    await first.certificates(report, undefined)
    server().answers = {}
    const again = await certificates().certificates(report, undefined)
    const plain = ({ crl, ...chain }: SnpEndorsements): string[] => [crl, ...Object.values(chain)].map(toHex)
    assert.ok(all[0])
    assert.deepEqual(plain(again), plain(all[0]))
    assert.equal(server().requests.length, 3)
    const files = await readdir(join(folder(), 'kept'))
    assert.equal(files.length, 2)
    assert.ok(files.includes('snp-crl-genoa-vcek.json'))
    nowMs = Date.UTC(2060, 0, 1)
    await assert.rejects(first.certificates(report, undefined), { code: 'COLLATERAL_PLATFORM_UNKNOWN' })
  })

  it('that were changed on disk are fetched again', async () => {
    await certificates().certificates(report, undefined)
    const names = await readdir(join(folder(), 'kept'))
    for (const name of names) {
      const other = JSON.stringify({ ark: '', ask: '', crl: '', fetchedAtMs: nowMs, leaf: '', version: 1 })
      for (const content of ['garbage', '{}', other]) {
        await writeFile(join(folder(), 'kept', name), content)
        server().requests.length = 0
        accepts(await certificates().certificates(report, undefined))
        assert.equal(server().requests.length, name.startsWith('snp-crl-') ? 1 : 2)
      }
    }
  })

  it('of the host that do not fit, or cannot be read, are not used', async () => {
    const otherKey = new MadeSnpPlatform({ certificates: { leaf: { keys: platform.made.ask.keys } } }).certificates.leaf
    const strange = [
      table({ vcek: otherKey, ask, ark }),
      table({ vcek: leaf, ask: ark, ark }),
      Uint8Array.of(1, 2, 3),
      table({})
    ]
    for (const hostTable of strange) {
      accepts(await certificates().certificates(report, hostTable))
    }
    assert.equal(asked(vcekPath), 1)
  })

  it('of another chip: COLLATERAL_ANSWER_…, never handed on', async () => {
    const otherKey = new MadeSnpPlatform({ certificates: { leaf: { keys: platform.made.ask.keys } } }).certificates.leaf
    const cloudChain = answers()['/vlek/v1/Genoa/cert_chain'] ?? {}
    const stranger = new MadeSnpPlatform({ certificates: { ark: { serial: 7 } } }).made
    const cases: Array<[TestAnswers, string]> = [
      [{ [vcekPath]: { body: otherKey } }, 'COLLATERAL_ANSWER_REFUSED'],
      [{ [vcekPath]: { body: 'garbage' } }, 'COLLATERAL_ANSWER_INVALID'],
      [{ [chainPath]: { body: stranger.ask.pem + stranger.ark.pem } }, 'COLLATERAL_ANSWER_REFUSED'],
      [{ [chainPath]: cloudChain }, 'COLLATERAL_ANSWER_MISMATCH'],
      [{ [chainPath]: { body: 'garbage' } }, 'COLLATERAL_ANSWER_INVALID']
    ]
    for (const [changed, code] of cases) {
      server().answers = { ...answers(), ...changed }
      await assert.rejects(certificates().certificates(report, undefined), { code })
    }
    server().answers = answers()
    nowMs = Date.UTC(2060, 0, 1)
    await assert.rejects(certificates().certificates(report, undefined), { code: 'COLLATERAL_ANSWER_EXPIRED' })
  })

  it('cannot be had while AMD is down: COLLATERAL_UNREACHABLE', async () => {
    server().answers = { [vcekPath]: { status: 500 } }
    const waiting = certificates()
    await assert.rejects(waiting.certificates(report, undefined), { code: 'COLLATERAL_UNREACHABLE' })
    await assert.rejects(waiting.certificates(report, undefined), { code: 'COLLATERAL_UNREACHABLE' })
    assert.equal(server().requests.length, 1, 'AMD is left alone for a while')
    server().answers = { [vcekPath]: { silent: true } }
    const hasty = certificates({ timeLimitMs: 200 })
    await assert.rejects(hasty.certificates(report, undefined), { code: 'COLLATERAL_UNREACHABLE' })
  })

  it("of a cloud's key come from its host, with AMD's above them from AMD", async () => {
    const parts = cloud.certificates
    const cloudReport = cloud.report()
    const whole = await certificates().certificates(
      cloudReport,
      table({ vlek: parts.leaf, ask: parts.ask, ark: parts.ark })
    )
    assert.deepEqual(server().requests, ['/vlek/v1/Genoa/crl'])
    accepts(whole, cloud)
    accepts(await certificates().certificates(cloudReport, table({ vlek: parts.leaf })), cloud)
    assert.deepEqual(server().requests, ['/vlek/v1/Genoa/crl', '/vlek/v1/Genoa/cert_chain'])
    await assert.rejects(certificates().certificates(cloudReport, undefined), { code: 'COLLATERAL_PLATFORM_UNKNOWN' })
  })

  it('are not looked for where the guest may be debugged: no client could accept it', async () => {
    const debug = platform.report(new Uint8Array(64), bytes => {
      bytes[0x0a] = (bytes[0x0a] ?? 0) | (1 << 3)
    })
    await assert.rejects(certificates().certificates(debug, table({ vcek: leaf, ask, ark })), {
      code: 'ATTESTATION_SNP_DEBUG'
    })
    assert.deepEqual(server().requests, [])
  })

  describe('the list', () => {
    const host = table({ vcek: leaf, ask, ark })

    it('is asked for daily, and a new one is handed out', async () => {
      const kept = certificates()
      const before = await kept.certificates(report, host)
      nowMs += DAY_MS - 1
      assert.deepEqual(await kept.certificates(report, host), before)
      assert.equal(asked(crlPath), 1)
      nowMs += 1
      server().answers = answers()
      const after = await kept.certificates(report, host)
      assert.equal(asked(crlPath), 2)
      assert.notDeepEqual(after.crl, before.crl)
      accepts(after)
    })

    it('is asked for before it ends, however young it is', async () => {
      server().answers = { ...answers(), [crlPath]: { body: issued({ untilMs: nowMs + 8 * HOUR_MS }) } }
      const kept = certificates()
      await kept.certificates(report, host)
      nowMs += 3 * HOUR_MS
      server().answers = answers()
      accepts(await kept.certificates(report, host))
      assert.equal(asked(crlPath), 2)
    })

    it('serves on while AMD is down, with a warning, also after a restart, until it ends', async () => {
      const kept = certificates()
      const before = await kept.certificates(report, host)
      server().answers = {}
      nowMs += 2 * DAY_MS
      assert.deepEqual((await kept.certificates(report, host)).crl, before.crl)
      assert.equal(toHex((await certificates().certificates(report, host)).crl), toHex(before.crl))
      assert.equal(lines.filter(line => line.includes('still in force')).length, 2)
      nowMs = MADE_SNP_NOW_MS + 47 * DAY_MS
      await assert.rejects(kept.certificates(report, host), { code: 'COLLATERAL_UNREACHABLE' })
      await assert.rejects(certificates().certificates(report, host), { code: 'COLLATERAL_UNREACHABLE' })
    })

    it('that AMD does not have, or that clients would refuse, is never handed on', async () => {
      const stranger = new MadeSnpPlatform({ keys: { ark: cloud.made.ask.keys, ask: cloud.made.ark.keys } })
      const cases: Array<[TestAnswers[string], string]> = [
        [{ status: 404 }, 'COLLATERAL_UNREACHABLE'],
        [{ body: 'garbage' }, 'COLLATERAL_ANSWER_INVALID'],
        [{ body: new Uint8Array(16 * 1024 + 1) }, 'COLLATERAL_ANSWER_INVALID'],
        [{ body: issued({ untilMs: nowMs }) }, 'COLLATERAL_ANSWER_EXPIRED'],
        [{ body: issued({ fromMs: nowMs + 1000 }) }, 'COLLATERAL_ANSWER_EXPIRED'],
        [{ body: issued({ issuerName: 'ARK-Milan' }) }, 'COLLATERAL_ANSWER_REFUSED'],
        [{ body: stranger.crl() }, 'COLLATERAL_ANSWER_REFUSED']
      ]
      for (const [answer, code] of cases) {
        server().answers = { ...answers(), [crlPath]: answer }
        await assert.rejects(certificates().certificates(report, host), { code })
        await assert.rejects(certificates().certificates(report, undefined), { code })
      }
      await assert.rejects(readdir(join(folder(), 'kept')), { code: 'ENOENT' })
    })

    it('that names the key of the host’s certificates has AMD asked for others', async () => {
      const renewed = new MadeSnpPlatform({ certificates: { ask: { serial: MADE_SERIALS.ask + 1 } } })
      server().answers = {
        ...answers(),
        [vcekPath]: { body: renewed.certificates.leaf },
        [chainPath]: { body: renewed.made.ask.pem + platform.made.ark.pem },
        [crlPath]: { body: issued({ revoked: [MADE_SERIALS.ask] }) }
      }
      const found = await certificates().certificates(report, host)
      assert.equal(toHex(found.ask), toHex(renewed.certificates.ask))
      accepts(found)
      assert.ok(lines.some(line => line.includes('are revoked')))
    })

    it('that names what AMD still hands out has nothing handed on: ATTESTATION_CERTIFICATE_REVOKED', async () => {
      const kept = certificates()
      await kept.certificates(report, undefined)
      nowMs += DAY_MS
      server().answers = { ...answers(), [crlPath]: { body: issued({ revoked: [MADE_SERIALS.ask] }) } }
      server().requests.length = 0
      for (const _ of [1, 2, 3]) {
        await assert.rejects(kept.certificates(report, undefined), { code: 'ATTESTATION_CERTIFICATE_REVOKED' })
      }
      assert.deepEqual([asked(crlPath), asked(vcekPath), asked(chainPath)], [1, 1, 1], 'AMD is left alone for a while')
      assert.ok((await readFile(join(folder(), 'kept', 'snp-crl-genoa-vcek.json'))).byteLength > 0)
      await assert.rejects(certificates().certificates(report, undefined), { code: 'ATTESTATION_CERTIFICATE_REVOKED' })
    })
  })

  it('of a recorded machine are AMD’s own; a list of another root does not go with them', async function () {
    const vectors = snpVectors()
    const recorded = sharedPath('vectors', 'attestation', 'snp')
    if (vectors === undefined || recorded === undefined) {
      this.skip()
    }
    nowMs = NOW_MS
    const { coco } = vectors
    const path = `/vcek/v1/Milan/${toHex(coco.report.subarray(0x1a0, 0x1e0))}`
    const list = issued({ fromMs: nowMs - 1000, issuerName: 'ARK-Milan' })
    server().answers = {
      [path]: { body: coco.certificates.leaf },
      '/vcek/v1/Milan/cert_chain': { body: readFileSync(join(recorded, 'amd-ask-ark-milan.pem')) },
      '/vcek/v1/Milan/crl': { body: list }
    }
    await assert.rejects(certificates({ amd: true }).certificates(coco.report, undefined), {
      code: 'COLLATERAL_ANSWER_REFUSED'
    })
    const [bootLoader, tee, , , , , snp, microcode] = coco.report.subarray(0x180, 0x188)
    assert.deepEqual(server().requests, [
      `${path}?blSPL=${bootLoader}&teeSPL=${tee}&snpSPL=${snp}&ucodeSPL=${microcode}`,
      '/vcek/v1/Milan/cert_chain',
      '/vcek/v1/Milan/crl'
    ])
  })
})
