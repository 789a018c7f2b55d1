import type { Clock } from '../core/clock.ts'
import { errorCode, PeerError } from '../core/errors.ts'
import { maxNano, type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../core/nano-ton.ts'
import { type TokenUsage, tokenCost } from '../core/price.ts'
import {
  demandedAuthorization,
  type JobBounds,
  nextAuthorization,
  type Pace,
  type PayerChannels,
  type PayerJob,
  paceAfterChunk,
  paceAfterStall,
  paceAfterVoucher,
  type Voucher
} from '../payments/index.ts'

/** How a job is paid. */
export interface JobPaymentsInit {
  bounds: JobBounds
  /**
   * How far ahead to pay at first.
   * @default always `bounds.windowTokens`
   */
  pace?: Pace
}

export interface JobPaymentsComponents {
  payerJob: PayerJob
  /** Tops the channel up when it is exhausted in the middle of an answer; without it that ends the job. */
  payer: Partial<Pick<PayerChannels, 'makeRoom'>>
  clock: Clock
  /** Sends a voucher to the provider. */
  send: (voucher: Voucher) => Promise<void>
  /** A payment beside the answer failed: the job cannot go on. */
  fail: (err: unknown) => void
  /** Fires when the job is given up, by whichever side: nothing more is signed for it then. */
  halt: AbortSignal
}

/** Demands for what was paid already, until tokens come. */
const MAX_REPEATS = 1
/** Demands of any kind until tokens come: an honest provider waits for one payment before each chunk. */
const MAX_DEMANDS = 2

/** What a client pays for one answer: one window ahead of its own count, whatever the provider says. */
export class JobPayments {
  readonly #components: JobPaymentsComponents
  readonly #bounds: JobBounds
  #pace: Pace | undefined
  #vouchers = 0
  #signed: NanoTon = ZERO_NANO_TON
  #paying: Promise<void> = Promise.resolve()
  /** The newest chunk, while a payment beside the answer is under way: it decides what that pays next. */
  #newest: { usage: TokenUsage; last: boolean } | undefined
  #delivered = 0
  #demands = 0
  #repeats = 0
  #madeRoom = false

  constructor(components: JobPaymentsComponents, { bounds, pace }: JobPaymentsInit) {
    this.#components = components
    this.#bounds = bounds
    this.#pace = pace
  }

  /** Vouchers sent for this job. */
  get vouchers(): number {
    return this.#vouchers
  }

  /** The voucher in the job's opening message. */
  opened(voucher: Voucher): void {
    this.#count(voucher)
  }

  /**
   * A chunk came. Pays ahead if little is left, beside the answer: the window is there so that paying never stops it.
   *
   * @param usage checked
   * @param last nothing comes after it: only what it cost is paid
   */
  delivered(usage: TokenUsage, last: boolean): void {
    const tokens = usage.completionTokens - this.#delivered
    this.#delivered = usage.completionTokens
    if (tokens > 0) {
      this.#demands = 0
      this.#repeats = 0
      this.#pace = this.#pace && paceAfterChunk(this.#pace, tokens, this.#components.clock.nowMs())
    }
    if (this.#newest !== undefined) {
      this.#newest = { usage, last }
    } else if (this.#due(usage, last) !== undefined) {
      this.#newest = { usage, last }
      this.#paying = this.#paying.then(() => this.#payAhead())
      this.#paying.catch(err => this.#components.fail(err))
    }
  }

  /**
   * The provider waits for a payment. Our own figures decide; what it names as the amount is not even considered.
   *
   * @param usage the count it asks for, checked
   * @param cumulative the amount it names, for the error only
   * @throws {PeerError} `PAYMENT_DISPUTED` if it asks again for what was paid, or again without having delivered anything
   */
  async demanded(usage: TokenUsage, cumulative: NanoTon): Promise<void> {
    await this.#paying
    const { payerJob, clock } = this.#components
    const cost = tokenCost(this.#bounds.prices, usage)
    // The voucher may be on its way, or a job beside this one has used what was prepaid until it pays itself.
    const isPaid = cost <= payerJob.paid
    this.#demands++
    this.#repeats += isPaid ? 1 : 0
    if (this.#repeats > MAX_REPEATS || this.#demands > MAX_DEMANDS) {
      throw this.#disputed(cost, cumulative)
    }
    if (this.#delivered > 0) {
      // Even if the voucher is on its way by now: it was late.
      this.#pace = this.#pace && paceAfterStall(this.#pace, clock.nowMs())
    }
    await this.#pay(isPaid ? payerJob.paid : demandedAuthorization(this.#paced(), this.#delivered, usage))
  }

  /** Resolves once no voucher is being made or sent. */
  settled(): Promise<void> {
    return this.#paying
  }

  /** One voucher at a time, each for all that came while the one before it was made: chunks may be faster than a disk. */
  async #payAhead(): Promise<void> {
    try {
      for (let amount = this.#newestDue(); amount !== undefined; amount = this.#newestDue()) {
        await this.#pay(amount)
      }
    } finally {
      this.#newest = undefined
    }
  }

  #newestDue(): NanoTon | undefined {
    if (this.#newest === undefined || this.#components.halt.aborted) {
      return undefined
    }
    return this.#due(this.#newest.usage, this.#newest.last)
  }

  #due(usage: TokenUsage, last: boolean): NanoTon | undefined {
    const { paid } = this.#components.payerJob
    if (!last) {
      return nextAuthorization(this.#paced(), usage, paid)
    }
    // Tokens that another job's share paid for: that job waits for them.
    const cost = tokenCost(this.#bounds.prices, usage)
    return cost > paid ? cost : undefined
  }

  async #pay(amount: NanoTon): Promise<void> {
    const { clock, send } = this.#components
    const startedAtMs = clock.nowMs()
    const voucher = await this.#authorize(amount)
    if (voucher.cumulative <= this.#signed) {
      // It went over this very stream before: the provider has it, or will have it first.
      return
    }
    this.#count(voucher)
    await send(voucher)
    this.#pace = this.#pace && paceAfterVoucher(this.#pace, clock.nowMs() - startedAtMs)
  }

  async #authorize(amount: NanoTon): Promise<Voucher> {
    const { payerJob, payer, halt } = this.#components
    try {
      return await payerJob.payUpTo(amount)
    } catch (err) {
      if (errorCode(err) !== 'CHANNEL_EXHAUSTED' || payer.makeRoom === undefined || this.#madeRoom) {
        throw err
      }
      // One top-up a job: enough for all that it may still cost.
      this.#madeRoom = true
      const room = subNanoFloor(payerJob.maxCost, payerJob.paid)
      await payer.makeRoom(payerJob.channel, room, { signal: halt }).catch((cause: unknown) => {
        // Given up while the chain took its time: the deposit is why, and it stays in the books.
        throw halt.aborted ? err : cause
      })
      return payerJob.payUpTo(amount)
    }
  }

  #count({ cumulative }: Voucher): void {
    this.#vouchers++
    this.#signed = maxNano(this.#signed, cumulative)
  }

  #paced(): JobBounds {
    const pace = this.#pace
    return pace === undefined
      ? this.#bounds
      : { ...this.#bounds, windowTokens: pace.windowTokens, lowTokens: pace.lowTokens }
  }

  #disputed(cost: NanoTon, demanded: NanoTon): PeerError {
    const { paid } = this.#components.payerJob
    const shortfall = subNanoFloor(demanded, this.#signed)
    return new PeerError(
      'PAYMENT_DISPUTED',
      `The provider waits for ${demanded} nanotons on the channel, ${shortfall} more than was signed, and delivers nothing: by its own count the job costs ${cost} so far and ${paid} were paid`,
      { details: { cost, paid, demanded, signed: this.#signed, shortfall } }
    )
  }
}
