import { type AbortOptions, abortable } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import { Turns } from '../core/turns.ts'
import type { Sleep } from './wait.ts'

/** What a server that set no limit is asked at most once it complained. */
const FIRST_GUESS_PER_SECOND = 10
const SLOWEST_PER_SECOND = 0.5
/** Without complaints for so long, the configured rate is tried again. */
const RECOVERY_MS = 30_000
/** toncenter counts by the second. */
const PAUSE_MS = 1_100
const MAX_PAUSE_MS = 5_000

/**
 * A token bucket: so many requests a second, in the order they came. It halves its rate when the server complains, since
 * others may use the same key or address, and recovers later.
 */
export class RateLimit {
  readonly #clock: Clock
  readonly #sleep: Sleep
  readonly #configured: number
  readonly #turns = new Turns()
  #perSecond: number
  #tokens: number
  #filledAtMs: number
  #pausedAtMs = 0
  #pauseMs = 0

  /** @param perSecond above 0; `Infinity` for none */
  constructor({ clock, sleep }: { clock: Clock; sleep: Sleep }, perSecond: number) {
    this.#clock = clock
    this.#sleep = sleep
    this.#configured = perSecond
    this.#perSecond = perSecond
    this.#tokens = this.#burst
    this.#filledAtMs = clock.nowMs()
  }

  /** Milliseconds until the server wants to be asked again; 0 if it did not complain. */
  get pausedMs(): number {
    return remainingMs(this.#clock, this.#pausedAtMs, this.#pauseMs)
  }

  /**
   * Waits for the next token and takes it.
   *
   * @throws {CancelledError} `CANCELLED`; the token is then the next one's
   */
  async take(options: AbortOptions = {}): Promise<void> {
    await abortable(
      this.#turns.take('token', () => this.#next(options)),
      options
    )
  }

  /** The server said that it was too much. */
  slowDown(retryAfterMs = PAUSE_MS): void {
    if (this.pausedMs > 0) {
      // Of the same burst: one complaint.
      return
    }
    this.#fill()
    this.#perSecond = Math.max(Math.min(this.#perSecond, FIRST_GUESS_PER_SECOND * 2) / 2, SLOWEST_PER_SECOND)
    this.#tokens = 0
    this.#pausedAtMs = this.#clock.nowMs()
    this.#pauseMs = Math.min(retryAfterMs, MAX_PAUSE_MS)
  }

  async #next(options: AbortOptions): Promise<void> {
    if (options.signal?.aborted === true) {
      return
    }
    for (let waitMs = this.#waitMs(); waitMs > 0; waitMs = this.#waitMs()) {
      await this.#sleep(waitMs, options)
    }
    this.#tokens -= 1
  }

  #waitMs(): number {
    this.#fill()
    const missing = this.#tokens >= 1 ? 0 : ((1 - this.#tokens) * 1000) / this.#perSecond
    return Math.max(missing === 0 ? 0 : Math.max(missing, 1), this.pausedMs)
  }

  #fill(): void {
    const nowMs = this.#clock.nowMs()
    if (nowMs - this.#pausedAtMs > RECOVERY_MS) {
      this.#perSecond = this.#configured
    }
    // A clock that was set back earns nothing.
    const passedMs = Math.max(nowMs - this.#filledAtMs, 0)
    this.#filledAtMs = nowMs
    this.#tokens = Math.min(
      this.#perSecond === Infinity ? Infinity : this.#tokens + (passedMs * this.#perSecond) / 1000,
      this.#burst
    )
  }

  get #burst(): number {
    return Math.max(this.#perSecond, 1)
  }
}

/** What is left of a time that began at `sinceMs`; nothing if the clock was set back. */
export function remainingMs(clock: Clock, sinceMs: number, lengthMs: number): number {
  const left = sinceMs + lengthMs - clock.nowMs()
  return left > 0 && left <= lengthMs ? left : 0
}
