import { fromHex, sha256, toHex } from '../core/bytes.ts'
import { AttestationError, UsageError } from '../core/errors.ts'
import { type ChainView, expectBeacon } from './beacon.ts'
import { judgeEvidence, type Platform } from './judge-evidence.ts'
import type { AcceptedImage } from './measured.ts'
import { type AttestationPolicy, expectTier } from './policy.ts'
import { CHALLENGE_BYTES, reportData } from './report-data.ts'
import { decodeStatement, type Statement, statementCosignMessage } from './statement.ts'
import { TdxVerifier } from './tdx/verifier.ts'
import type { Tier } from './tier.ts'

const PEER_SIGNATURE_BYTES = 64

/** Checks a libp2p peer's signature; the mesh knows how. */
export type PeerSignatureCheck = (
  peerId: string,
  message: Uint8Array,
  signature: Uint8Array
) => boolean | Promise<boolean>

export interface VerifyAttestationInput {
  /** Canonical statement bytes. */
  readonly statement: Uint8Array
  readonly evidence: Uint8Array
  /** Ed25519, by the peer that relays for the enclave, over {@link statementCosignMessage}. */
  readonly peerSignature: Uint8Array
  /** The peer this came from, base58. */
  readonly expectedPeerId: string
  /** SHA-256 the statement must have, e.g. the one a capacity record named. */
  readonly expectedDigest?: Uint8Array
  /** The 32 bytes the evidence was asked to bind; without one it must bind the statement's beacon. */
  readonly challenge?: Uint8Array
  readonly verifyPeerSignature: PeerSignatureCheck
  readonly policy: AttestationPolicy
  /** Unix time to judge validity at. */
  readonly nowMs: number
  /**
   * The client's own view of the chain, which may still be on its way while the evidence is judged; without one the beacon
   * is not compared, which is for receipts and files that are judged offline.
   */
  readonly chainView?: ChainView | Promise<ChainView>
  /**
   * Remembers collateral and quotes that held, over several calls.
   *
   * @default nothing is remembered
   */
  readonly tdx?: TdxVerifier
}

/** An enclave whose attestation held, and the keys it speaks with. */
export interface VerifiedEnclave {
  readonly statement: Statement
  /** 32 bytes. */
  readonly statementDigest: Uint8Array
  /** Raw X25519, 32 bytes. */
  readonly hpkePublicKey: Uint8Array
  /** Raw Ed25519, 32 bytes. */
  readonly receiptKey: Uint8Array
  readonly tier: Tier
  /** What the evidence showed of the machine. */
  readonly platform: Platform
  /** The guest image, as the policy names it; a simulated enclave has none. */
  readonly image?: AcceptedImage
  /** SHA-256 of each model, 32 bytes each. */
  readonly modelDigests: readonly Uint8Array[]
  /** Verify again from this time on: end of validity, of the evidence's own certificates, or of the age the policy allows. */
  readonly expiresAtMs: number
}

/**
 * Decides whether to trust an enclave's keys (design §6). Sizes first, then shape, policy, signatures, meaning. Anything
 * not understood is refused.
 *
 * @throws {AttestationError} one code per cause, all `ATTESTATION_…`; listed in `docs/errors.md`
 * @throws whatever `chainView` rejects with, if all that comes before the beacon held
 * @throws {UsageError} `ATTESTATION_INPUT_INVALID` if `nowMs` or `challenge` of the caller are unusable
 */
export async function verifyAttestation(input: VerifyAttestationInput): Promise<VerifiedEnclave> {
  const { policy, nowMs } = input
  expectInput(input)
  const statement = decodeStatement(input.statement)
  const digest = sha256(input.statement)
  if (input.expectedDigest !== undefined && toHex(input.expectedDigest) !== toHex(digest)) {
    throw refusal('DIGEST_MISMATCH', `The statement is ${toHex(digest)}: expected ${toHex(input.expectedDigest)}`)
  }
  expectTier(policy, statement.tier)

  const { tdx = new TdxVerifier(1) } = input
  const evidence = judgeEvidence({ statement, evidence: input.evidence, policy, nowMs, tdx })
  if (!Buffer.from(reportData(input.statement, input.challenge ?? statement.beacon)).equals(evidence.reportData)) {
    const freshness = input.challenge === undefined ? 'its beacon' : 'the challenge'
    throw refusal('REPORT_DATA_MISMATCH', `The evidence does not bind this statement and ${freshness}`)
  }
  expectTimes(statement, policy, nowMs)
  if (input.chainView !== undefined) {
    expectBeacon(statement.beacon, policy, await input.chainView)
  }
  await expectPeer(statement, input)

  return {
    statement,
    statementDigest: digest,
    hpkePublicKey: fromHex(statement.hpkeKey, 32),
    receiptKey: fromHex(statement.receiptKey, 32),
    tier: statement.tier,
    platform: evidence.platform,
    ...(evidence.image && { image: evidence.image }),
    modelDigests: statement.modelDigests.map(model => fromHex(model, 32)),
    expiresAtMs: Math.min(statement.notAfterMs, statement.notBeforeMs + policy.maxStatementAgeMs, evidence.expiresAtMs)
  }
}

// A time that is NaN would pass every comparison below.
function expectInput({ nowMs, challenge }: VerifyAttestationInput): void {
  if (!Number.isSafeInteger(nowMs) || nowMs <= 0) {
    throw new UsageError('ATTESTATION_INPUT_INVALID', `Time ${nowMs} is not usable: expected Unix milliseconds`)
  }
  if (challenge !== undefined && challenge.byteLength !== CHALLENGE_BYTES) {
    throw new UsageError(
      'ATTESTATION_INPUT_INVALID',
      `Challenge has ${challenge.byteLength} bytes: expected ${CHALLENGE_BYTES}`
    )
  }
}

function expectTimes(statement: Statement, policy: AttestationPolicy, nowMs: number): void {
  const { notBeforeMs, notAfterMs } = statement
  if (notBeforeMs > nowMs + policy.clockSkewMs) {
    throw refusal(
      'NOT_YET_VALID',
      `The statement is valid from ${at(notBeforeMs)}, it is ${at(nowMs)}: check both clocks`
    )
  }
  if (nowMs >= notAfterMs) {
    throw refusal('EXPIRED', `The statement ended at ${at(notAfterMs)}, it is ${at(nowMs)}: fetch a new one`)
  }
  if (!(nowMs - notBeforeMs <= policy.maxStatementAgeMs)) {
    throw refusal(
      'TOO_OLD',
      `The statement is from ${at(notBeforeMs)}: the policy accepts ${policy.maxStatementAgeMs} ms`
    )
  }
}

async function expectPeer(statement: Statement, input: VerifyAttestationInput): Promise<void> {
  const { expectedPeerId, peerSignature } = input
  if (statement.peerId !== expectedPeerId) {
    throw refusal('PEER_MISMATCH', `The statement is for peer ${statement.peerId}: expected ${expectedPeerId}`)
  }
  const genuine =
    peerSignature.byteLength === PEER_SIGNATURE_BYTES &&
    (await input.verifyPeerSignature(expectedPeerId, statementCosignMessage(input.statement), peerSignature))
  if (!genuine) {
    throw refusal('COSIGNATURE_INVALID', `Peer ${expectedPeerId} did not sign this statement`)
  }
}

// Statement times are any safe integer, which is more than a Date can hold.
function at(timeMs: number): string {
  const date = new Date(timeMs)
  return Number.isNaN(date.getTime()) ? `${timeMs} ms` : date.toISOString()
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_${cause}`, message)
}
