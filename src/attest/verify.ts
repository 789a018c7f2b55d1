import { fromHex, sha256, toHex } from '../core/bytes.ts'
import { AttestationError, UsageError } from '../core/errors.ts'
import { judgeEvidence, type Platform } from './judge-evidence.ts'
import type { AcceptedImage } from './measured.ts'
import { type AttestationPolicy, expectTier } from './policy.ts'
import { CHALLENGE_BYTES, reportData } from './report-data.ts'
import { decodeStatement, type Statement, statementCosignMessage } from './statement.ts'
import { TdxVerifier } from './tdx/verifier.ts'
import type { Tier } from './tier.ts'

/** A beacon may be this many blocks ahead of the client's own view: the two do not see a block at the same moment. */
export const BEACON_MARGIN_BLOCKS = 64

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
  /** The client's own view of the chain; without one the beacon is not compared. */
  readonly chainView?: ChainView
  /**
   * Remembers collateral and quotes that held, over several calls.
   *
   * @default nothing is remembered
   */
  readonly tdx?: TdxVerifier
}

/** What a client knows of the chain when it judges a beacon. */
export interface ChainView {
  readonly globalId: number
  readonly height: number
  /** Root hash of the block at the beacon's height, 32 bytes hex, as the client's own chain has it; absent if it could not tell. */
  readonly beaconHash?: string
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
  expectBeacon(statement, policy, input.chainView)
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

function expectBeacon({ beacon }: Statement, policy: AttestationPolicy, view: ChainView | undefined): void {
  if (view === undefined) {
    return
  }
  const { globalId, height, hash } = beacon
  if (globalId !== view.globalId) {
    throw refusal('NETWORK_MISMATCH', `The enclave follows network ${globalId}: expected ${view.globalId}`)
  }
  if (height > view.height + BEACON_MARGIN_BLOCKS) {
    throw refusal('BEACON_AHEAD', `The statement names block ${height}: our chain is at ${view.height}`)
  }
  if (!(view.height - height <= policy.maxBeaconAgeBlocks)) {
    throw refusal(
      'BEACON_TOO_OLD',
      `The statement names block ${height}, ${view.height - height} behind: the policy accepts ${policy.maxBeaconAgeBlocks}`
    )
  }
  if (view.beaconHash !== undefined && view.beaconHash !== hash) {
    throw refusal('BEACON_MISMATCH', `The statement names a block ${height} that is not the chain's`)
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
