import type { Clock } from '../core/clock.ts'
import { MAX_RETRY_AFTER_MS } from '../wire/attest-exchange.ts'

// In milliseconds of making quotes. Each one-off command of a client asks once, a client that runs on once in half an
// hour: 32 quick quotes at once, then one in five seconds. Where GPUs make a quote of three seconds: six, then one in
// half a minute.
const FULL_MS = 16_000
/** A peer gets back a tenth of the time that passes. */
const REGAIN_FACTOR = 10
/** What a quote counts for at least: it also keeps the processor's quoting enclave and the network busy. */
const LEAST_MS = 500
/** A quote is given up then, and never counts for more, even when the clock was set meanwhile. */
export const QUOTE_LIMIT_MS = 60_000

/** Peers remembered at most; the one whose last quote is oldest is forgotten. */
const MAX_PEERS = 10_000

const OPEN_UNTIL_OWED_MS = (FULL_MS - LEAST_MS) * REGAIN_FACTOR

/**
 * How much of the time that quotes take each peer has used up: a token bucket of milliseconds. Only quotes that were made
 * are remembered, so strangers can push each other out no faster than quotes are made, and who is forgotten has what a
 * stranger has.
 */
export class QuoteBudgets {
  readonly #clock: Clock
  /** When each peer will have its whole budget again, Unix milliseconds; last is whose quote was made last. */
  readonly #fullAtMs = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Peers that are remembered. */
  get size(): number {
    return this.#fullAtMs.size
  }

  /** Milliseconds until this peer may have a quote, at most {@link MAX_RETRY_AFTER_MS}; 0 if it may now. */
  waitMs(peerId: string): number {
    return Math.max(0, this.#owedMs(peerId) - OPEN_UNTIL_OWED_MS)
  }

  /** Counts a quote that took `durationMs`. */
  charge(peerId: string, durationMs: number): void {
    const counted = Math.min(QUOTE_LIMIT_MS, Math.max(LEAST_MS, Math.ceil(durationMs)))
    const fullAtMs = this.#clock.nowMs() + this.#owedMs(peerId) + counted * REGAIN_FACTOR
    this.#fullAtMs.delete(peerId)
    this.#fullAtMs.set(peerId, fullAtMs)
    const [oldest] = this.#fullAtMs.keys()
    if (this.#fullAtMs.size > MAX_PEERS && oldest !== undefined) {
      this.#fullAtMs.delete(oldest)
    }
  }

  // A clock that was set back would make it any time.
  #owedMs(peerId: string): number {
    const leftMs = (this.#fullAtMs.get(peerId) ?? 0) - this.#clock.nowMs()
    return Math.min(OPEN_UNTIL_OWED_MS + MAX_RETRY_AFTER_MS, Math.max(0, leftMs))
  }
}
