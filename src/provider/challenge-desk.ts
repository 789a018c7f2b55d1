import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import { CancelledError } from '../core/errors.ts'
import { type AttestRefusal, MAX_RETRY_AFTER_MS } from '../wire/attest-exchange.ts'
import { QUOTE_LIMIT_MS, QuoteBudgets } from './quote-budgets.ts'

/** Peers that wait at most: with quotes of 100 ms the last of them is served within four seconds. */
const MAX_WAITING = 32

/** A client waits ten seconds. A quote that is expected later than this would be made for nobody. */
const ANSWER_WITHIN_MS = 8_000

const LEAST_RETRY_MS = 1_000

/**
 * Where peers queue for quotes over their own challenges. Hardware makes one after the other, so each peer has one place
 * and a budget of its own, and whoever would have to wait too long is sent away at once.
 */
export class ChallengeDesk {
  readonly #clock: Clock
  readonly #budgets: QuoteBudgets
  /** Who waits, first come first: what begins its quote. */
  readonly #waiting = new Map<string, () => Promise<void>>()
  #underWay: { peerId: string; beganAtMs: number } | undefined
  /** What a quote takes of late, milliseconds; 0 before the first one. */
  #usualMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#budgets = new QuoteBudgets(clock)
  }

  /** Peers that wait for their turn. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Waits for the peer's turn and makes its quote, unless it is refused at once: it used up its budget, has a quote waiting
   * or under way already, or too many others wait.
   *
   * @param make makes the quote. It cannot be called back: hardware would go on, and with the next one beside it
   * @throws what `make` throws
   * @throws {CancelledError} `CANCELLED` as soon as the signal fires. A quote that was not begun is never made then; one
   *   that was goes on, counts, and is thrown away
   */
  async take<T>(peerId: string, make: () => Promise<T>, { signal }: AbortOptions = {}): Promise<T | AttestRefusal> {
    throwIfAborted(signal)
    const refusal = this.#refusal(peerId)
    if (refusal !== undefined) {
      return refusal
    }
    return new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(peerId)
        reject(new CancelledError('Cancelled', { cause: signal?.reason }))
      }
      signal?.addEventListener('abort', leave, { once: true })
      this.#waiting.set(peerId, async () => {
        await make().then(resolve, reject)
        signal?.removeEventListener('abort', leave)
      })
      this.#next()
    })
  }

  #refusal(peerId: string): AttestRefusal | undefined {
    const spentMs = this.#budgets.waitMs(peerId)
    const queueMs = this.#queueMs()
    const served = this.#underWay?.peerId === peerId || this.#waiting.has(peerId)
    const full = this.#waiting.size >= MAX_WAITING || (queueMs > 0 && queueMs + this.#usualMs > ANSWER_WITHIN_MS)
    if (spentMs === 0 && !served && !full) {
      return undefined
    }
    const retryAfterMs = Math.ceil(Math.max(LEAST_RETRY_MS, spentMs, queueMs))
    return { retryAfterMs: Math.min(MAX_RETRY_AFTER_MS, retryAfterMs) }
  }

  /** How long the quotes before the next one may take. One that takes longer than usual may take as long again. */
  #queueMs(): number {
    if (this.#underWay === undefined) {
      return 0
    }
    const runsMs = this.#clock.nowMs() - this.#underWay.beganAtMs
    return Math.max(this.#usualMs, runsMs) + this.#waiting.size * this.#usualMs
  }

  #next(): void {
    const [first] = this.#waiting
    if (this.#underWay === undefined && first !== undefined) {
      const [peerId, begin] = first
      this.#waiting.delete(peerId)
      void this.#run(peerId, begin)
    }
  }

  async #run(peerId: string, begin: () => Promise<void>): Promise<void> {
    const beganAtMs = this.#clock.nowMs()
    this.#underWay = { peerId, beganAtMs }
    await begin()
    const tookMs = Math.min(QUOTE_LIMIT_MS, Math.max(0, this.#clock.nowMs() - beganAtMs))
    this.#usualMs = this.#usualMs === 0 ? tookMs : (this.#usualMs + tookMs) / 2
    this.#budgets.charge(peerId, tookMs)
    this.#underWay = undefined
    this.#next()
  }
}
