import type { Clock } from '../core/clock.ts'

export interface TokenBucketInit {
  /** Messages that may come at once. */
  burst: number
  perSecond: number
  /**
   * Senders remembered; the one refilled longest is forgotten first.
   * @default 4096
   */
  maxKeys?: number
}

/** Rate limits by key: each has its own bucket of tokens that refill with time. */
export class TokenBuckets {
  readonly #clock: Clock
  readonly #init: TokenBucketInit
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>()

  constructor(clock: Clock, init: TokenBucketInit) {
    this.#clock = clock
    this.#init = init
  }

  /** Takes a token of `key`; false when none is left. */
  take(key: string): boolean {
    const { burst, perSecond, maxKeys = 4096 } = this.#init
    const nowMs = this.#clock.nowMs()
    const before = this.#buckets.get(key) ?? { tokens: burst, atMs: nowMs }
    const refill = (Math.max(0, nowMs - before.atMs) / 1000) * perSecond
    const tokens = Math.min(burst, before.tokens + refill)
    this.#buckets.delete(key)
    if (this.#buckets.size >= maxKeys) {
      this.#buckets.delete(this.#buckets.keys().next().value ?? key)
    }
    this.#buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs })
    return tokens >= 1
  }
}
