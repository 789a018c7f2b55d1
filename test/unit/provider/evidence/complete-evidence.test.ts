import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalBytes } from '../../../../src/attest/document.ts'
import { decodeSnpEvidence, decodeTdxEvidence, decodeTdxGpuEvidence } from '../../../../src/attest/evidence.ts'
import {
  DEFAULT_POLICY,
  encodeStatement,
  makeSimulatedEvidence,
  reportData,
  type Statement,
  verifyAttestation
} from '../../../../src/attest/index.ts'
import { judgeEvidence } from '../../../../src/attest/judge-evidence.ts'
import { encodeRawEvidence } from '../../../../src/attest/raw-evidence.ts'
import type { TdxCollateral } from '../../../../src/attest/tdx/collateral.ts'
import { TdxVerifier } from '../../../../src/attest/tdx/verifier.ts'
import { lineLogger, silentLogger } from '../../../../src/core/logger.ts'
import { openEvidenceSource } from '../../../../src/enclave/evidence/source.ts'
import { completeEvidence } from '../../../../src/provider/evidence/complete-evidence.ts'
import { EvidenceCompleter } from '../../../../src/provider/evidence/evidence-completer.ts'
import { LIMITS } from '../../../../src/wire/limits.ts'
import { measuredImage, TEST_FMSPC, TEST_IMAGE, testTdxPlatform } from '../../../support/tdx-platform.ts'
import { fakeTsmEntries } from '../../../support/tdx-platform-configfs.ts'
import { testEventLog } from '../../../support/tdx-platform-event-log.ts'
import { pcsAnswers, useTestService } from '../../../support/tdx-platform-services.ts'
import { useTempFolder } from '../../../support/temp-folder.ts'
import { cosign, NOW_MS, PEER_ID, STATEMENT, verifyPeerSignature } from '../../attest/fixtures.ts'
import { MADE_SNP_NOW_MS, MadeSnpPlatform } from '../../attest/snp/made-snp-platform.ts'

const platform = testTdxPlatform(NOW_MS)
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

describe('raw evidence is completed', () => {
  const subjects: unknown[] = []
  let dropped: string[]
  beforeEach(() => {
    subjects.length = 0
    dropped = []
  })
  const noAmd = { certificates: () => Promise.reject(new Error('AMD is not asked')) }
  const components = {
    intel: {
      collateral: async (subject: unknown): Promise<TdxCollateral> => {
        subjects.push(subject)
        return platform.collateral
      }
    },
    amd: noAmd,
    onEventLogDropped: (why: string) => dropped.push(why)
  }
  const { log, rtmrs } = testEventLog([{ rtmr: 1, data: 'kernel' }], 0)
  const quote = base64(platform.quote({ reportData: new Uint8Array(64), rtmrs }))

  it("with the collateral of the quote's own platform, and the log that gives its registers", async () => {
    const eventLog = base64(log)
    const raw = encodeRawEvidence({ type: 'tdx', version: 1, quote, eventLog })
    const evidence = decodeTdxEvidence(await completeEvidence(raw, components))
    assert.deepEqual(evidence, { type: 'tdx', version: 1, quote, eventLog, collateral: platform.collateral })
    assert.deepEqual(subjects, [{ fmspc: TEST_FMSPC, ca: 'platform' }])
    assert.deepEqual(dropped, [])
  })

  it('without a log that would have clients refuse it', async () => {
    const logs = [testEventLog([{ rtmr: 1, data: 'another kernel' }], 0).log, new Uint8Array(100)]
    for (const [index, bad] of logs.entries()) {
      const raw = encodeRawEvidence({ type: 'tdx', version: 1, quote, eventLog: base64(bad) })
      const evidence = decodeTdxEvidence(await completeEvidence(raw, components))
      assert.equal(evidence.eventLog, undefined)
      assert.equal(dropped.length, index + 1)
    }
  })

  it('without a log that does not fit, and not at all if it does not fit then', async () => {
    const large = testEventLog(
      [1, 2].map(() => ({ rtmr: 1, data: 'k'.repeat(90_000) }) as const),
      0
    )
    const largeQuote = base64(platform.quote({ reportData: new Uint8Array(64), rtmrs: large.rtmrs }))
    const eventLog = base64(large.log)
    const raw = encodeRawEvidence({ type: 'tdx', version: 1, quote: largeQuote, eventLog })
    const bytes = await completeEvidence(raw, components)
    assert.ok(bytes.byteLength <= LIMITS.evidenceBytes)
    assert.ok(decodeTdxEvidence(bytes).eventLog === undefined)
    assert.match(dropped[0] ?? '', /at most/)

    const rims = ['AQ==', base64(new Uint8Array(150_000))]
    const gpus = [{ report: 'AQ==', chain: 'AQ==', driverRim: 0, vbiosRim: 1 }]
    await assert.rejects(
      completeEvidence(encodeRawEvidence({ type: 'tdx+gpu', version: 1, cpu: { quote }, gpus, rims }), components),
      { code: 'ATTESTATION_EVIDENCE_TOO_LARGE' }
    )
  })

  it('with the GPUs as they are', async () => {
    const gpus = [{ report: 'AQ==', chain: 'AQ==', driverRim: 0, vbiosRim: 0 }]
    const raw = encodeRawEvidence({ type: 'tdx+gpu', version: 1, cpu: { quote }, gpus, rims: ['Ag=='] })
    const evidence = decodeTdxGpuEvidence(await completeEvidence(raw, components))
    assert.deepEqual(evidence.gpus, gpus)
    assert.deepEqual(evidence.cpu, { quote, collateral: platform.collateral })
  })

  it('not if it is simulated, which is complete', async () => {
    const simulated = makeSimulatedEvidence({ bundleDigest: new Uint8Array(32), reportData: new Uint8Array(64) })
    assert.equal(await completeEvidence(simulated, components), simulated)
    assert.deepEqual(subjects, [])
  })

  it('not if it is none', async () => {
    const raw = canonicalBytes({ type: 'tdx', version: 1, quote: base64(new Uint8Array(700)) })
    await assert.rejects(completeEvidence(raw, components), { code: 'ATTESTATION_QUOTE_UNSUPPORTED' })
    await assert.rejects(completeEvidence(Buffer.from('{}'), components), { code: 'ATTESTATION_EVIDENCE_INVALID' })
  })

  it("with AMD's certificates and list, from the report and the table of its host", async () => {
    const snp = new MadeSnpPlatform()
    const [report, crl] = [snp.report(), snp.crl()]
    const asked: unknown[] = []
    const amd = {
      certificates: async (...given: unknown[]) => {
        asked.push(given.slice(0, 2))
        return { ...snp.certificates, crl }
      }
    }
    const raw = encodeRawEvidence({ type: 'snp', version: 1, report: base64(report), table: 'AQID' })
    const evidence = decodeSnpEvidence(await completeEvidence(raw, { ...components, amd }))
    const { leaf, ask, ark } = snp.certificates
    assert.deepEqual(evidence, {
      type: 'snp',
      version: 1,
      report: base64(report),
      leaf: base64(leaf),
      ask: base64(ask),
      ark: base64(ark),
      crl: base64(crl)
    })
    assert.deepEqual(asked, [[report, Uint8Array.of(1, 2, 3)]])
  })
})

describe('the whole way of evidence: kernel, enclave, host, vendor, client', () => {
  const server = useTestService()
  const folder = useTempFolder()

  it('has a client accept a TD of the test platform, and warns once of a log that does not fit', async () => {
    const lines: string[] = []
    server().answers = pcsAnswers(platform.collateral, { fmspc: TEST_FMSPC, hex: true })
    await writeFile(join(folder(), 'CCEL'), testEventLog([{ rtmr: 0, data: 'of another boot' }]).log)
    await mkdir(join(folder(), 'report'))
    const source = await openEvidenceSource({
      kind: 'auto',
      bundleDigest: Buffer.from(STATEMENT.software.bundleDigest, 'hex'),
      tsmRoot: join(folder(), 'report'),
      eventLogPath: join(folder(), 'CCEL'),
      makeEntry: fakeTsmEntries({ provider: 'tdx_guest', answer: data => platform.quote({ reportData: data }) })
        .makeEntry
    })
    const completer = new EvidenceCompleter(
      {
        clock: { nowMs: () => NOW_MS },
        logger: lineLogger(
          't',
          'info',
          line => lines.push(line),
          () => NOW_MS
        )
      },
      { folder: folder(), intel: { baseUrl: server().url, rootSha256: platform.rootSha256 } }
    )
    const document: Statement = { ...STATEMENT, tier: source.tier }
    const statement = encodeStatement(document)
    const image = { ...measuredImage(TEST_IMAGE), name: 'guest', bundleDigest: STATEMENT.software.bundleDigest }
    for (const challenge of [undefined, new Uint8Array(32).fill(5)]) {
      const raw = await source.make(reportData(statement, challenge ?? document.beacon))
      const enclave = await verifyAttestation({
        statement,
        evidence: await completer.complete(raw),
        ...(challenge && { challenge }),
        peerSignature: cosign(statement),
        expectedPeerId: PEER_ID,
        verifyPeerSignature,
        policy: { ...DEFAULT_POLICY, images: [image] },
        nowMs: NOW_MS,
        tdx: platform.verifier()
      })
      assert.equal(enclave.tier, 'tdx')
      assert.equal(enclave.image?.name, 'guest')
    }
    assert.equal(server().requests.length, 4)
    assert.equal(lines.filter(line => line.includes('event log')).length, 1)
    const [name = ''] = await readdir(join(folder(), 'collateral'))
    assert.ok((await readFile(join(folder(), 'collateral', name), 'utf8')).includes('"tcb_info"'))
  })

  it('has a client accept an SEV-SNP guest of a made platform, and not without what AMD says of revocation', async () => {
    const snp = new MadeSnpPlatform()
    const path = `/vcek/v1/Genoa/${'c1'.repeat(64)}`
    const answers = {
      [path]: { body: snp.certificates.leaf },
      '/vcek/v1/Genoa/cert_chain': { body: snp.made.ask.pem + snp.made.ark.pem },
      '/vcek/v1/Genoa/crl': { body: snp.crl() }
    }
    await mkdir(join(folder(), 'report'))
    const source = await openEvidenceSource({
      kind: 'auto',
      bundleDigest: Buffer.from(STATEMENT.software.bundleDigest, 'hex'),
      tsmRoot: join(folder(), 'report'),
      makeEntry: fakeTsmEntries({ provider: 'sev_guest', answer: data => snp.report(data) }).makeEntry
    })
    const statement: Statement = { ...STATEMENT, tier: source.tier }
    const bytes = encodeStatement(statement)
    const raw = await source.make(reportData(bytes, statement.beacon))
    const completed = (name: string): Promise<Uint8Array> =>
      new EvidenceCompleter(
        { clock: { nowMs: () => MADE_SNP_NOW_MS }, logger: silentLogger },
        { folder: join(folder(), name), amd: { baseUrl: server().url, roots: snp.roots } }
      ).complete(raw)
    const { bundleDigest } = STATEMENT.software
    const image = { tier: 'snp', measurement: '3e'.repeat(48), name: 'guest', bundleDigest } as const
    const input = {
      statement,
      policy: { ...DEFAULT_POLICY, images: [image] },
      nowMs: MADE_SNP_NOW_MS,
      tdx: new TdxVerifier(),
      snpRoots: snp.roots
    }

    server().answers = answers
    const evidence = await completed('good')
    const judged = judgeEvidence({ ...input, evidence })
    assert.equal(judged.image?.name, 'guest')
    assert.deepEqual(Buffer.from(judged.reportData), Buffer.from(reportData(bytes, statement.beacon)))
    const { snpRoots: _, ...amdOnly } = input
    assert.throws(() => judgeEvidence({ ...amdOnly, evidence }), { code: 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN' })

    server().answers = { ...answers, '/vcek/v1/Genoa/crl': { status: 503 } }
    await assert.rejects(completed('without'), { code: 'COLLATERAL_UNREACHABLE' })
    const { crl: __, ...without } = decodeSnpEvidence(evidence)
    assert.throws(() => judgeEvidence({ ...input, evidence: canonicalBytes(without) }), {
      code: 'ATTESTATION_EVIDENCE_INVALID'
    })
  })
})
