import type { AbortOptions } from '../../core/abort.ts'
import { parseRawAddress } from '../../core/address.ts'
import { addNano, type NanoTon, subNanoFloor } from '../../core/nano-ton.ts'
import type { ChainReceipt, CoopCloseOrder, OpenedChannel } from '../chain.ts'
import { type FirstLookOptions, firstLook, latestFirst } from '../first-look.ts'
import { interruptedLines } from '../ledger/interrupted.ts'
import type { Voucher } from '../voucher.ts'
import { afterCrash, authorizeUpTo, type PayerChannel, reconcile, requireOpen, withTimes } from './payer-channel.ts'
import { PayerClosing } from './payer-closing.ts'
import { type DepositPolicy, type PaidProvider, refillAmount } from './payer-deposit.ts'
import { PayerDesk } from './payer-desk.ts'
import { type FundingOptions, PayerFunding } from './payer-funding.ts'
import { PayerJob, type PayerJobInit } from './payer-job.ts'
import { type FoundChannels, type PayeeHoldings, type PayerHoldings, PayerRecovery } from './payer-recovery.ts'
import { PayerRefills } from './payer-refills.ts'
import { describeChannel, type PayerChannelInfo, type PayerComponents, type PayerInit } from './payer-types.ts'
import type { SpendingGrant, SpendingToday } from './spending-book.ts'

export type { PayerChannelInfo, PayerComponents, PayerInit } from './payer-types.ts'

/** The client's side of its channels: who signs, how much, and nothing twice. */
export class PayerChannels {
  readonly #components: PayerComponents
  readonly #desk: PayerDesk
  readonly #funding: PayerFunding
  readonly #refills: PayerRefills
  readonly #closing: PayerClosing
  readonly #recovery: PayerRecovery

  constructor(components: PayerComponents, init: PayerInit = {}) {
    this.#components = components
    this.#desk = new PayerDesk(components, init.limits ?? {})
    this.#funding = new PayerFunding(this.#desk, components, init)
    this.#refills = new PayerRefills(this.#desk, this.#funding, components)
    this.#closing = new PayerClosing(this.#desk, components)
    this.#recovery = new PayerRecovery(this.#desk, components)
  }

  /**
   * Loads the ledger, books what a crash left open, and asks the chain about every channel that is not over. A chain
   * that cannot be reached is only logged: channels work on until it can.
   *
   * @throws {EnvironmentError} `LEDGER_CORRUPT`, `LEDGER_WRITE_FAILED`
   */
  async start(options: FirstLookOptions = {}): Promise<void> {
    const { ledger, logger, clock } = this.#components
    this.#desk.spending.load(await ledger.spendingDays())
    this.#desk.book.load(await ledger.payerChannels())
    for (const { channel, running } of this.#desk.book.values()) {
      const lines = await interruptedLines(ledger, running)
      await this.#desk.change(channel, (c, also) => {
        lines.forEach(also)
        return withTimes(afterCrash(c), clock.nowMs())
      })
    }
    const live = this.#desk.book.values().filter(c => c.state !== 'closed')
    const read = (channel: string, limit: AbortOptions): Promise<unknown> => this.refresh(channel, limit)
    await firstLook(latestFirst(live), read, logger, options)
  }

  /** Ends top-ups in the background; the next start finds what they sent. Nothing else needs to be ended. */
  stop(): Promise<void> {
    return this.#refills.stop()
  }

  /**
   * Checks the limits of a job before anything is done for it.
   *
   * @param maxCost the most it can cost
   * @throws {MoneyError} `SPENDING_CAP`, `SPENDING_DAY_LIMIT`
   */
  requireAffordable(maxCost: NanoTon): void {
    this.#desk.spending.requireJob(maxCost)
  }

  /** What was signed and deposited today (UTC), and what the limits leave. */
  today(): SpendingToday {
    return this.#desk.spending.today()
  }

  /**
   * A channel to this provider with room for the next job: the one that is open, topped up if need be, or a new one.
   * Parallel calls share one. After a crash or a cut the same deposit is found again; there is never a second one. From
   * then on the channel is topped up in the background when it runs low, if `policy.topUpBelowPercent` says when.
   *
   * @throws {MoneyError} `DEPOSIT_OVER_LIMIT`, `DEPOSIT_DAY_LIMIT` before anything is sent; `DEPOSIT_UNCONFIRMED`
   * @throws {UsageError} `ADDRESS_INVALID`
   * @throws whatever the chain throws; the next call looks for the deposit before it sends anything
   */
  async ensureChannel(
    provider: PaidProvider,
    policy: DepositPolicy,
    options: FundingOptions = {}
  ): Promise<PayerChannelInfo> {
    parseRawAddress(provider.payeeAddress)
    const record = await this.#funding.ensure(provider, policy, options)
    this.#refills.keep(record.channel, policy)
    this.#refills.check(record.channel)
    return describeChannel(record)
  }

  /** Adds to a channel's deposit. Vouchers within the confirmed deposit are signed meanwhile. */
  async topUp(channel: string, amount: NanoTon, options: FundingOptions = {}): Promise<PayerChannelInfo> {
    return describeChannel(await this.#funding.topUp(channel, amount, options))
  }

  /**
   * Tops a channel up if it runs low by `policy` when its turn comes: whoever else sees the same need, one deposit is sent.
   * Does nothing if limits leave too little.
   *
   * @throws {MoneyError} `CHANNEL_UNKNOWN`, `CHANNEL_CLOSING`, `CHANNEL_CLOSED`, `DEPOSIT_UNCONFIRMED`, what the chain throws
   */
  async refill(channel: string, policy: DepositPolicy, options: FundingOptions = {}): Promise<PayerChannelInfo> {
    const amount = (c: PayerChannel): NanoTon => refillAmount(c, policy, this.#funding.depositRoom(c.terms))
    return describeChannel(await this.#funding.refill(channel, amount, options))
  }

  /**
   * Waits until a channel has `room` left for a job that runs, topping it up once if need be.
   *
   * @throws {MoneyError} `CHANNEL_EXHAUSTED` if `ensureChannel` was not called for it, `DEPOSIT_OVER_LIMIT`, `DEPOSIT_DAY_LIMIT`,
   *   `CHANNEL_CLOSING`, `CHANNEL_CLOSED`, and what a top-up throws
   */
  async makeRoom(channel: string, room: NanoTon, options: AbortOptions = {}): Promise<PayerChannelInfo> {
    return describeChannel(await this.#refills.makeRoom(channel, room, options))
  }

  /**
   * Signs a voucher outside any job: `delta` more than ever before, or exactly `cumulative`. Strictly increasing for
   * parallel calls with a delta.
   *
   * @throws {MoneyError} `CHANNEL_UNKNOWN`, `CHANNEL_NOT_OPEN`, `CHANNEL_NOT_SYNCED`, `CHANNEL_CLOSING`, `CHANNEL_CLOSED`,
   *   `CHANNEL_EXHAUSTED`, `VOUCHER_LOWER`, `SPENDING_DAY_LIMIT`
   */
  async authorize(channel: string, amount: { delta: NanoTon } | { cumulative: NanoTon }): Promise<Voucher> {
    const { clock } = this.#components
    let grant: SpendingGrant | undefined
    try {
      const record = await this.#desk.change(channel, (c, also) => {
        const next = authorizeUpTo(c, 'delta' in amount ? addNano(c.signed, amount.delta) : amount.cumulative)
        if (next.signed === c.signed) {
          return c
        }
        grant = this.#desk.spending.take('signed', subNanoFloor(next.signed, c.signed))
        also(grant.write())
        return this.#desk.sign({ ...next, lastUsedAtMs: clock.nowMs() })
      })
      this.#refills.check(channel)
      return this.#desk.voucherOf(record)
    } catch (err) {
      grant?.cancel()
      throw err
    }
  }

  /**
   * A job to be paid over this channel.
   *
   * @throws {MoneyError} `CHANNEL_UNKNOWN`, `CHANNEL_NOT_OPEN`, `CHANNEL_NOT_SYNCED`, `CHANNEL_CLOSING`, `CHANNEL_CLOSED`;
   *   `SPENDING_CAP` if the job may cost more than any job may
   */
  startJob(channel: string, init: PayerJobInit): PayerJob {
    const record = this.#desk.must(channel)
    requireOpen(record)
    this.#desk.spending.requireCap(init.maxCost)
    return new PayerJob(
      {
        channel: record,
        clock: this.#components.clock,
        spending: this.#desk.spending,
        sign: c => this.#desk.sign(c),
        voucherOf: c => this.#desk.voucherOf(c),
        update: (change, committed) => this.#desk.book.update(channel, change, committed),
        signed: () => this.#refills.check(channel)
      },
      init
    )
  }

  /**
   * Takes back a voucher of our own that only the payee still has, after a lost disk or an old backup. Nothing is
   * adopted unless our own key signed it.
   *
   * @throws {MoneyError} `CHANNEL_UNKNOWN`
   * @throws {PeerError} `VOUCHER_FOREIGN` for another channel or opening, `VOUCHER_SIGNATURE_INVALID`
   */
  async adopt(voucher: Voucher): Promise<PayerChannelInfo> {
    return describeChannel(await this.#recovery.adopt(voucher))
  }

  /**
   * Agrees with the payee on what was delivered in all, after jobs that were cut off. Does nothing while jobs run.
   * Never signs: only what is prepaid already is at stake.
   */
  async reconcile(channel: string, delivered: NanoTon): Promise<PayerChannelInfo> {
    return describeChannel(await this.#desk.change(channel, c => reconcile(c, delivered)))
  }

  /**
   * What the payee is told in a sync.
   *
   * @throws {MoneyError} `CHANNEL_UNKNOWN`
   */
  holdings(channel: string): PayerHoldings {
    return this.#recovery.holdings(channel)
  }

  /**
   * Books what the payee said in a sync: takes over a voucher of ours that we forgot, settles on what was delivered, and lets a
   * recovered channel sign again. One that the payee closes is not used any more. Never signs.
   *
   * @param peerId who said it
   * @throws {MoneyError} `CHANNEL_UNKNOWN`
   * @throws {PeerError} `VOUCHER_FOREIGN` for another opening, `VOUCHER_SIGNATURE_INVALID`
   */
  async synced(channel: string, peerId: string, held: PayeeHoldings): Promise<PayerChannelInfo> {
    return describeChannel(await this.#recovery.synced(channel, peerId, held))
  }

  /**
   * Takes up channels that the chain knows and the ledger does not, after the ledger was lost. They sign nothing before
   * `synced`, and can be closed alone at any time. To be called only when the user asks for it: another home with the same
   * wallet may be using them.
   *
   * @param found from `ChannelFinder.openedChannels`
   * @throws {EnvironmentError} `LEDGER_WRITE_FAILED`, and what the chain throws; calling it again goes on
   */
  recover(found: readonly OpenedChannel[], options: AbortOptions = {}): Promise<FoundChannels> {
    return this.#recovery.recover(found, options)
  }

  /** Reads a channel from the chain, for instance when the payee says that it is gone or closing. */
  async refresh(channel: string, options: AbortOptions = {}): Promise<PayerChannelInfo> {
    return describeChannel(await this.#desk.read(channel, options))
  }

  /**
   * Signs nothing more on a channel; `ensureChannel` will open another. Call it before asking the payee to close.
   *
   * @throws {MoneyError} `CHANNEL_BUSY` while jobs run, `CHANNEL_UNKNOWN`, `CHANNEL_NOT_OPEN`
   */
  async retire(channel: string): Promise<PayerChannelInfo> {
    return describeChannel(await this.#closing.retire(channel))
  }

  /**
   * Closes together with the payee and gets the rest of the deposit back. The payee's agreement is checked and stored
   * first, so that a call without it can finish what an earlier one began. Parallel calls send one message.
   *
   * @throws {PeerError} `CLOSE_ORDER_INVALID` if the payee's agreement is of another opening, unsigned, or over another
   *   amount than we can agree to
   * @throws {MoneyError} `CHANNEL_BUSY`, `CHANNEL_UNKNOWN`, `CHANNEL_CLOSED`; `CLOSE_ORDER_MISSING` if there is no agreement that
   *   still counts
   */
  close(channel: string, order?: CoopCloseOrder, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#closing.close(channel, order, options)
  }

  /** Starts to close without the payee, who has the challenge period to claim. */
  startClose(channel: string, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#closing.startClose(channel, options)
  }

  /** Finishes a lone close once the challenge period is over. */
  finish(channel: string, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#closing.finish(channel, options)
  }

  list(): PayerChannelInfo[] {
    return this.#desk.book.values().map(describeChannel)
  }

  /** The highest voucher signed on a channel; undefined before the first. */
  highest(channel: string): Voucher | undefined {
    const record = this.#desk.must(channel)
    return record.signature.byteLength === 0 ? undefined : this.#desk.voucherOf(record)
  }
}
