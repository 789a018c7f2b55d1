import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { evidenceType } from '../../../../src/attest/evidence.ts'
import { decodeRawEvidence } from '../../../../src/attest/raw-evidence.ts'
import { parseQuote } from '../../../../src/attest/tdx/quote.ts'
import { tdReportOf } from '../../../../src/attest/tdx/td-report.ts'
import { toHex } from '../../../../src/core/bytes.ts'
import type { EnvironmentError } from '../../../../src/core/errors.ts'
import { type EvidenceSourceInit, openEvidenceSource } from '../../../../src/enclave/evidence/source.ts'
import { sharedPath } from '../../../support/shared-data.ts'
import { testTdxPlatform } from '../../../support/tdx-platform.ts'
import { type FakeTsm, fakeTsmEntries } from '../../../support/tdx-platform-configfs.ts'
import { testEventLog } from '../../../support/tdx-platform-event-log.ts'
import { gpuCommand } from '../../../support/tdx-platform-gpu.ts'
import { useTempFolder } from '../../../support/temp-folder.ts'
import { blankReport } from '../../attest/snp/blank-report.ts'

const BUNDLE = new Uint8Array(32).fill(0xcc)

describe('the source of evidence', () => {
  const folder = useTempFolder()
  const platform = testTdxPlatform(Date.UTC(2026, 5, 15))
  const tdx: FakeTsm = { provider: 'tdx_guest', answer: reportData => platform.quote({ reportData }) }
  const snp: FakeTsm = {
    provider: 'sev_guest',
    answer: reportData => blankReport({ 0x50: [...reportData] }),
    auxblob: Uint8Array.of(1, 2, 3)
  }

  const init = (kind: EvidenceSourceInit['kind'], tsm?: FakeTsm): EvidenceSourceInit => ({
    kind,
    bundleDigest: BUNDLE,
    tsmRoot: folder(),
    machineRoot: join(folder(), 'machine'),
    eventLogPath: join(folder(), 'CCEL'),
    ...(tsm && { makeEntry: fakeTsmEntries(tsm).makeEntry })
  })

  it('is simulated where the kernel has no interface, and says so before anything is made', async () => {
    const source = await openEvidenceSource({ ...init('auto'), tsmRoot: join(folder(), 'missing') })
    assert.equal(source.tier, 'simulated')
    assert.equal(source.gpuProofs, undefined)
    const evidence = await source.make(randomBytes(64))
    assert.equal(decodeRawEvidence(evidence), undefined)
    assert.equal(evidenceType(evidence), 'simulated')
  })

  for (const [path, text, guest] of [
    ['proc/cpuinfo', 'processor\t: 0\nflags\t\t: fpu tdx_guest nopl\n', 'TDX'],
    ['dev/tdx_guest', '', 'TDX'],
    ['dev/sev-guest', '', 'SEV-SNP'],
    ['sys/devices/platform/sev-guest/driver_override', '', 'SEV-SNP']
  ] as const) {
    it(`is not simulated by itself in a guest that says so by ${path}, where configfs is not mounted`, async () => {
      const machineRoot = join(folder(), 'machine')
      await mkdir(join(machineRoot, dirname(path)), { recursive: true })
      await writeFile(join(machineRoot, path), text)
      const unmounted = { ...init('auto'), tsmRoot: join(folder(), 'missing') }
      await assert.rejects(openEvidenceSource(unmounted), (err: EnvironmentError) => {
        assert.equal(err.code, 'EVIDENCE_UNAVAILABLE')
        assert.match(err.message, /mount -t configfs none \/sys\/kernel\/config.*module.*simulated/)
        assert.ok(err.message.startsWith(`This is a guest of ${guest} (${machineRoot}`), err.message)
        assert.doesNotMatch(err.message, /\n/)
        return true
      })
      assert.equal((await openEvidenceSource({ ...unmounted, kind: 'simulated' })).tier, 'simulated')
      // Mounted, the signs change nothing.
      assert.equal((await openEvidenceSource(init('auto', tdx))).tier, 'tdx')
    })
  }

  it('is never simulated where the interface is there and fails, whatever fails', async () => {
    const enxio = Object.assign(new Error('no such device or address'), { code: 'ENXIO' })
    await assert.rejects(openEvidenceSource({ ...init('auto'), makeEntry: () => Promise.reject(enxio) }), {
      code: 'EVIDENCE_UNAVAILABLE',
      message: /module/
    })
    // An entry without its files: not one that the kernel made.
    await assert.rejects(openEvidenceSource(init('auto')), { code: 'EVIDENCE_FAILED' })
    const foreign = async (path: string): Promise<void> => {
      await mkdir(path)
      await writeFile(join(path, 'provider'), 'arm_cca_guest\n')
    }
    await assert.rejects(openEvidenceSource({ ...init('auto'), makeEntry: foreign }), {
      code: 'EVIDENCE_FAILED',
      message: /arm_cca_guest/
    })
    const garbage = { provider: 'tdx_guest', answer: () => randomBytes(600) }
    await assert.rejects(openEvidenceSource(init('auto', garbage)), { code: 'EVIDENCE_FAILED' })
    const empty = { provider: 'tdx_guest', answer: () => new Uint8Array() }
    await assert.rejects(openEvidenceSource(init('auto', empty)), { code: 'EVIDENCE_FAILED' })
  }).timeout(10_000)

  it('is not another than the settings say', async () => {
    await assert.rejects(openEvidenceSource(init('snp', tdx)), { code: 'EVIDENCE_KIND_MISMATCH' })
    await assert.rejects(openEvidenceSource(init('tdx', snp)), { code: 'EVIDENCE_KIND_MISMATCH' })
    await assert.rejects(openEvidenceSource({ ...init('tdx'), tsmRoot: join(folder(), 'missing') }), {
      code: 'EVIDENCE_UNAVAILABLE'
    })
  })

  it('is simulated on request, also on hardware', async () => {
    const source = await openEvidenceSource(init('simulated', tdx))
    assert.equal(source.tier, 'simulated')
  })

  it('has the TD sign exactly the report data it is given, each time', async () => {
    const entries = fakeTsmEntries(tdx)
    const source = await openEvidenceSource({ ...init('auto'), makeEntry: entries.makeEntry })
    assert.equal(source.tier, 'tdx')
    for (const reportData of [randomBytes(64), randomBytes(64)]) {
      const raw = decodeRawEvidence(await source.make(reportData))
      assert.ok(raw?.type === 'tdx')
      assert.equal(raw.eventLog, undefined)
      const td = tdReportOf(parseQuote(Buffer.from(raw.quote, 'base64')))
      assert.equal(toHex(td?.reportData ?? new Uint8Array()), toHex(reportData))
    }
    await entries.settled()
    assert.deepEqual(await readdir(folder()), [], 'entries are left over')
  })

  it('refuses a report that binds something else, and one by another platform than at the start', async () => {
    let wrong = false
    const lying: FakeTsm = {
      provider: 'tdx_guest',
      answer: reportData => platform.quote({ reportData: wrong ? randomBytes(64) : reportData })
    }
    const source = await openEvidenceSource(init('tdx', lying))
    wrong = true
    await assert.rejects(source.make(randomBytes(64)), { code: 'EVIDENCE_FAILED', message: /binds other data/ })

    let entries = fakeTsmEntries(tdx)
    const changing = await openEvidenceSource({ ...init('tdx'), makeEntry: path => entries.makeEntry(path) })
    entries = fakeTsmEntries(snp)
    await assert.rejects(changing.make(randomBytes(64)), { code: 'EVIDENCE_FAILED', message: /sev_guest/ })
  })

  it('asks for nothing but 64 bytes', async () => {
    const source = await openEvidenceSource(init('tdx', tdx))
    await assert.rejects(source.make(randomBytes(32)), { code: 'EVIDENCE_INPUT_INVALID' })
    const simulated = await openEvidenceSource(init('simulated'))
    await assert.rejects(simulated.make(randomBytes(32)), { code: 'EVIDENCE_INPUT_INVALID' })
  })

  it('adds the event log without the memory behind it; one that cannot be read is an error', async () => {
    const { log, sizeBytes } = testEventLog([{ rtmr: 0, data: 'ends in a zero\0' }])
    await writeFile(join(folder(), 'CCEL'), log)
    const source = await openEvidenceSource(init('tdx', tdx))
    const raw = decodeRawEvidence(await source.make(randomBytes(64)))
    assert.ok(raw?.type === 'tdx')
    assert.deepEqual(Buffer.from(raw.eventLog ?? '', 'base64'), Buffer.from(log.subarray(0, sizeBytes)))

    const garbage = randomBytes(500)
    await writeFile(join(folder(), 'CCEL'), garbage)
    const other = decodeRawEvidence(await (await openEvidenceSource(init('tdx', tdx))).make(randomBytes(64)))
    assert.ok(other?.type === 'tdx')
    assert.equal(other.eventLog, garbage.toString('base64'), 'the host is to say what is wrong with it')
    const without = await openEvidenceSource({ ...init('tdx', tdx), eventLogPath: false })
    const bare = decodeRawEvidence(await without.make(randomBytes(64)))
    assert.ok(bare?.type === 'tdx' && bare.eventLog === undefined)
    const unreadable = { ...init('tdx', tdx), eventLogPath: folder() }
    await assert.rejects(openEvidenceSource(unreadable), { code: 'EVIDENCE_EVENT_LOG_UNREADABLE' })
  })

  it("has an SEV-SNP guest's report with the host's table, if it has one", async () => {
    const source = await openEvidenceSource(init('auto', snp))
    assert.equal(source.tier, 'snp')
    const raw = decodeRawEvidence(await source.make(new Uint8Array(64).fill(7)))
    assert.ok(raw?.type === 'snp')
    assert.equal(raw.table, 'AQID')
    assert.equal(toHex(Buffer.from(raw.report, 'base64').subarray(0x50, 0x90)), '07'.repeat(64))
    const bare = await openEvidenceSource(init('auto', { ...snp, auxblob: new Uint8Array() }))
    const withoutTable = decodeRawEvidence(await bare.make(new Uint8Array(64)))
    assert.ok(withoutTable?.type === 'snp' && withoutTable.table === undefined)
  })

  it('takes GPUs only where a TD vouches for them', async () => {
    const gpu = { gpuCommand: '/usr/bin/true' }
    await assert.rejects(openEvidenceSource({ ...init('auto', snp), ...gpu }), { code: 'EVIDENCE_GPU_UNSUPPORTED' })
    await assert.rejects(openEvidenceSource({ ...init('simulated'), ...gpu }), { code: 'EVIDENCE_GPU_UNSUPPORTED' })
  })

  const recorded = sharedPath('vectors', 'attestation', 'nvidia')
  if (recorded !== undefined) {
    it('puts the answers of the GPUs that a statement names beside the quote', async () => {
      const command = await gpuCommand(folder(), recorded, 'as-asked')
      await mkdir(join(folder(), 'tsm'))
      const source = await openEvidenceSource({
        ...init('auto', tdx),
        tsmRoot: join(folder(), 'tsm'),
        gpuCommand: command
      })
      assert.equal(source.tier, 'tdx+gpu')
      await assert.rejects(source.make(randomBytes(64)), { code: 'EVIDENCE_INPUT_INVALID' })
      const proofs = await source.gpuProofs?.(randomBytes(32))
      assert.ok(proofs !== undefined)
      const raw = decodeRawEvidence(await source.make(randomBytes(64), proofs))
      assert.ok(raw?.type === 'tdx+gpu')
      assert.deepEqual(raw.gpus, proofs.gpus)
      assert.equal(raw.rims.length, 2)
    })
  }

  it('stops before it asks the kernel when its caller does', async () => {
    const source = await openEvidenceSource(init('tdx', tdx))
    await assert.rejects(source.make(randomBytes(64), undefined, { signal: AbortSignal.abort() }), {
      code: 'CANCELLED'
    })
  })
})
