import type { AbortOptions } from '../../core/abort.ts'
import type { ChainReceipt, ChannelTerms } from '../chain.ts'
import { type FirstLookOptions, firstLook, latestFirst } from '../first-look.ts'
import { interruptedLines } from '../ledger/interrupted.ts'
import { type Voucher, verifyVoucherOnPool } from '../voucher.ts'
import { type AdmissionRules, requireAdmissible, requireClient, requireOurs } from './payee-admission.ts'
import { PayeeArrivals } from './payee-arrivals.ts'
import {
  admitChannel,
  afterPayeeCrash,
  claimable,
  highestVoucher,
  type PayeeChannel,
  requireOwner,
  requireServing,
  settleUncertain
} from './payee-channel.ts'
import { PayeeDesk } from './payee-desk.ts'
import type { PayeeJob } from './payee-job.ts'
import { PayeeJobs } from './payee-jobs.ts'
import { PayeeSettling } from './payee-settling.ts'
import { chainLagging } from './payee-sight.ts'
import type {
  AcceptedVoucher,
  AgreedClose,
  HeldByPayee,
  HeldByPayer,
  PayeeChannelInfo,
  PayeeComponents,
  PayeeInit,
  PayeeJobInit
} from './payee-types.ts'
import { PayeeVouchers } from './payee-vouchers.ts'

/** How long a channel is listed after it was closed and no longer used. */
const CLOSED_KEPT_MS = 30 * 86_400_000

/** The provider's side of its channels: what it was paid, what it gave for it, and how it gets the money. */
export class PayeeChannels {
  readonly #components: PayeeComponents
  readonly #rules: AdmissionRules
  readonly #desk: PayeeDesk
  readonly #arrivals: PayeeArrivals
  readonly #vouchers: PayeeVouchers
  readonly #jobs: PayeeJobs
  readonly #settling: PayeeSettling

  constructor(components: PayeeComponents, init: PayeeInit) {
    const { clock } = components
    this.#components = components
    this.#rules = { minimumDeposit: init.minimumDeposit, minimumChallengeSeconds: init.minimumChallengeSeconds }
    this.#desk = new PayeeDesk(components, init)
    this.#arrivals = new PayeeArrivals(this.#desk, init.arrivalMs ?? 0, components.delay)
    this.#vouchers = new PayeeVouchers(this.#desk, clock, {
      overtakenMs: init.overtakenMs ?? 2_000,
      resyncJump: init.resyncJump,
      verifyOnPool: components.verifyVoucher ?? verifyVoucherOnPool
    })
    this.#settling = new PayeeSettling(components, this.#desk)
    this.#jobs = new PayeeJobs(this.#desk, this.#vouchers, clock)
  }

  /**
   * Loads the ledger, books what a crash left open, and checks every channel that is not over against the chain. One
   * that could not be checked serves nothing until it was; one that was closed a month ago is forgotten.
   *
   * @throws {EnvironmentError} `LEDGER_CORRUPT`, `LEDGER_WRITE_FAILED`
   */
  async start(options: FirstLookOptions = {}): Promise<void> {
    const { ledger, logger, clock } = this.#components
    this.#desk.book.load(await ledger.payeeChannels())
    for (const record of this.#desk.book.values()) {
      if (afterPayeeCrash(withTimes(record, clock.nowMs())) !== record) {
        const lines = await interruptedLines(ledger, record.running)
        this.#desk.session(record).interrupted = record.running.length
        await this.#desk.change(record.channel, (c, also) => {
          lines.forEach(also)
          return afterPayeeCrash(withTimes(c, clock.nowMs()))
        })
      }
    }
    await this.#forgetClosed()
    const live = this.#desk.book.values().filter(c => c.state !== 'closed')
    const read = (channel: string, limit: AbortOptions): Promise<unknown> => this.refresh(channel, limit)
    await firstLook(latestFirst(live), read, logger, options)
  }

  /**
   * Takes on a channel that a client wants to pay with: recomputes its address and reads it from the chain. One that is
   * served already is read again in the background, when the last look is old.
   *
   * @param from libp2p peer id of the client
   * @throws {PaymentRefusal} `CHANNEL_FOREIGN` if it pays someone else, is on another network or is another client's;
   *   `CHANNEL_MISSING`, `CHANNEL_CLOSING`, `CHANNEL_DEPOSIT_TOO_LOW`, `CHANNEL_CHALLENGE_TOO_SHORT`; `CHAIN_BLIND` and
   *   `CHAIN_LAGGING` if the chain cannot be seen as it is now
   */
  async admit(terms: ChannelTerms, from: string, options: AbortOptions = {}): Promise<PayeeChannelInfo> {
    const { chain, clock, key, payeeAddress } = this.#components
    requireOurs(terms, { globalId: chain.globalId, payeeKey: key.publicKey, payeeAddress })
    const channel = chain.channelAddress(terms)
    const known = this.#desk.book.get(channel)
    if (known !== undefined) {
      requireClient(known, from)
    }
    if (known?.state === 'open') {
      await this.#desk.requireSight(channel, options)
      const current = this.#desk.must(channel)
      if (current.state === 'open') {
        return this.#describe(current)
      }
    }
    const view = await this.#arrivals.see(channel, options)
    this.#desk.sight.requireCurrent()
    if (known !== undefined) {
      await this.#desk.observe(channel, view)
    }
    requireAdmissible(terms, channel, view, this.#rules)
    await this.#desk.book.update(channel, current => {
      if (current === undefined) {
        return admitChannel(channel, terms, view, clock.nowMs())
      }
      requireClient(current, from)
      if (current.openedLt === view.openedLt) {
        requireServing({ ...current, needsResync: false })
        return current
      }
      if (view.openedLt < current.openedLt || view.asOfMs < current.viewedAtMs) {
        throw chainLagging()
      }
      this.#warnOfLoss(current)
      return admitChannel(channel, terms, view, clock.nowMs())
    })
    return this.#describe(await this.#desk.observe(channel, view))
  }

  /**
   * Checks a voucher, stores it durably, and only then counts it. An equal one is fine. One above the confirmed deposit
   * makes the chain be read once; others do not wait for that.
   *
   * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`, `VOUCHER_FOREIGN` (another opening), `VOUCHER_SIGNATURE_INVALID`,
   *   `VOUCHER_STALE` (a `VoucherStaleError` with the highest), `CHANNEL_EXHAUSTED`, `CHANNEL_CLOSING`, `CHANNEL_CLOSED`,
   *   `CHANNEL_RESYNC`; `CHAIN_LAGGING`, `CHAIN_BLIND` if the chain is not seen as it is now
   * @throws {EnvironmentError} `LEDGER_WRITE_FAILED`: nothing is credited then
   */
  accept(voucher: Voucher, options: AbortOptions = {}): Promise<AcceptedVoucher> {
    return this.#vouchers.take(voucher.channel, voucher, options)
  }

  /**
   * A job to be served on an admitted channel, with its first voucher if one came: both in one write. Durable when it
   * resolves: a crash cannot make what it used look unused.
   *
   * @throws those of `accept`
   * @throws {PaymentRefusal} `CHANNEL_FOREIGN` if another client brought the channel; `JOB_DUPLICATE` if the job runs
   *   already; `PAYMENT_REQUIRED` if the first payment is not there, or another job has it
   */
  startJob(channel: string, init: PayeeJobInit, options: AbortOptions = {}): Promise<PayeeJob> {
    return this.#jobs.start(channel, init, options)
  }

  /**
   * Claims the highest voucher on chain, exactly as the payer signed it. Parallel calls send one message.
   *
   * @param options `externally`: gas comes out of the payout, not from the wallet
   * @returns undefined if nothing is owed, or not beyond what we agreed to close at
   * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`
   * @throws whatever the chain throws; the voucher stays claimable then
   */
  claim(channel: string, options: AbortOptions & { externally?: boolean } = {}): Promise<ChainReceipt | undefined> {
    return this.#settling.claim(channel, options)
  }

  /**
   * The payer wants to close: agrees to what was delivered. Until the agreement's last second has passed on the chain, the
   * channel accepts and serves nothing more and claims no more than that. The payer's close pays it, so no claim goes
   * before; one that is under way is waited for.
   *
   * @param from libp2p peer id of who asks
   * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`, also to anyone but the client whose jobs it paid; `CHANNEL_BUSY` while jobs
   *   run, `CHANNEL_CLOSED`, `CHANNEL_RESYNC`
   */
  closeRequested(channel: string, from: string, options: AbortOptions = {}): Promise<AgreedClose> {
    return this.#settling.close(channel, from, options)
  }

  /**
   * Both sides say what they hold, after a cut, a crash or an old backup of either. The client's voucher counts if it is
   * higher than ours; what we only count because of a crash of our own becomes what the client is certain to have
   * received, never less than what we know to be delivered. While jobs run, only the voucher counts.
   *
   * @param from libp2p peer id of who asks
   * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`, also to anyone but the client whose jobs it paid; `VOUCHER_FOREIGN`,
   *   `VOUCHER_SIGNATURE_INVALID`; `CHAIN_LAGGING` and `CHAIN_BLIND` if it brings a voucher
   */
  async sync(channel: string, from: string, held: HeldByPayer, options: AbortOptions = {}): Promise<HeldByPayee> {
    requireOwner(this.#desk.must(channel), from)
    const { voucher, spent } = held
    if (voucher !== undefined) {
      await this.#desk.requireSight(channel, options)
      if (voucher.cumulative > this.#desk.must(channel).deposit) {
        await this.#desk.reread(channel, options)
      }
    }
    await this.#desk.change(
      channel,
      c => {
        requireOwner(c, from)
        if (c.state === 'closed') {
          return c
        }
        const next = voucher === undefined ? c : this.#vouchers.takeSynced(c, voucher)
        if (next.running.length > 0) {
          return next
        }
        const told = voucher?.cumulative === next.accepted && next.signature.byteLength > 0
        const settled = settleUncertain(next, spent)
        return settled.needsResync && told ? { ...settled, needsResync: false } : settled
      },
      c => {
        this.#desk.session(c).contacted ||= voucher !== undefined
        this.#desk.wake(channel)
      }
    )
    return this.state(channel)
  }

  /** Reads a channel from the chain; one that is closing or gone there serves nothing from then on. */
  async refresh(channel: string, options: AbortOptions = {}): Promise<PayeeChannelInfo> {
    return this.#describe(await this.#desk.read(channel, options))
  }

  /**
   * One channel, with the highest voucher for a payer that lost its own.
   *
   * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`
   */
  state(channel: string): HeldByPayee {
    const record = this.#desk.must(channel)
    return { info: this.#describe(record), highest: highestVoucher(record) }
  }

  list(): PayeeChannelInfo[] {
    return this.#desk.book.values().map(record => this.#describe(record))
  }

  /** Closed channels are kept for a while for the books; their jobs' lines stay. */
  async #forgetClosed(): Promise<void> {
    const { book } = this.#desk
    const sinceMs = this.#components.clock.nowMs() - CLOSED_KEPT_MS
    const old = book.values().filter(c => c.state === 'closed' && c.lastUsedAtMs < sinceMs)
    await Promise.all(old.map(({ channel }) => book.forget(channel, () => [{ kind: 'payee-forgotten', channel }])))
  }

  #warnOfLoss(c: PayeeChannel): void {
    const lost = claimable({ ...c, state: 'open' })
    if (lost > 0n && c.agreed.validUntil === 0) {
      this.#components.logger.warn('channel was closed before its last voucher was claimed', {
        channel: c.channel,
        lost
      })
    }
  }

  #describe(c: PayeeChannel): PayeeChannelInfo {
    const session = this.#desk.session(c)
    const unclaimed = claimable(c)
    return {
      channel: c.channel,
      peerId: c.peerId,
      payerAddress: c.terms.payerAddress,
      state: c.state,
      openedLt: c.openedLt,
      locked: c.deposit,
      promised: c.accepted,
      settled: c.settled,
      claimable: unclaimed,
      delivered: session.delivered(c),
      challengeSeconds: c.terms.challengeSeconds,
      closeAtMs: c.closeAtMs,
      agreedUntilMs: c.agreed.validUntil * 1000,
      unclaimedSinceMs: unclaimed === 0n ? undefined : c.unclaimedSinceMs,
      lastUsedAtMs: c.lastUsedAtMs,
      runningJobs: c.running.length,
      checkedAtMs: session.checkedAtMs,
      needsResync: c.needsResync
    }
  }
}

/** A record of version 0.1.0 has no times: what it does not know counts from now on. */
function withTimes(c: PayeeChannel, nowMs: number): PayeeChannel {
  return c.lastUsedAtMs > 0 ? c : { ...c, lastUsedAtMs: nowMs, unclaimedSinceMs: c.accepted > c.settled ? nowMs : 0 }
}
