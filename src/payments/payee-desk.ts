import type { AbortOptions } from '../core/abort.ts'
import { errorCode } from '../core/errors.ts'
import type { ChannelView } from './chain.ts'
import { ChannelBook, type RecordChange } from './channel-book.ts'
import { observePayeeChannel, type PayeeChannel } from './payee-channel.ts'
import { PayeeSession } from './payee-session.ts'
import type { PayeeComponents, PayeeInit } from './payee-types.ts'
import { PaymentRefusal } from './refusal.ts'
import { SharedRuns } from './shared-runs.ts'

/** The payee's records with their sessions, and how old their view of the chain may get. */
export class PayeeDesk {
  readonly book: ChannelBook<PayeeChannel>
  readonly #components: PayeeComponents
  readonly #viewMaxAgeMs: number
  readonly #rereadMs: number
  readonly #sessions = new Map<string, PayeeSession>()
  readonly #views = new SharedRuns<ChannelView>()

  constructor(components: PayeeComponents, init: PayeeInit) {
    this.#components = components
    this.#viewMaxAgeMs = init.viewMaxAgeMs ?? 30_000
    this.#rereadMs = init.rereadMs ?? 1_000
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
    committed?: (record: PayeeChannel) => void
  ): Promise<PayeeChannel> {
    return this.book.update(channel, (c, also) => change(c ?? this.must(channel), also), committed)
  }

  /** Wakes the jobs that wait for money on a channel. */
  wake(channel: string): void {
    const record = this.book.get(channel)
    if (record !== undefined) {
      this.session(record).wake()
    }
  }

  /** Whether the chain was read a moment ago. */
  isFresh(record: PayeeChannel): boolean {
    return this.#ageMs(record) <= this.#viewMaxAgeMs
  }

  /** The channel as the chain has it; parallel calls share one request. */
  view(channel: string, options: AbortOptions = {}): Promise<ChannelView> {
    return this.#views.run(channel, () => this.#components.chain.readChannel(channel), options)
  }

  /** Reads a known channel from the chain and books what it says. */
  async read(channel: string, options: AbortOptions = {}): Promise<PayeeChannel> {
    const view = await this.view(channel, options)
    return this.observe(channel, view)
  }

  observe(channel: string, view: ChannelView): Promise<PayeeChannel> {
    return this.change(
      channel,
      c => observePayeeChannel(c, view),
      c => {
        this.session(c).checkedAtMs = this.#components.clock.nowMs()
        this.wake(channel)
      }
    )
  }

  /** Reads the chain again if the last look is old: in the background at first, but never going on blind for long. */
  async requireFresh(channel: string, options: AbortOptions): Promise<void> {
    const record = this.must(channel)
    if (this.isFresh(record)) {
      return
    }
    // A close that began right after the last look must still leave time to claim: half the challenge period, at most.
    if (this.#ageMs(record) > Math.max(this.#viewMaxAgeMs, record.terms.challengeSeconds * 500)) {
      await this.read(channel, options)
      return
    }
    this.read(channel).catch((err: unknown) => {
      this.#components.logger.warn('channel not checked against the chain', { channel, code: errorCode(err) })
    })
  }

  /** A voucher above the known deposit came: perhaps there was a top-up. Hostile ones cannot make us ask all the time. */
  async rereadDeposit(channel: string, options: AbortOptions): Promise<void> {
    const session = this.session(this.must(channel))
    const nowMs = this.#components.clock.nowMs()
    if (nowMs - session.rereadAtMs < this.#rereadMs) {
      return
    }
    session.rereadAtMs = nowMs
    await this.read(channel, options)
  }

  #ageMs(record: PayeeChannel): number {
    const { checkedAtMs } = this.session(record)
    return checkedAtMs === undefined ? Number.POSITIVE_INFINITY : this.#components.clock.nowMs() - checkedAtMs
  }
}

export function unknownChannel(channel: string): PaymentRefusal {
  return new PaymentRefusal('CHANNEL_UNKNOWN', `Channel ${channel} is not known here: send its terms first`)
}
