import type { Clock } from '../core/clock.ts'

/** Time in which half of a penalty is forgiven. */
const HALF_LIFE_MS = 5 * 60_000
const MAX_PEERS = 4096

/**
 * Penalties for bad gossip, fed into GossipSub's peer score as its application part: with the points of
 * `gossip-options.ts`, four refused messages within minutes and a peer is no longer listened to, for as many minutes.
 */
export class PeerStanding {
  readonly #clock: Clock
  readonly #penalties = new Map<string, { points: number; atMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Zero or less, in GossipSub's units. */
  score(peerId: string): number {
    const known = this.#penalties.get(peerId)
    if (known === undefined) {
      return 0
    }
    return -known.points * 0.5 ** (Math.max(0, this.#clock.nowMs() - known.atMs) / HALF_LIFE_MS)
  }

  penalize(peerId: string, points: number): void {
    const total = points - this.score(peerId)
    this.#penalties.delete(peerId)
    if (this.#penalties.size >= MAX_PEERS) {
      this.#penalties.delete(this.#penalties.keys().next().value ?? peerId)
    }
    this.#penalties.set(peerId, { points: total, atMs: this.#clock.nowMs() })
  }
}
