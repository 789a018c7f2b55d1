import { fromHex, sha256, toHex } from '../core/bytes.ts'
import { AttestationError } from '../core/errors.ts'
import {
  decodeSnpEvidence,
  decodeTdxEvidence,
  decodeTdxGpuEvidence,
  evidenceType,
  type TdxGpuEvidence,
  type TdxProof
} from './evidence.ts'
import { gpuNonce } from './gpu-nonce.ts'
import { type AcceptedImage, expectImage, measuredTd } from './measured.ts'
import { type VerifiedGpu, verifyNvidiaEvidence } from './nvidia/verify.ts'
import { type AttestationPolicy, expectNotDenied } from './policy.ts'
import { simulatedMeasurement, verifySimulatedEvidence } from './simulated-evidence.ts'
import type { SnpRoots } from './snp/product.ts'
import { type VerifiedSnp, verifySnpReport } from './snp/verify.ts'
import type { Statement } from './statement.ts'
import { type MeasuredEvent, verifyEventLog } from './tdx/event-log.ts'
import { TdxVerifier, type VerifiedTdx } from './tdx/verifier.ts'
import type { Tier } from './tier.ts'

/** What evidence showed once all its signatures held, by tier. */
export type Platform =
  | { readonly tier: 'simulated' }
  | { readonly tier: 'tdx'; readonly td: VerifiedTdx; readonly events?: readonly MeasuredEvent[] }
  | {
      readonly tier: 'tdx+gpu'
      readonly td: VerifiedTdx
      readonly events?: readonly MeasuredEvent[]
      readonly gpus: readonly VerifiedGpu[]
    }
  | { readonly tier: 'snp'; readonly guest: VerifiedSnp }

/** Evidence that held and fits the statement, but for what it binds. */
export interface JudgedEvidence {
  readonly platform: Platform
  /** 64 bytes. */
  readonly reportData: Uint8Array
  /** The image that was measured; a simulated enclave has none. */
  readonly image?: AcceptedImage
  /** Nothing of this may be relied on from this moment on, Unix milliseconds. */
  readonly expiresAtMs: number
}

export interface JudgeEvidenceInput {
  readonly statement: Statement
  readonly evidence: Uint8Array
  readonly policy: AttestationPolicy
  readonly nowMs: number
  /** Remembers collateral and quotes that held. */
  readonly tdx: TdxVerifier
  /** For tests. @default those of AMD */
  readonly snpRoots?: SnpRoots
}

/**
 * Judges evidence by its own type: signatures to the pinned roots, then policy, then the statement's software against
 * the image that was measured. What it binds is compared by the caller.
 *
 * @throws {AttestationError} `ATTESTATION_EVIDENCE_UNKNOWN`, `ATTESTATION_TIER_MISMATCH`,
 *   `ATTESTATION_MEASUREMENT_MISMATCH`, `ATTESTATION_GPU_EVIDENCE_MISMATCH` and those of the verifier of its type
 */
export function judgeEvidence(input: JudgeEvidenceInput): JudgedEvidence {
  const { statement, evidence } = input
  const type = evidenceType(evidence)
  if (type !== 'simulated' && type !== 'tdx' && type !== 'tdx+gpu' && type !== 'snp') {
    throw refusal(
      'EVIDENCE_UNKNOWN',
      `Evidence of type ${JSON.stringify(type.slice(0, 32))} is unknown to this version`
    )
  }
  expectSameTier(statement.tier, type)
  expectNotDenied(input.policy, { bundleDigest: statement.software.bundleDigest, peerId: statement.peerId })
  switch (type) {
    case 'simulated':
      return judgeSimulated(input)
    case 'tdx': {
      const { td, events, ...judged } = judgeTdx(decodeTdxEvidence(evidence), input)
      return { ...judged, platform: { tier: 'tdx', td, ...(events && { events }) } }
    }
    case 'tdx+gpu':
      return judgeTdxGpu(decodeTdxGpuEvidence(evidence), input)
    case 'snp':
      return judgeSnp(input)
  }
}

function expectSameTier(stated: Tier, shown: Tier): void {
  if (stated !== shown) {
    const only = shown === 'simulated' ? 'only simulated' : shown
    throw refusal('TIER_MISMATCH', `The statement says ${stated}, the evidence is ${only}`)
  }
}

function judgeSimulated({ statement, evidence }: JudgeEvidenceInput): JudgedEvidence {
  const { measurement, reportData } = verifySimulatedEvidence(evidence)
  if (measurement !== toHex(simulatedMeasurement(fromHex(statement.software.bundleDigest, 32)))) {
    throw refusal('MEASUREMENT_MISMATCH', 'The evidence measures other software than the statement names')
  }
  return { platform: { tier: 'simulated' }, reportData, expiresAtMs: Number.MAX_SAFE_INTEGER }
}

interface JudgedTd extends Omit<JudgedEvidence, 'platform'> {
  td: VerifiedTdx
  events: MeasuredEvent[] | undefined
}

function judgeTdx({ quote, collateral, eventLog }: TdxProof, input: JudgeEvidenceInput): JudgedTd {
  const { statement, policy, nowMs, tdx } = input
  const td = tdx.verifyTdx({ quote: fromBase64(quote), collateral, nowMs, policy: policy.tdx })
  const { bundleDigest } = statement.software
  expectNotDenied(policy, { bundleDigest, peerId: statement.peerId, fmspc: td.fmspc })
  const image = expectImage(policy.images, measuredTd(td), bundleDigest)
  const events = eventLog === undefined ? undefined : verifyEventLog(fromBase64(eventLog), td)
  return { td, events, image, reportData: td.reportData, expiresAtMs: td.expiresAtMs }
}

function judgeTdxGpu({ cpu, gpus, rims }: TdxGpuEvidence, input: JudgeEvidenceInput): JudgedEvidence {
  const { statement, policy, nowMs } = input
  const { td, events, ...judged } = judgeTdx(cpu, input)
  const reports = gpus.map(gpu => fromBase64(gpu.report))
  const digests = reports.map(report => toHex(sha256(report)))
  const { gpuEvidence = [] } = statement
  if (digests.length === 0 || digests.join() !== gpuEvidence.join()) {
    throw refusal(
      'GPU_EVIDENCE_MISMATCH',
      `The evidence shows ${digests.length} GPUs that are not the ${gpuEvidence.length} of the statement`
    )
  }
  const nonce = gpuNonce(statement)
  const verified = gpus.map(({ chain, driverRim, vbiosRim }, index) =>
    verifyNvidiaEvidence({
      report: reports[index] ?? new Uint8Array(),
      chainPem: fromBase64(chain),
      nonce,
      nowMs,
      rims: { driver: rimAt(rims, driverRim), vbios: rimAt(rims, vbiosRim) },
      policy: policy.gpu
    })
  )
  return {
    ...judged,
    platform: { tier: 'tdx+gpu', td, gpus: verified, ...(events && { events }) },
    expiresAtMs: Math.min(judged.expiresAtMs, ...verified.map(gpu => gpu.expiresAtMs))
  }
}

function judgeSnp({ statement, evidence, policy, nowMs, snpRoots }: JudgeEvidenceInput): JudgedEvidence {
  const { report, leaf, ask, ark, crl } = decodeSnpEvidence(evidence)
  const guest = verifySnpReport({
    report: fromBase64(report),
    certificates: { leaf: fromBase64(leaf), ask: fromBase64(ask), ark: fromBase64(ark) },
    crl: fromBase64(crl),
    nowMs,
    policy: policy.snp,
    ...(snpRoots && { roots: snpRoots })
  })
  const measured = { tier: 'snp', measurement: toHex(guest.measurement) } as const
  const image = expectImage(policy.images, measured, statement.software.bundleDigest)
  return {
    platform: { tier: 'snp', guest },
    image,
    reportData: guest.reportData,
    expiresAtMs: guest.expiresAtMs
  }
}

function rimAt(rims: readonly string[], index: number): Uint8Array {
  const rim = rims[index]
  if (rim === undefined) {
    throw refusal('GPU_EVIDENCE_MISMATCH', `The evidence lacks the golden measurements number ${index}`)
  }
  return fromBase64(rim)
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'))
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_${cause}`, message)
}
