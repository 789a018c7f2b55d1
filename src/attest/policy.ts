import { AttestationError } from '../core/errors.ts'
import type { AcceptedImage } from './measured.ts'
import type { GpuPolicy } from './nvidia/verify.ts'
import { DEFAULT_SNP_POLICY, type SnpPolicy } from './snp/policy.ts'
import { DEFAULT_TDX_POLICY, type TdxPolicy } from './tdx/policy.ts'
import type { Tier } from './tier.ts'

/** What a client asks of an enclave before it seals anything to it. Lists allow: what is not listed is refused. */
export interface AttestationPolicy {
  /** An empty list denies every enclave. */
  readonly acceptedTiers: readonly Tier[]
  /** Guest images to accept on real hardware; an empty list denies every one. A simulated enclave has none. */
  readonly images: readonly AcceptedImage[]
  readonly tdx: TdxPolicy
  readonly snp: SnpPolicy
  readonly gpu: GpuPolicy
  /** What is refused whatever else says: programs (SHA-256, hex), peers, platforms (FMSPC, hex). */
  readonly deny: DenyLists
  /** A statement older than this is refused even if it says it is still valid. */
  readonly maxStatementAgeMs: number
  /** How far the enclave's clock may run ahead of ours. Lengthens neither age nor validity. */
  readonly clockSkewMs: number
  /** How many blocks behind the client's view of the chain a statement's beacon may be. */
  readonly maxBeaconAgeBlocks: number
}

export interface DenyLists {
  readonly bundleDigests: readonly string[]
  readonly peerIds: readonly string[]
  readonly fmspcs: readonly string[]
}

/**
 * What every client starts with: real hardware only, and no image yet, so that nothing passes before its owner has said
 * which guest images to trust.
 */
export const DEFAULT_POLICY: AttestationPolicy = {
  acceptedTiers: ['tdx+gpu', 'tdx', 'snp'],
  images: [],
  tdx: DEFAULT_TDX_POLICY,
  snp: DEFAULT_SNP_POLICY,
  gpu: {},
  deny: { bundleDigests: [], peerIds: [], fmspcs: [] },
  maxStatementAgeMs: 2 * 60 * 60 * 1000,
  clockSkewMs: 60 * 1000,
  // Masterchain blocks come at most every second or so; a statement's own age counts in time.
  maxBeaconAgeBlocks: 20_000
}

/** For a simnet or an explicit opt-in: also enclaves that are none. */
export function withSimulated(policy: AttestationPolicy): AttestationPolicy {
  return policy.acceptedTiers.includes('simulated')
    ? policy
    : { ...policy, acceptedTiers: [...policy.acceptedTiers, 'simulated'] }
}

/** {@link DEFAULT_POLICY} with simulated enclaves. */
export const SIMNET_POLICY: AttestationPolicy = withSimulated(DEFAULT_POLICY)

/** @throws {AttestationError} `ATTESTATION_TIER_REFUSED` */
export function expectTier(policy: AttestationPolicy, tier: Tier): void {
  if (!policy.acceptedTiers.includes(tier)) {
    const accepted = policy.acceptedTiers.length === 0 ? 'nothing' : policy.acceptedTiers.join(', ')
    const warning = tier === 'simulated' ? ', in which the owner of the machine can read everything' : ''
    throw new AttestationError(
      'ATTESTATION_TIER_REFUSED',
      `The enclave is ${tier}${warning}: the policy accepts ${accepted}`
    )
  }
}

/** @throws {AttestationError} `ATTESTATION_DENIED` */
export function expectNotDenied(
  { deny }: AttestationPolicy,
  { bundleDigest, peerId, fmspc }: { bundleDigest: string; peerId: string; fmspc?: string | undefined }
): void {
  const what = deny.bundleDigests.includes(bundleDigest)
    ? `the program ${bundleDigest}`
    : deny.peerIds.includes(peerId)
      ? `the peer ${peerId}`
      : fmspc !== undefined && deny.fmspcs.includes(fmspc)
        ? `the platform ${fmspc}`
        : undefined
  if (what !== undefined) {
    throw new AttestationError('ATTESTATION_DENIED', `The policy denies ${what}`)
  }
}
