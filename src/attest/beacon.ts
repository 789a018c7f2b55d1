import { AttestationError } from '../core/errors.ts'
import type { AttestationPolicy } from './policy.ts'
import type { Beacon } from './statement.ts'

/** A beacon may be this many blocks ahead of the client's own view: the two do not see a block at the same moment. */
export const BEACON_MARGIN_BLOCKS = 64

/** How far a client's own chain is. */
export interface ChainHeight {
  readonly globalId: number
  /** Masterchain sequence number of the newest block. */
  readonly height: number
}

/** What a client knows of the chain when it judges a beacon. */
export interface ChainView extends ChainHeight {
  /** Root hash of the block at the beacon's height, 32 bytes hex, as the client's own chain has it. */
  readonly beaconHash: string
}

/**
 * Whether a beacon is of our network and near enough to be looked up at all (design §6).
 *
 * @throws {AttestationError} `ATTESTATION_NETWORK_MISMATCH`, `ATTESTATION_BEACON_AHEAD`, `ATTESTATION_BEACON_TOO_OLD`
 */
export function expectBeaconNear({ globalId, height }: Beacon, policy: AttestationPolicy, view: ChainHeight): void {
  if (globalId !== view.globalId) {
    throw new AttestationError(
      'ATTESTATION_NETWORK_MISMATCH',
      `The enclave follows network ${globalId}: expected ${view.globalId}`
    )
  }
  if (height > view.height + BEACON_MARGIN_BLOCKS) {
    throw beaconAhead(height, view)
  }
  if (!(view.height - height <= policy.maxBeaconAgeBlocks)) {
    throw new AttestationError(
      'ATTESTATION_BEACON_TOO_OLD',
      `The statement names block ${height}, ${view.height - height} behind: the policy accepts ${policy.maxBeaconAgeBlocks}`
    )
  }
}

/**
 * Whether a beacon is a block of our chain, and recent enough.
 *
 * @throws {AttestationError} those of {@link expectBeaconNear}, and `ATTESTATION_BEACON_MISMATCH`
 */
export function expectBeacon(beacon: Beacon, policy: AttestationPolicy, view: ChainView): void {
  expectBeaconNear(beacon, policy, view)
  if (view.beaconHash !== beacon.hash) {
    throw new AttestationError(
      'ATTESTATION_BEACON_MISMATCH',
      `The statement names a block ${beacon.height} that is not the chain's`
    )
  }
}

/** `ATTESTATION_BEACON_AHEAD`: our chain does not have the block, and is not about to. */
export function beaconAhead(height: number, view: ChainHeight): AttestationError {
  return new AttestationError(
    'ATTESTATION_BEACON_AHEAD',
    `The statement names block ${height}: our chain is at ${view.height}`
  )
}
