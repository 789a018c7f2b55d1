import type { AbortOptions } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'
import { errorCode } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { type NanoTon, subNanoFloor } from '../../core/nano-ton.ts'
import type { PayeeChannels } from '../payee/payee.ts'
import type { PayeeChannelInfo } from '../payee/payee-types.ts'
import type { Steward } from '../steward/steward.ts'
import { Watcher, watchPaceMs } from './watcher.ts'
import type { ChannelEnd, GuardChain } from './watcher-types.ts'

/** A channel that ended with vouchers of it not claimed. */
export interface LostChannel {
  channel: string
  /** Promised and never paid: nanotons. */
  lost: NanoTon
}

export interface PayeeWatchComponents {
  payee: Pick<PayeeChannels, 'list' | 'state' | 'refresh'>
  steward: Pick<Steward, 'tendOne'>
  chain: Pick<GuardChain, 'howEnded'>
  clock: Clock
  logger: Logger
  /** Waits between looks; injected so that tests own time. */
  delay?: (ms: number, signal?: AbortSignal) => Promise<void>
}

export interface PayeeWatchInit {
  /** Told when it is too late. */
  onLost?: (lost: LostChannel) => void
}

/** What was known of a channel before it was looked at. */
export type PayeeChannelBefore = Pick<PayeeChannelInfo, 'channel' | 'state' | 'promised' | 'settled' | 'agreedUntilMs'>

/**
 * Guards every channel that owes us money: a close of its payer is noticed early in the challenge period, and the
 * steward claims. What ended unpaid is told loudly.
 */
export class PayeeWatch {
  readonly #components: PayeeWatchComponents
  readonly #init: PayeeWatchInit
  readonly #watcher: Watcher
  readonly #stopped = new AbortController()
  readonly #claims = new Set<Promise<unknown>>()

  constructor(components: PayeeWatchComponents, init: PayeeWatchInit = {}) {
    this.#components = components
    this.#init = init
    this.#watcher = new Watcher(components, {
      watched: () =>
        components.payee
          .list()
          .filter(isOwed)
          .map(({ channel, challengeSeconds }) => ({ channel, paceMs: watchPaceMs(challengeSeconds) })),
      look: (channel, options) => this.#look(channel, options),
      onError: (channel, err, failures) =>
        components.logger.warn('channel not checked for a close', { channel, code: errorCode(err), failures })
    })
  }

  /**
   * What has to be done before anything is served: claims from channels whose payer closed them while we were away, and
   * says what it was too late for. Waits for the claims until the signal is aborted.
   *
   * @param before the channels as the ledger had them, before the chain was asked
   */
  async afterAbsence(before: readonly PayeeChannelBefore[], options: AbortOptions = {}): Promise<void> {
    const { payee } = this.#components
    const now = new Map(payee.list().map(info => [info.channel, info]))
    for (const known of before) {
      const info = now.get(known.channel)
      if (info !== undefined) {
        await this.#noticeEnd(known, info, options).catch((err: unknown) => this.#quiet(known.channel, err))
      }
    }
    for (const { channel, state } of now.values()) {
      if (state === 'closing') {
        this.#claim(channel)
      }
    }
    await Promise.race([Promise.all(this.#claims), aborted(options.signal)])
  }

  start(): void {
    this.#watcher.start()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#watcher.stop()
  }

  async #look(channel: string, options: AbortOptions): Promise<void> {
    const { payee } = this.#components
    const before = payee.state(channel).info
    const after = await payee.refresh(channel, options)
    await this.#noticeEnd(before, after, options)
    if (after.state === 'closing') {
      this.#claim(channel)
    }
  }

  /** The steward decides whether it is worth it, and keeps count of failures. Others are looked at meanwhile. */
  #claim(channel: string): void {
    const claim = this.#components.steward
      .tendOne('payee', channel)
      .catch((err: unknown) => this.#quiet(channel, err))
      .finally(() => this.#claims.delete(claim))
    this.#claims.add(claim)
  }

  async #noticeEnd(before: PayeeChannelBefore, after: PayeeChannelInfo, options: AbortOptions): Promise<void> {
    const { channel, openedLt, promised, settled } = after
    const lost = subNanoFloor(promised, settled)
    if (before.state === 'closed' || after.state !== 'closed' || lost === 0n) {
      return
    }
    const end = await this.#components.chain.howEnded(channel, openedLt, options).catch((): ChannelEnd => 'unknown')
    if (end === 'together' || (end === 'unknown' && before.agreedUntilMs > 0)) {
      this.#components.logger.info('channel was closed together: it paid what was agreed', { channel })
      return
    }
    this.#components.logger.warn('CHANNEL CLOSED BEFORE ITS LAST VOUCHER WAS CLAIMED', { channel, lost, end })
    this.#init.onLost?.({ channel, lost })
  }

  #quiet(channel: string, err: unknown): void {
    if (!this.#stopped.signal.aborted) {
      this.#components.logger.warn('closing channel not claimed from', { channel, code: errorCode(err) })
    }
  }
}

function isOwed({ state, claimable }: PayeeChannelInfo): boolean {
  return state !== 'closed' && claimable > 0n
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted === true) {
      resolve()
    }
    signal?.addEventListener('abort', () => resolve(), { once: true })
  })
}
