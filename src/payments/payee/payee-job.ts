import { type AbortOptions, throwIfAborted } from '../../core/abort.ts'
import { CancelledError, MoneyError } from '../../core/errors.ts'
import { addNano, maxNano, type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { TokenUsage } from '../../core/price.ts'

const NO_TOKENS: TokenUsage = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }

/** What a job needs of `PayeeChannels`. */
export interface PayeeJobPort {
  /** Accepted and not charged to any job. */
  available: () => NanoTon
  /** Highest amount accepted. */
  accepted: () => NanoTon
  /** @throws {PaymentRefusal} `CHANNEL_CLOSING`, `CHANNEL_CLOSED` */
  requireServing: () => void
  /** Calls back once after money came, was freed, or the channel ended. Returns a way to stop listening. */
  onChange: (listener: () => void) => () => void
  /** Books the end durably; `freed` runs in the same turn. */
  end: (cost: NanoTon, usage: TokenUsage, freed: () => void) => Promise<void>
}

/**
 * One job served on a channel that others may share. What is charged here can never pay for another job: charge first,
 * release the chunk after. Amounts are the job's own, from zero.
 */
export class PayeeJob {
  readonly channel: string
  /** Hex. */
  readonly jobId: string
  readonly #port: PayeeJobPort
  #charged: NanoTon = ZERO_NANO_TON
  #reserved: NanoTon = ZERO_NANO_TON
  #ended = false

  constructor(port: PayeeJobPort, channel: string, jobId: string) {
    this.#port = port
    this.channel = channel
    this.jobId = jobId
  }

  /** What this job was charged so far. */
  get charged(): NanoTon {
    return this.#ended ? ZERO_NANO_TON : this.#charged
  }

  /** What is held for this job's first chunk, whether or not it was charged yet. */
  get reserved(): NanoTon {
    return this.#ended ? ZERO_NANO_TON : this.#reserved
  }

  /** The most this job could be charged in all right now. */
  paidFor(): NanoTon {
    return addNano(maxNano(this.#charged, this.reserved), this.#port.available())
  }

  /**
   * Holds money for the first chunk, so that no other job can be started with it.
   *
   * @returns false if not enough was paid; nothing is held then
   */
  reserve(cost: NanoTon): boolean {
    if (cost > this.paidFor()) {
      return false
    }
    this.#reserved = cost
    return true
  }

  /** The channel's cumulative amount that a voucher must reach before this job can be charged `cost` in all. */
  required(cost: NanoTon): NanoTon {
    const missing = subNanoFloor(cost, this.paidFor())
    return addNano(this.#port.accepted(), missing)
  }

  /**
   * Reserves money for everything up to and including the chunk that is about to be released. Synchronous: nothing can
   * come between the check and the reservation.
   *
   * @returns false if not enough was paid; nothing is reserved then
   * @throws {PaymentRefusal} `CHANNEL_CLOSING`, `CHANNEL_CLOSED`
   * @throws {MoneyError} `JOB_ENDED`
   */
  charge(cost: NanoTon): boolean {
    if (this.#ended) {
      throw new MoneyError('JOB_ENDED', `Job ${this.jobId} is over: nothing more can be charged to it`)
    }
    this.#port.requireServing()
    if (cost > this.paidFor()) {
      return false
    }
    this.#charged = maxNano(this.#charged, cost)
    return true
  }

  /**
   * Waits until `charge(cost)` succeeds.
   *
   * @throws {PaymentRefusal} `CHANNEL_CLOSING`, `CHANNEL_CLOSED` if the channel ends meanwhile
   * @throws {CancelledError} `CANCELLED`
   */
  chargeWhenPaid(cost: NanoTon, options: AbortOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = this.#port.onChange(() => attempt())
      const onAbort = (): void =>
        finish(() => reject(new CancelledError('Cancelled', { cause: options.signal?.reason })))
      const finish = (settle: () => void): void => {
        stop()
        options.signal?.removeEventListener('abort', onAbort)
        settle()
      }
      const attempt = (): void => {
        try {
          throwIfAborted(options.signal)
          if (this.charge(cost)) {
            finish(resolve)
          }
        } catch (err) {
          finish(() => reject(err instanceof Error ? err : new Error(String(err))))
        }
      }
      options.signal?.addEventListener('abort', onAbort)
      attempt()
    })
  }

  /**
   * Books the job's final cost: what was charged for chunks that were released. Anything paid beyond it stays credit of
   * the channel. Durable when it resolves, so say `done` to the client after it. A second call changes nothing.
   *
   * @param usage tokens for the books
   * @throws {MoneyError} `JOB_OVERCHARGED` if `cost` was never charged
   */
  async end(cost: NanoTon, usage: TokenUsage = NO_TOKENS): Promise<void> {
    if (this.#ended) {
      return
    }
    if (cost > this.#charged) {
      throw new MoneyError(
        'JOB_OVERCHARGED',
        `Job ${this.jobId} cannot end at ${cost} nanotons: ${this.#charged} were charged`
      )
    }
    await this.#port.end(cost, usage, () => {
      this.#ended = true
    })
  }
}
