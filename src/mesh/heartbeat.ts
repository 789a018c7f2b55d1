import { CocoonError, PeerError, UsageError } from '../core/errors.ts'
import { nanoTon } from '../core/nano-ton.ts'
import type { TokenPrices } from '../core/price.ts'
import { decodeWire, requireField } from '../wire/check.ts'
import { Heartbeat as Wire } from '../wire/generated/capacity.ts'
import { LIMITS } from '../wire/limits.ts'
import { CLOCK_TOLERANCE_MS } from './capacity-codec.ts'
import { type PeerIdentity, type PeerKeys, peerIdFromBytes } from './peer-identity.ts'
import { openRecord, sealRecord, verifyRecord } from './signed-record.ts'

const NAME = 'Heartbeat'
const DOMAIN = 'cocoon/hb/v1'
const UINT64_MAX = (1n << 64n) - 1n

/** What moves faster than a DHT record. */
export interface HeartbeatUpdate {
  slotsFree: number
  prices: TokenPrices
}

export interface Heartbeat extends HeartbeatUpdate {
  peerId: string
  sentAtMs: number
}

/** @throws {UsageError} `HEARTBEAT_INVALID` for amounts past 64 bits or a slot count that is no small integer */
export function encodeHeartbeat(identity: PeerIdentity, update: HeartbeatUpdate, nowMs: number): Uint8Array {
  const { prices, slotsFree } = update
  if (
    !Number.isInteger(slotsFree) ||
    slotsFree < 0 ||
    slotsFree > 65_535 ||
    Object.values(prices).some(p => p > UINT64_MAX)
  ) {
    throw new UsageError(
      'HEARTBEAT_INVALID',
      `A heartbeat needs 0 to 65535 free slots and prices within 64 bits, got ${slotsFree} slots`
    )
  }
  const payload = Wire.encode({ peerId: identity.idBytes, slotsFree, ...prices, sentAtMs: BigInt(nowMs) })
  return sealRecord(identity, DOMAIN, payload)
}

/**
 * @param from - the peer whose gossip message carried it: nobody speaks for others
 * @throws {PeerError} `MESSAGE_TOO_LARGE`, `MESSAGE_MALFORMED`, `PEER_ID_INVALID`, `RECORD_SIGNATURE_INVALID`, or
 *   `HEARTBEAT_STALE` if it was sent more than the clock tolerance ago or ahead
 */
export function decodeHeartbeat(keys: PeerKeys, bytes: Uint8Array, nowMs: number, from: string): Heartbeat {
  const record = openRecord(NAME, bytes, LIMITS.heartbeatBytes)
  const wire = decodeWire(NAME, record.payload, LIMITS.heartbeatBytes, b => Wire.decode(b))
  const peerId = peerIdFromBytes(wire.peerId).toString()
  requireField(NAME, 'peerId', peerId === from, 'that of its sender')
  verifyRecord(keys, NAME, DOMAIN, peerId, record)
  requireField(NAME, 'slotsFree', wire.slotsFree <= 65_535, 'at most 65535')
  if (Math.abs(Number(wire.sentAtMs) - nowMs) > CLOCK_TOLERANCE_MS) {
    throw new PeerError('HEARTBEAT_STALE', `${NAME} of ${peerId} was sent at ${wire.sentAtMs}, too far from now`)
  }
  return {
    peerId,
    slotsFree: wire.slotsFree,
    prices: {
      promptPerMTokens: nanoTon(wire.promptPerMTokens),
      cachedPromptPerMTokens: nanoTon(wire.cachedPromptPerMTokens),
      completionPerMTokens: nanoTon(wire.completionPerMTokens)
    },
    sentAtMs: Number(wire.sentAtMs)
  }
}

/** True if the code of `err` is one an honest peer with a bad clock can cause: not worth a penalty. */
export function isHonestFault(err: unknown): boolean {
  return err instanceof CocoonError && (err.code === 'HEARTBEAT_STALE' || err.code === 'CAPACITY_EXPIRED')
}
