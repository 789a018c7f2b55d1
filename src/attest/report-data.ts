import { fromHex, sha256 } from '../core/bytes.ts'
import type { Beacon } from './statement.ts'

/** Bytes of a report data field, in TDX and SEV-SNP alike. */
export const REPORT_DATA_BYTES = 64
/** Bytes of a client's challenge. */
export const CHALLENGE_BYTES = 32

const STATEMENT_DOMAIN = 'cocoon/rd/v1'
const BEACON_DOMAIN = 'beacon'

/**
 * The 64 bytes that evidence binds:
 *
 * - `[0:32] = SHA-256("cocoon/rd/v1" ‖ statement bytes)`
 * - `[32:64] = SHA-256("beacon" ‖ globalId:int32 ‖ height:uint32 ‖ block hash:32 bytes)`, integers big-endian and text
 *   in ASCII; or, when a client asked with one, its 32-byte challenge as it is.
 *
 * @param freshness the statement's own beacon, or a challenge of 32 bytes
 */
export function reportData(statement: Uint8Array, freshness: Beacon | Uint8Array): Uint8Array {
  const tail = freshness instanceof Uint8Array ? expectChallenge(freshness) : beaconDigest(freshness)
  const data = new Uint8Array(REPORT_DATA_BYTES)
  data.set(sha256(STATEMENT_DOMAIN, statement))
  data.set(tail, 32)
  return data
}

function beaconDigest(beacon: Beacon): Uint8Array {
  const numbers = new Uint8Array(8)
  const view = new DataView(numbers.buffer)
  view.setInt32(0, beacon.globalId)
  view.setUint32(4, beacon.height)
  return sha256(BEACON_DOMAIN, numbers, fromHex(beacon.hash, 32))
}

function expectChallenge(challenge: Uint8Array): Uint8Array {
  if (challenge.byteLength !== CHALLENGE_BYTES) {
    throw new RangeError(`Challenge has ${challenge.byteLength} bytes: expected ${CHALLENGE_BYTES}`)
  }
  return challenge
}
