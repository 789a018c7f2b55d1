import {
  type AttestationPolicy,
  beaconAhead,
  type ChainView,
  decodeStatement,
  expectBeaconNear
} from '../attest/index.ts'
import type { AbortOptions } from '../core/abort.ts'
import { toHex } from '../core/bytes.ts'
import { errorCode } from '../core/errors.ts'
import { poll, type Sleep } from '../ton/index.ts'

/** The chain that a client judges beacons by. */
export interface BeaconChain {
  globalId: number
  tip(options?: AbortOptions): Promise<{ height: number }>
  /** Root hash of a masterchain block, 32 bytes; `CHAIN_BLOCK_UNKNOWN` if the chain does not show it. */
  blockHash(height: number, options?: AbortOptions): Promise<Uint8Array>
}

export interface BeaconQuestion {
  /** Canonical statement bytes, as a peer sent them. */
  statement: Uint8Array
  policy: AttestationPolicy
  /** Our chain's newest block. */
  tipHeight: number
  /** How long a block that our chain is about to have is waited for, in milliseconds. */
  patienceMs: number
}

/** The servers of one chain are this many blocks apart: the one that answers may not have the newest block of another. */
const SKEW_BLOCKS = 20

/**
 * Looks up the block that a statement names. Nothing is asked for a block that the policy refuses by its number alone.
 *
 * @throws {AttestationError} `ATTESTATION_STATEMENT_…` for what is no statement, `ATTESTATION_NETWORK_MISMATCH`,
 *   `ATTESTATION_BEACON_AHEAD`, `ATTESTATION_BEACON_TOO_OLD`
 * @throws {ChainBlockUnknownError} `CHAIN_BLOCK_UNKNOWN`, and the chain's other errors where it cannot tell
 */
export async function beaconView(
  { chain, sleep }: { chain: BeaconChain; sleep: Sleep },
  { statement, policy, tipHeight, patienceMs }: BeaconQuestion,
  options: AbortOptions = {}
): Promise<ChainView> {
  const { beacon } = decodeStatement(statement)
  const view = { globalId: chain.globalId, height: tipHeight }
  expectBeaconNear(beacon, policy, view)
  let unknown: unknown
  const lookUp = async (): Promise<Uint8Array | undefined> => {
    try {
      return await chain.blockHash(beacon.height, options)
    } catch (err) {
      if (errorCode(err) !== 'CHAIN_BLOCK_UNKNOWN' || beacon.height <= tipHeight - SKEW_BLOCKS) {
        throw err
      }
      unknown = err
      return undefined
    }
  }
  const hash = await poll(lookUp, { limitMs: patienceMs }, sleep, options)
  if (hash === undefined) {
    throw beacon.height > tipHeight ? beaconAhead(beacon.height, view) : unknown
  }
  return { ...view, beaconHash: toHex(hash) }
}
