import type { Config } from '../config/index.ts'
import { type AbortOptions, anySignal, throwIfAborted } from '../core/abort.ts'
import { errorCode } from '../core/errors.ts'
import { type NanoTon, nanoTon } from '../core/nano-ton.ts'
import {
  type ChannelPolicy,
  type CloseTogether,
  type LostChannel,
  PayeeKeeper,
  PayeeWatch,
  PayerKeeper,
  type StepAction,
  type StepReport,
  Steward
} from '../payments/index.ts'
import type { Account } from './account.ts'

/** What a steward works with: a home's money, without the mesh. */
export type StewardAccount = Pick<
  Account,
  'config' | 'payer' | 'payee' | 'chain' | 'wallet' | 'store' | 'clock' | 'logger'
>

export interface StewardOptions {
  /** Asks providers over the mesh; without it, channels are closed only with agreements that are stored, or alone. */
  closeTogether?: CloseTogether
  /** Told of every step that was taken or failed. */
  onStep?: (report: StepReport) => void
}

/** Steps that nothing a short command does can cross. */
const SHORT_STEPS: readonly StepAction[] = ['claim', 'claim-externally', 'finish']
const SHORT_MS = 60_000
const HOUR_MS = 3_600_000
/** Topped up only while jobs run: what is between two questions waits for the next. */
const IN_USE_MS = 0
const MAX_TRIES = 5
/** A step that is under way when the node stops is given so long to end; what it cost is on disk either way. */
const STOP_MS = 3_000
/** What was closed while a provider was away is claimed before it serves, if the chain is not slower than this. */
const ABSENCE_MS = 30_000
/** How long a start waits for the chain to show each channel, milliseconds. */
const FIRST_LOOK_MS = 10_000

/** The steward of a home's channels, of both roles. */
export function openSteward(account: StewardAccount, { closeTogether, onStep }: StewardOptions = {}): Steward {
  const { config, payer, payee, chain, wallet, store, clock, logger } = account
  const { deposit, maxDeposit, challengeSeconds, topUpBelowPercent } = config.client
  const deposits = { room: deposit, deposit, maxDeposit, challengeSeconds, topUpBelowPercent }
  return new Steward(
    {
      keepers: [
        new PayerKeeper({ payer, chain, ...(closeTogether && { closeTogether }) }, deposits),
        new PayeeKeeper(payee)
      ],
      fees: chain,
      wallet,
      journal: store.journal,
      clock,
      logger: logger.child('steward')
    },
    { policy: channelPolicy(config), stopMs: STOP_MS, ...(onStep && { onStep }) }
  )
}

/** What the configuration says of channels, as decisions take it. */
export function channelPolicy({ channels, client }: Pick<Config, 'channels' | 'client'>): ChannelPolicy {
  const { claimAbove, claimAfterHours, maxFeePercent, closeIdleHours, forceCloseAfterHours } = channels
  return {
    claimAbove,
    claimAfterMs: claimAfterHours * HOUR_MS,
    maxFeePercent,
    closeIdleMs: closeIdleHours * HOUR_MS,
    forceCloseAfterMs: forceCloseAfterHours * HOUR_MS,
    topUpBelow: percentOf(client.deposit, client.topUpBelowPercent),
    topUpAmount: client.deposit,
    maxDeposit: client.maxDeposit,
    inUseMs: IN_USE_MS,
    maxTries: MAX_TRIES
  }
}

export interface ChannelCareInit extends StewardOptions {
  role: 'provider' | 'client'
  /** Told of channels that ended before their last voucher was claimed. */
  onLost?: (lost: LostChannel) => void
}

/** Everything a running node does with its channels by itself, started and stopped with it. */
export class ChannelCare {
  readonly steward: Steward
  readonly #account: StewardAccount
  readonly #role: ChannelCareInit['role']
  readonly #watch: PayeeWatch
  readonly #stopped = new AbortController()
  #other: Promise<void> | undefined

  constructor(account: StewardAccount, init: ChannelCareInit) {
    const { payee, chain, clock, logger } = account
    this.#account = account
    this.#role = init.role
    this.steward = openSteward(account, init)
    this.#watch = new PayeeWatch(
      { payee, steward: this.steward, chain, clock, logger: logger.child('watch') },
      init.onLost === undefined ? {} : { onLost: init.onLost }
    )
  }

  /**
   * Loads the books of the node's role. A provider's channels that were closed while it was away are claimed from before
   * this resolves, if the chain is not slower than half a minute.
   *
   * @throws {EnvironmentError} `LEDGER_CORRUPT`, `LEDGER_WRITE_FAILED`
   */
  async open(options: AbortOptions = {}): Promise<void> {
    if (this.#role === 'client') {
      await this.#account.payer.start({ ...options, lookMs: FIRST_LOOK_MS })
      return
    }
    await this.#openPayee({ signal: anySignal(options.signal, AbortSignal.timeout(ABSENCE_MS)) }, options)
    throwIfAborted(options.signal)
  }

  /** Begins to look after the channels. Those of the role that this node does not play now are loaded meanwhile. */
  start(): void {
    const { signal } = this.#stopped
    if (this.#role === 'provider') {
      this.#watch.start()
      this.steward.start()
    } else {
      this.steward.start({ only: SHORT_STEPS, firstMs: SHORT_MS })
    }
    this.#other = this.#startOther({ signal }).catch((err: unknown) => {
      if (!signal.aborted) {
        this.#account.logger.warn('channels of the other role not looked after yet', { code: errorCode(err) })
      }
    })
  }

  /**
   * Takes all steps of both roles' channels that are due, now.
   *
   * @param again also those that were given up
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   */
  async tend({ again, ...options }: AbortOptions & { again?: boolean } = {}): Promise<StepReport[]> {
    await this.#other
    if (again === true) {
      await this.steward.forgetFailures()
    }
    return this.steward.tend(options)
  }

  /** Begins nothing more, and waits a little for steps under way. Further calls do nothing. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await Promise.all([this.steward.stop(), this.#watch.stop(), this.#other])
  }

  async #startOther(options: AbortOptions): Promise<void> {
    if (this.#role === 'provider') {
      await this.#account.payer.start(options)
    } else {
      await this.#openPayee(options, options)
      throwIfAborted(options.signal)
      this.#watch.start()
    }
    await this.steward.tend({ ...options, only: SHORT_STEPS })
  }

  async #openPayee(claims: AbortOptions, options: AbortOptions): Promise<void> {
    const { store, payee } = this.#account
    const before = await store.ledger.payeeChannels()
    await payee.start({ ...options, lookMs: FIRST_LOOK_MS })
    const known = before.map(({ channel, state, accepted, settled, agreed }) => ({
      channel,
      state,
      promised: accepted,
      settled,
      agreedUntilMs: agreed.validUntil * 1000
    }))
    await this.#watch.afterAbsence(known, claims)
  }
}

function percentOf(amount: NanoTon, percent: number): NanoTon {
  return nanoTon((amount * BigInt(percent)) / 100n)
}
