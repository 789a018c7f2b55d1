import type { AbortOptions } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'
import { errorCode, MoneyError } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import { exhaustedText } from '../refusal.ts'
import { channelRoom, type PayerChannel } from './payer-channel.ts'
import { type DepositPolicy, depositFor, lowWater, refillAmount } from './payer-deposit.ts'
import type { PayerDesk } from './payer-desk.ts'
import type { PayerFunding } from './payer-funding.ts'

/** After a top-up in the background failed, the next one waits so long, milliseconds. */
const PAUSE_MS = 60_000

/** Tops channels up before they are exhausted, while jobs go on within what the chain confirmed. */
export class PayerRefills {
  readonly #desk: PayerDesk
  readonly #funding: PayerFunding
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #policies = new Map<string, DepositPolicy>()
  readonly #running = new Map<string, Promise<void>>()
  readonly #pausedUntilMs = new Map<string, number>()
  readonly #stop = new AbortController()

  constructor(desk: PayerDesk, funding: PayerFunding, { clock, logger }: { clock: Clock; logger: Logger }) {
    this.#desk = desk
    this.#funding = funding
    this.#clock = clock
    this.#logger = logger
  }

  /** Remembers how a channel is to be kept filled, until this process ends. */
  keep(channel: string, policy: DepositPolicy): void {
    this.#policies.set(channel, policy)
  }

  /** Starts a top-up if the channel runs low and none is under way. */
  check(channel: string): void {
    const c = this.#desk.book.get(channel)
    const policy = this.#policies.get(channel)
    const due =
      c !== undefined &&
      policy !== undefined &&
      // The cheap question first: this is asked at every voucher.
      channelRoom(c) < lowWater(policy) &&
      !this.#running.has(channel) &&
      !this.#stop.signal.aborted &&
      this.#clock.nowMs() >= (this.#pausedUntilMs.get(channel) ?? 0) &&
      // What became of an earlier deposit is found out first.
      (this.#funding.isOverdue(c) || this.#amount(c, policy) > 0n)
    if (due) {
      const run = this.#refill(channel, policy).finally(() => this.#running.delete(channel))
      this.#running.set(channel, run)
    }
  }

  /**
   * Waits until the channel has `room` left, topping it up once if need be.
   *
   * @throws {MoneyError} `CHANNEL_EXHAUSTED` if this process was not told how to fill it; `DEPOSIT_OVER_LIMIT`,
   *   `DEPOSIT_DAY_LIMIT`, and what a top-up throws
   */
  makeRoom(channel: string, room: NanoTon, options: AbortOptions): Promise<PayerChannel> {
    const policy = this.#policies.get(channel)
    if (policy === undefined) {
      const { deposit, signed } = this.#desk.must(channel)
      throw new MoneyError('CHANNEL_EXHAUSTED', exhaustedText(channel, signed + room, deposit))
    }
    const amount = (c: PayerChannel): NanoTon => {
      const missing = subNanoFloor(room, channelRoom(c))
      return missing === 0n ? ZERO_NANO_TON : depositFor(missing, policy, this.#funding.depositRoom(c.terms))
    }
    return this.#funding.refill(channel, amount, options)
  }

  /** Waits for no more confirmations: a deposit that is under way stays in the books, and the next start finds it. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running.values())
  }

  async #refill(channel: string, policy: DepositPolicy): Promise<void> {
    try {
      await this.#funding.refill(channel, c => this.#amount(c, policy), { signal: this.#stop.signal })
    } catch (err) {
      this.#pausedUntilMs.set(channel, this.#clock.nowMs() + PAUSE_MS)
      this.#logger.warn('channel not topped up', { channel, code: errorCode(err) })
    }
  }

  #amount(c: PayerChannel, policy: DepositPolicy): NanoTon {
    return refillAmount(c, policy, this.#funding.depositRoom(c.terms))
  }
}
