import type { Clock } from '../../core/clock.ts'
import { errorCode } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { ChannelView } from '../chain.ts'
import { PaymentRefusal } from '../refusal.ts'

/** A chain whose newest block is older than this is lagging, milliseconds. */
const MAX_LAG_MS = 60_000

/**
 * How well the payee sees the chain, over all channels: whether it answers, and how far its newest block is behind our
 * clock. Each trouble is told once, and once more when it is over.
 */
export class ChainSight {
  readonly #clock: Clock
  readonly #logger: Logger
  #newestMs = 0
  #lagging = false
  #blind = false

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  /** The chain answers, but with old blocks: its word on any channel may be out of date. */
  get lagging(): boolean {
    return this.#lagging
  }

  /** No later than this can a block be that is made now, Unix milliseconds: our clock, or the chain's if that is ahead. */
  chainNowMs(): number {
    return Math.max(this.#clock.nowMs(), this.#newestMs)
  }

  /**
   * Notes an answer of the chain.
   *
   * @returns the view; one from the future says no more than that it is new, or later ones would count as old
   */
  seen(view: ChannelView): ChannelView {
    const nowMs = this.#clock.nowMs()
    const asOfMs = Math.min(view.asOfMs, nowMs + MAX_LAG_MS)
    this.#newestMs = Math.max(this.#newestMs, asOfMs)
    const behindMs = nowMs - this.#newestMs
    const lagging = behindMs > MAX_LAG_MS
    if (lagging && !this.#lagging) {
      this.#logger.warn('the chain lags: nothing is served until it catches up, check the endpoint and the clock', {
        behindSeconds: Math.round(behindMs / 1000)
      })
    } else if (!lagging && (this.#lagging || this.#blind)) {
      this.#logger.info('the chain is seen again')
    }
    this.#lagging = lagging
    this.#blind = false
    return { ...view, asOfMs }
  }

  /** Whether a view shows the channel about as it is now. */
  isPresent({ asOfMs }: ChannelView): boolean {
    return this.#clock.nowMs() - asOfMs <= MAX_LAG_MS
  }

  /** Notes that the chain did not answer. */
  failed(err: unknown): void {
    if (!this.#blind) {
      this.#blind = true
      this.#logger.warn('the chain does not answer: known channels are served for a while, new ones are not', {
        code: errorCode(err)
      })
    }
  }

  /** @throws {PaymentRefusal} `CHAIN_LAGGING` */
  requireCurrent(): void {
    if (this.#lagging) {
      throw chainLagging()
    }
  }
}

export function chainLagging(): PaymentRefusal {
  return new PaymentRefusal(
    'CHAIN_LAGGING',
    'The chain that this provider sees is more than a minute old: nothing is accepted or served until it catches up'
  )
}

export function chainBlind(cause?: unknown): PaymentRefusal {
  return new PaymentRefusal(
    'CHAIN_BLIND',
    'This provider cannot see the chain: new channels, and more than a little on known ones, wait until it can',
    cause === undefined ? {} : { cause }
  )
}
