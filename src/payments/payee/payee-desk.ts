import { type AbortOptions, throwIfAborted } from '../../core/abort.ts'
import { errorCode } from '../../core/errors.ts'
import { type NanoTon, nanoTon, subNanoFloor } from '../../core/nano-ton.ts'
import { SharedRuns } from '../../core/shared-runs.ts'
import type { ChannelView } from '../chain.ts'
import { ChannelBook, type RecordChange } from '../ledger/channel-book.ts'
import { PaymentRefusal } from '../refusal.ts'
import { type PayeeChannel, unknownChannel } from './payee-channel.ts'
import { PayeeSession } from './payee-session.ts'
import { ChainSight, chainBlind, chainLagging } from './payee-sight.ts'
import type { PayeeComponents, PayeeInit } from './payee-types.ts'
import { observePayeeChannel } from './payee-view.ts'

/** Least time between two background reads of one channel, milliseconds. */
const LOOK_PAUSE_MS = 5_000

/** 0.05 TON. */
const DEFAULT_BLIND_EXPOSURE = nanoTon(50_000_000n)

/** The payee's records with their sessions, and how old their view of the chain may get. */
export class PayeeDesk {
  readonly book: ChannelBook<PayeeChannel>
  readonly sight: ChainSight
  readonly #components: PayeeComponents
  readonly #viewMaxAgeMs: number
  readonly #rereadMs: number
  readonly #blindExposure: NanoTon
  readonly #sessions = new Map<string, PayeeSession>()
  readonly #views = new SharedRuns<ChannelView>()

  constructor(components: PayeeComponents, init: PayeeInit) {
    this.#components = components
    this.#viewMaxAgeMs = init.viewMaxAgeMs ?? 30_000
    this.#rereadMs = init.rereadMs ?? 1_000
    this.#blindExposure = init.blindExposure ?? DEFAULT_BLIND_EXPOSURE
    this.sight = new ChainSight(components.clock, components.logger)
    this.book = new ChannelBook(components.ledger, record => ({ kind: 'payee', record }))
  }

  /** @throws {PaymentRefusal} `CHANNEL_UNKNOWN` */
  must(channel: string): PayeeChannel {
    const record = this.book.get(channel)
    if (record === undefined) {
      throw unknownChannel(channel)
    }
    return record
  }

  session(record: PayeeChannel): PayeeSession {
    let session = this.#sessions.get(record.channel)
    if (session === undefined) {
      session = new PayeeSession(record)
      this.#sessions.set(record.channel, session)
    }
    return session
  }

  change(
    channel: string,
    change: (c: PayeeChannel, also: Parameters<RecordChange<PayeeChannel>>[1]) => PayeeChannel,
    committed?: (record: PayeeChannel) => void,
    ready?: Promise<unknown>
  ): Promise<PayeeChannel> {
    return this.book.update(channel, (c, also) => change(c ?? this.must(channel), also), committed, ready)
  }

  /** Wakes the jobs that wait for money on a channel. */
  wake(channel: string): void {
    const record = this.book.get(channel)
    if (record !== undefined) {
      this.session(record).wake()
    }
  }

  /** The channel as the chain has it; parallel calls share one request. */
  view(channel: string, options: AbortOptions = {}): Promise<ChannelView> {
    const ask = async (): Promise<ChannelView> => {
      const view = await this.#components.chain.readChannel(channel).catch((err: unknown) => {
        if (!isVerdict(err)) {
          this.sight.failed(err)
        }
        throw err
      })
      return this.sight.seen(view)
    }
    return this.#views.run(channel, ask, options)
  }

  /**
   * The same for whoever is to be served on what it shows.
   *
   * @throws {PaymentRefusal} `CHAIN_BLIND` if the chain does not answer; `CHANNEL_FOREIGN` if the account is no channel
   */
  async see(channel: string, options: AbortOptions): Promise<ChannelView> {
    try {
      return await this.view(channel, options)
    } catch (err) {
      throwIfAborted(options.signal)
      throw isVerdict(err)
        ? new PaymentRefusal('CHANNEL_FOREIGN', `The account ${channel} is no channel of this version`, { cause: err })
        : chainBlind(err)
    }
  }

  /** Reads a known channel from the chain and books what it says. */
  async read(channel: string, options: AbortOptions = {}): Promise<PayeeChannel> {
    const view = await this.view(channel, options)
    return this.observe(channel, view)
  }

  /** Books a view, unless a newer one is booked already: then it changes nothing, and shows nothing of the present. */
  observe(channel: string, view: ChannelView): Promise<PayeeChannel> {
    let booked = false
    return this.change(
      channel,
      c => {
        booked = view.asOfMs >= this.session(c).viewedAtMs && view.asOfMs >= c.viewedAtMs
        return booked ? observePayeeChannel(c, view) : c
      },
      c => {
        if (!booked) {
          return
        }
        const session = this.session(c)
        session.viewedAtMs = view.asOfMs
        if (this.sight.isPresent(view)) {
          session.checkedAtMs = this.#components.clock.nowMs()
          session.acceptedWhenChecked = c.accepted
        }
        session.wake()
      }
    )
  }

  /**
   * To be called before anything is accepted or begun. Reads the chain again if the last look is old: in the background
   * at first, but never going on blind for long.
   *
   * @throws {PaymentRefusal} `CHAIN_LAGGING`, `CHAIN_BLIND`, `CHANNEL_UNKNOWN`
   */
  async requireSight(channel: string, options: AbortOptions): Promise<void> {
    if (this.sight.lagging) {
      await this.reread(channel, options)
      this.sight.requireCurrent()
    }
    const record = this.must(channel)
    // A close that began right after the last look must still leave time to claim: half the challenge period.
    if (this.#ageMs(record) > Math.max(this.#maxAgeMs(record), record.terms.challengeSeconds * 500)) {
      await this.#mustRead(channel, options)
      return
    }
    this.look(record)
  }

  /** Reads the chain in the background if the last look is old. To be called whenever something is served, too. */
  look(record: PayeeChannel): void {
    if (this.#isFresh(record)) {
      return
    }
    const session = this.session(record)
    const nowMs = this.#components.clock.nowMs()
    if (nowMs - session.lookedAtMs < LOOK_PAUSE_MS) {
      return
    }
    session.lookedAtMs = nowMs
    this.read(record.channel).catch((err: unknown) => {
      this.#components.logger.debug('channel not checked against the chain', {
        channel: record.channel,
        code: errorCode(err)
      })
    })
  }

  /** Whether vouchers up to `cumulative` may be taken on what is known of the chain: unseen, only so much more. */
  mayTake(record: PayeeChannel, cumulative: NanoTon): boolean {
    const { acceptedWhenChecked } = this.session(record)
    return this.#isFresh(record) || subNanoFloor(cumulative, acceptedWhenChecked) <= this.#blindExposure
  }

  /**
   * A voucher asks for another look: it is above the deposit that is known, or above what is taken unseen. Joins a read
   * that is under way; hostile vouchers cannot make us ask all the time. A chain that does not answer changes nothing.
   */
  async reread(channel: string, options: AbortOptions): Promise<void> {
    const session = this.session(this.must(channel))
    const nowMs = this.#components.clock.nowMs()
    if (!this.#views.has(channel) && nowMs - session.rereadAtMs < this.#rereadMs) {
      return
    }
    session.rereadAtMs = nowMs
    const view = await this.see(channel, options).catch((err: unknown) => {
      if (errorCode(err) !== 'CHAIN_BLIND') {
        throw err
      }
    })
    if (view !== undefined) {
      await this.observe(channel, view)
    }
  }

  /** @throws {PaymentRefusal} `CHAIN_LAGGING`, `CHAIN_BLIND` */
  async #mustRead(channel: string, options: AbortOptions): Promise<void> {
    const beforeMs = this.#components.clock.nowMs()
    await this.observe(channel, await this.see(channel, options))
    const { checkedAtMs = 0 } = this.session(this.must(channel))
    // An answer, but of an older block than was seen before, or than a minute ago.
    if (checkedAtMs < beforeMs) {
      throw chainLagging()
    }
  }

  #isFresh(record: PayeeChannel): boolean {
    return this.#ageMs(record) <= this.#maxAgeMs(record)
  }

  /** Far below the challenge period, however short that is. */
  #maxAgeMs({ terms }: PayeeChannel): number {
    return Math.min(this.#viewMaxAgeMs, terms.challengeSeconds * 100)
  }

  #ageMs(record: PayeeChannel): number {
    const { checkedAtMs } = this.session(record)
    return checkedAtMs === undefined ? Number.POSITIVE_INFINITY : this.#components.clock.nowMs() - checkedAtMs
  }
}

/** The chain answered: the account at this address is something else. */
function isVerdict(err: unknown): boolean {
  return errorCode(err) === 'CHANNEL_FOREIGN'
}
