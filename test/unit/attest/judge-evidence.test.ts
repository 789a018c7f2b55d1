import assert from 'node:assert/strict'
import { canonicalBytes } from '../../../src/attest/document.ts'
import type { TdxGpuEvidence, TdxProof } from '../../../src/attest/evidence.ts'
import {
  type AttestationPolicy,
  DEFAULT_POLICY,
  encodeStatement,
  reportData,
  type Statement,
  type VerifyAttestationInput,
  verifyAttestation
} from '../../../src/attest/index.ts'
import { TdxVerifier } from '../../../src/attest/tdx/verifier.ts'
import { sha256, toHex } from '../../../src/core/bytes.ts'
import {
  measuredImage,
  TEST_FMSPC,
  TEST_IMAGE,
  type TestQuoteInit,
  testTdxPlatform
} from '../../support/tdx-platform.ts'
import { testEventLog } from '../../support/tdx-platform-event-log.ts'
import { cosign, NOW_MS, PEER_ID, STATEMENT, verifyPeerSignature } from './fixtures.ts'
import { nvidiaVectors } from './nvidia/vectors.ts'

const platform = testTdxPlatform(NOW_MS)
const DAY_MS = 24 * 60 * 60_000
const { bundleDigest } = STATEMENT.software
const POLICY: AttestationPolicy = {
  ...DEFAULT_POLICY,
  images: [{ ...measuredImage(), name: 'test guest', bundleDigest }]
}

interface Made {
  readonly statement?: Partial<Statement>
  readonly quote?: Partial<TestQuoteInit>
  readonly collateral?: typeof platform.collateral
  readonly eventLog?: Uint8Array
  readonly input?: Partial<VerifyAttestationInput>
}

/** What a TDX enclave of the test platform shows, accepted unless `made` says otherwise. */
function attestationOfTd(made: Made = {}): VerifyAttestationInput {
  const document: Statement = { ...STATEMENT, tier: 'tdx', ...made.statement }
  const statement = encodeStatement(document)
  const quote = platform.quote({ reportData: reportData(statement, document.beacon), ...made.quote })
  return {
    statement,
    evidence: canonicalBytes({
      type: 'tdx',
      version: 1,
      quote: Buffer.from(quote).toString('base64'),
      collateral: made.collateral ?? platform.collateral,
      ...(made.eventLog && { eventLog: Buffer.from(made.eventLog).toString('base64') })
    }),
    peerSignature: cosign(statement),
    expectedPeerId: PEER_ID,
    verifyPeerSignature,
    policy: POLICY,
    nowMs: NOW_MS,
    chainView: { globalId: -3, height: 1000, beaconHash: document.beacon.hash },
    tdx: platform.verifier(),
    ...made.input
  }
}

async function refused(made: Made, code: string): Promise<void> {
  await assert.rejects(verifyAttestation(attestationOfTd(made)), { code })
}

describe('evidence of a TD, in real formats under a root of the test', () => {
  it('is accepted for the image that the policy lists, and says what it showed', async () => {
    const enclave = await verifyAttestation(attestationOfTd())
    assert.equal(enclave.tier, 'tdx')
    assert.equal(enclave.image?.name, 'test guest')
    assert.ok(enclave.platform.tier === 'tdx')
    assert.equal(enclave.platform.td.fmspc, TEST_FMSPC)
    assert.equal(enclave.platform.td.tcbStatus, 'UpToDate')
    assert.equal(enclave.platform.events, undefined)
    assert.equal(enclave.expiresAtMs, STATEMENT.notAfterMs)
  })

  it('is accepted for a challenge, and not for another', async () => {
    const challenge = new Uint8Array(32).fill(9)
    const statement = encodeStatement({ ...STATEMENT, tier: 'tdx' })
    const quote = { reportData: reportData(statement, challenge) }
    await verifyAttestation(attestationOfTd({ quote, input: { challenge } }))
    await refused({ quote, input: { challenge: new Uint8Array(32) } }, 'ATTESTATION_REPORT_DATA_MISMATCH')
    await refused({ quote }, 'ATTESTATION_REPORT_DATA_MISMATCH')
  })

  it('tells the events of a log that gives the registers, and is refused with one that does not', async () => {
    const { log, rtmrs } = testEventLog([
      { rtmr: 0, data: 'firmware settings' },
      { rtmr: 1, data: 'kernel' },
      { rtmr: 2, data: 'command line' }
    ])
    const images = [{ ...measuredImage({ ...TEST_IMAGE, rtmrs }), name: 'logged', bundleDigest }]
    const policy = { ...POLICY, images }
    const enclave = await verifyAttestation(attestationOfTd({ quote: { rtmrs }, eventLog: log, input: { policy } }))
    assert.ok(enclave.platform.tier === 'tdx')
    assert.deepEqual(
      enclave.platform.events?.map(event => Buffer.from(event.data).toString()),
      ['firmware settings', 'kernel', 'command line']
    )
    const other = testEventLog([{ rtmr: 0, data: 'other settings' }]).log
    await refused({ quote: { rtmrs }, eventLog: other, input: { policy } }, 'ATTESTATION_EVENT_LOG_MISMATCH')
    await refused({ eventLog: new Uint8Array(100) }, 'ATTESTATION_EVENT_LOG_INVALID')
  })

  it('is never accepted under the root of Intel', async () => {
    await refused({ input: { tdx: new TdxVerifier() } }, 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN')
    const { tdx: _, ...input } = attestationOfTd()
    await assert.rejects(verifyAttestation(input), { code: 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN' })
  })

  it('is refused when it binds another statement', async () => {
    await refused({ quote: { reportData: new Uint8Array(64) } }, 'ATTESTATION_REPORT_DATA_MISMATCH')
  })

  it('is refused for an image that the policy does not list, or lists for another program', async () => {
    await refused({ quote: { mrTd: new Uint8Array(48) } }, 'ATTESTATION_MEASUREMENT_REFUSED')
    const [rtmr0, rtmr1, rtmr2] = TEST_IMAGE.rtmrs
    await refused({ quote: { rtmrs: [rtmr0, rtmr1, rtmr2, rtmr2] } }, 'ATTESTATION_MEASUREMENT_REFUSED')
    await refused({ input: { policy: { ...POLICY, images: [] } } }, 'ATTESTATION_MEASUREMENT_REFUSED')
    await refused(
      { statement: { software: { ...STATEMENT.software, bundleDigest: 'cd'.repeat(32) } } },
      'ATTESTATION_MEASUREMENT_MISMATCH'
    )
  })

  it('is refused for a platform, a program and a peer that the policy denies', async () => {
    const denying = (deny: Partial<AttestationPolicy['deny']>): Made => ({
      input: { policy: { ...POLICY, deny: { ...POLICY.deny, ...deny } } }
    })
    await refused(denying({ fmspcs: [TEST_FMSPC] }), 'ATTESTATION_DENIED')
    await refused(denying({ bundleDigests: [bundleDigest] }), 'ATTESTATION_DENIED')
    await refused(denying({ peerIds: [PEER_ID] }), 'ATTESTATION_DENIED')
  })

  it('is refused for a TD that is open to its host, or started with settings of its owner', async () => {
    await refused({ quote: { debug: true } }, 'ATTESTATION_TDX_DEBUG')
    await refused({ quote: { mrConfigId: new Uint8Array(48).fill(1) } }, 'ATTESTATION_TD_CONFIG_UNKNOWN')
  })

  it('is refused with collateral that is past its end, not there yet, or of another root', async () => {
    await refused({ collateral: platform.collateralAt(NOW_MS - 40 * DAY_MS) }, 'ATTESTATION_COLLATERAL_EXPIRED')
    await refused({ collateral: platform.collateralAt(NOW_MS + 2 * DAY_MS) }, 'ATTESTATION_COLLATERAL_NOT_YET_VALID')
    const stranger = testTdxPlatform(NOW_MS)
    await refused({ collateral: stranger.collateral }, 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN')
  })

  it('is refused where the statement says another tier, and where the policy does not accept it', async () => {
    await refused({ statement: { tier: 'snp' } }, 'ATTESTATION_TIER_MISMATCH')
    await refused({ input: { policy: { ...POLICY, acceptedTiers: ['snp'] } } }, 'ATTESTATION_TIER_REFUSED')
    await refused({ input: { evidence: Buffer.from('{"type":"sgx"}') } }, 'ATTESTATION_EVIDENCE_UNKNOWN')
  })
})

describe('evidence of a TD with GPUs', () => {
  const vectors = nvidiaVectors()
  if (vectors === undefined) {
    return
  }
  const { report, chainPem, rims } = vectors.gonvtrust
  const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64')
  const gpu = { report: base64(report), chain: base64(chainPem), driverRim: 0, vbiosRim: 1 }
  const gpuEvidence = [toHex(sha256(report))]

  const attestationOfGpus = (
    changes: Partial<Pick<TdxGpuEvidence, 'gpus' | 'rims'>> = {},
    named: string[] = gpuEvidence
  ): VerifyAttestationInput => {
    const input = attestationOfTd({ statement: { tier: 'tdx+gpu', gpuEvidence: named } })
    const { quote, collateral } = JSON.parse(Buffer.from(input.evidence).toString()) as TdxProof
    const cpu = { quote, collateral }
    const evidence = { type: 'tdx+gpu', version: 1, cpu, gpus: [gpu], rims: [base64(rims.driver), base64(rims.vbios)] }
    return { ...input, evidence: canonicalBytes({ ...evidence, ...changes }) }
  }

  it('is refused when a GPU answered another nonce, as a recorded report does', async () => {
    await assert.rejects(verifyAttestation(attestationOfGpus()), { code: 'ATTESTATION_GPU_NONCE_MISMATCH' })
  })

  it('is refused when it shows other GPUs than the statement names, or none', async () => {
    const code = 'ATTESTATION_GPU_EVIDENCE_MISMATCH'
    await assert.rejects(verifyAttestation(attestationOfGpus({}, ['ab'.repeat(32)])), { code })
    await assert.rejects(verifyAttestation(attestationOfGpus({ gpus: [] }, [])), { code })
    await assert.rejects(verifyAttestation(attestationOfGpus({ gpus: [gpu, gpu] })), { code })
    await assert.rejects(verifyAttestation(attestationOfGpus({ gpus: [] })), { code })
  })

  it('is refused when golden measurements are missing', async () => {
    await assert.rejects(verifyAttestation(attestationOfGpus({ rims: [base64(rims.driver)] })), {
      code: 'ATTESTATION_GPU_EVIDENCE_MISMATCH'
    })
  })
})
