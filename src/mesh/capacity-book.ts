import type { Clock } from '../core/clock.ts'
import { PeerError } from '../core/errors.ts'
import { type Capacity, type CapacityQuery, matchesQuery } from './capacity.ts'
import { CLOCK_TOLERANCE_MS, decodeCapacity } from './capacity-codec.ts'
import { peerOfCapacityKey } from './capacity-keys.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { PeerKeys } from './peer-identity.ts'

/** A heartbeat says how things are for this long. */
const HEARTBEAT_FRESH_MS = 60_000
const MAX_PEERS = 2048

interface Entry {
  capacity: Capacity
  /** When the network last confirmed it. */
  seenAtMs: number
}

/**
 * What this node knows of providers: the newest verified record of each and its latest heartbeat. Also the DHT's
 * judge: a record that is forged, misplaced, expired or older than a known one is neither stored nor believed.
 */
export class CapacityBook {
  readonly #clock: Clock
  readonly #keys: PeerKeys
  readonly #entries = new Map<string, Entry>()
  readonly #heartbeats = new Map<string, Heartbeat>()

  constructor(clock: Clock, keys: PeerKeys) {
    this.#clock = clock
    this.#keys = keys
  }

  /**
   * Verifies a record and keeps it if it is the newest of its peer.
   *
   * @throws {PeerError} as `decodeCapacity`, and `CAPACITY_STALE` for a lower sequence number than a known one
   */
  learn(bytes: Uint8Array, peerId?: string): Capacity {
    return this.#keep(bytes, peerId, this.#clock.nowMs())
  }

  /** kad-dht's validator: throws what `learn` throws, and `CAPACITY_PEER_MISMATCH` for a key of another shape. */
  validate(key: Uint8Array, value: Uint8Array): void {
    // It may be our own stored copy that is judged: no news from the network.
    this.#keep(value, requirePeer(key), 0)
  }

  /** kad-dht's selector: index of the highest sequence number; records that do not verify lose against any that do. */
  select(key: Uint8Array, values: Uint8Array[]): number {
    const peerId = requirePeer(key)
    const sequences = values.map(value => {
      try {
        return decodeCapacity(this.#keys, value, this.#clock.nowMs(), peerId).sequence
      } catch {
        return -1n
      }
    })
    return sequences.reduce((best, sequence, i) => (sequence > (sequences[best] ?? -1n) ? i : best), 0)
  }

  /** False for one that is older than the last: nothing was learnt. */
  hear(heartbeat: Heartbeat): boolean {
    const last = this.#heartbeats.get(heartbeat.peerId)
    if (last !== undefined && last.sentAtMs >= heartbeat.sentAtMs) {
      return false
    }
    put(this.#heartbeats, heartbeat.peerId, heartbeat)
    return true
  }

  /** The newest record that is still valid, with the slots and prices of a fresh heartbeat. */
  current(peerId: string): Capacity | undefined {
    const nowMs = this.#clock.nowMs()
    const capacity = this.#entries.get(peerId)?.capacity
    if (capacity === undefined || nowMs > capacity.expiresAtMs + CLOCK_TOLERANCE_MS) {
      return undefined
    }
    const heartbeat = this.#heartbeats.get(peerId)
    if (heartbeat === undefined || nowMs - heartbeat.sentAtMs > HEARTBEAT_FRESH_MS) {
      return capacity
    }
    return { ...capacity, prices: heartbeat.prices, slotsFree: Math.min(heartbeat.slotsFree, capacity.slotsTotal) }
  }

  /** True if the network confirmed the record less than `withinMs` ago. */
  isRecent(peerId: string, withinMs: number): boolean {
    const entry = this.#entries.get(peerId)
    return entry !== undefined && this.#clock.nowMs() - entry.seenAtMs < withinMs
  }

  /** Peers with a matching record that is still valid. */
  peers(query: CapacityQuery): string[] {
    return [...this.#entries.keys()].filter(id => {
      const capacity = this.current(id)
      return capacity !== undefined && matchesQuery(capacity, query)
    })
  }

  #keep(bytes: Uint8Array, peerId: string | undefined, seenAtMs: number): Capacity {
    const capacity = decodeCapacity(this.#keys, bytes, this.#clock.nowMs(), peerId)
    const known = this.#entries.get(capacity.peerId)
    if (known !== undefined && known.capacity.sequence > capacity.sequence) {
      throw new PeerError(
        'CAPACITY_STALE',
        `Capacity record ${capacity.sequence} of ${capacity.peerId} is older than ${known.capacity.sequence}`,
        {
          details: { peer: capacity.peerId }
        }
      )
    }
    put(this.#entries, capacity.peerId, { capacity, seenAtMs: Math.max(seenAtMs, known?.seenAtMs ?? 0) })
    return capacity
  }
}

function requirePeer(key: Uint8Array): string {
  const peerId = peerOfCapacityKey(key)
  if (peerId === undefined) {
    throw new PeerError('CAPACITY_PEER_MISMATCH', 'A capacity record stands under a key that names no peer')
  }
  return peerId
}

/** Newest last; the oldest goes when the map is full. */
function put<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key)
  if (map.size >= MAX_PEERS) {
    map.delete(map.keys().next().value ?? key)
  }
  map.set(key, value)
}
