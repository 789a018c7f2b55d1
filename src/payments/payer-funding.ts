import { setTimeout as timeout } from 'node:timers/promises'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { CocoonError, MoneyError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { maxNano, minNano, type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../core/nano-ton.ts'
import type { Random } from '../core/random.ts'
import { Turns } from '../core/turns.ts'
import type { Chain, ChannelTerms, ChannelView } from './chain.ts'
import type { ChannelBook } from './channel-book.ts'
import { channelRoom, type PayerChannel, planChannel, requireOpen, without } from './payer-channel.ts'
import { observeChannel } from './payer-view.ts'

/** The side to be paid, as its capacity record names it. */
export interface PaidProvider {
  /** libp2p peer id. */
  peerId: string
  /** Ed25519, 32 bytes. */
  payeeKey: Uint8Array
  /** Raw address. */
  payeeAddress: string
  /** Nanotons it wants to see locked before it serves. */
  minimumDeposit: NanoTon
}

/** How much the user lets a channel lock. */
export interface DepositPolicy {
  /** What the next job may cost at most: the channel must have this much left. */
  room: NanoTon
  /** What a new channel gets, and a top-up adds, if nothing asks for more. */
  deposit: NanoTon
  /** The most ever locked in one channel, top-ups included. */
  maxDeposit: NanoTon
  /** Time for claims after a lone close. The provider refuses one that is too short. */
  challengeSeconds: number
}

export type FundingStep = 'recovering' | 'opening' | 'topping-up'

export interface FundingOptions extends AbortOptions {
  /** Told before each step that waits for the chain. */
  onStep?: (step: FundingStep, channel: string) => void
}

export interface FundingInit {
  /**
   * After this a deposit message that is not on the chain can no longer get there, milliseconds. Must be longer than
   * the wallet's messages are valid.
   * @default 90_000
   */
  depositExpiryMs?: number
  /**
   * Pause between two looks at the chain, milliseconds.
   * @default 500
   */
  pollMs?: number
}

export interface FundingComponents {
  book: ChannelBook<PayerChannel>
  chain: Chain
  clock: Clock
  random: Random
  logger: Logger
  payerKey: Uint8Array
  payerAddress: string
  forget: (channel: string) => Promise<void>
  /** Waits; injected so that tests own time. */
  delay?: (ms: number, signal?: AbortSignal) => Promise<void>
}

/**
 * Opens and tops up channels so that a crash or a cut at any step leaves exactly one deposit: what will be sent is on
 * disk before it is sent, and a deposit whose fate is unknown is looked for on the chain until it can no longer arrive.
 */
export class PayerFunding {
  readonly #components: FundingComponents
  readonly #expiryMs: number
  readonly #pollMs: number
  readonly #delay: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly #turns = new Turns()

  constructor(components: FundingComponents, init: FundingInit = {}) {
    this.#components = components
    this.#expiryMs = init.depositExpiryMs ?? 90_000
    this.#pollMs = init.pollMs ?? 500
    this.#delay =
      components.delay ?? (async (ms, signal) => timeout(ms, undefined, signal === undefined ? {} : { signal }))
  }

  /** See `PayerChannels.ensureChannel`. */
  async ensure(provider: PaidProvider, policy: DepositPolicy, options: FundingOptions): Promise<PayerChannel> {
    const ready = this.#find(provider)
    if (ready?.state === 'open' && shortfall(ready, provider, policy) === 0n) {
      return ready
    }
    // Not the channel's own turn: vouchers go on being signed while the chain takes its time.
    return this.#turns.take(toHex(provider.payeeKey), async () => {
      throwIfAborted(options.signal)
      let channel = this.#find(provider)
      if (channel?.pending !== undefined) {
        channel = await this.#recover(channel, options)
      }
      channel ??= await this.#open(provider, policy, options)
      const missing = shortfall(channel, provider, policy)
      return missing === 0n ? channel : this.#send(channel, topUpAmount(channel, missing, policy), options)
    })
  }

  /** See `PayerChannels.topUp`. */
  topUp(channel: string, amount: NanoTon, options: FundingOptions): Promise<PayerChannel> {
    const known = this.#must(channel)
    return this.#turns.take(toHex(known.terms.payeeKey), async () => {
      throwIfAborted(options.signal)
      const before = this.#must(channel)
      if (before.pending !== undefined) {
        const recovered = await this.#recover(before, options)
        // A repeated call after a cut: the first one's deposit arrived after all.
        if (
          recovered?.pending === undefined &&
          recovered?.state === 'open' &&
          recovered.deposit >= before.deposit + amount
        ) {
          return recovered
        }
      }
      requireOpen(this.#must(channel))
      return this.#send(this.#must(channel), amount, options)
    })
  }

  async #open(provider: PaidProvider, policy: DepositPolicy, options: FundingOptions): Promise<PayerChannel> {
    const { chain, clock, random, payerKey, payerAddress, book } = this.#components
    const deposit = maxNano(policy.deposit, maxNano(provider.minimumDeposit, policy.room))
    requireWithinLimit(deposit, policy)
    const terms: ChannelTerms = {
      globalId: chain.globalId,
      payerKey,
      payerAddress,
      payeeKey: provider.payeeKey,
      payeeAddress: provider.payeeAddress,
      salt: Buffer.from(random.bytes(8)).readBigUInt64BE(),
      challengeSeconds: policy.challengeSeconds
    }
    const address = chain.channelAddress(terms)
    const pending = { amount: deposit, before: ZERO_NANO_TON, sentAtMs: clock.nowMs() }
    const planned = await book.update(address, known => {
      if (known !== undefined) {
        throw new MoneyError(
          'CHANNEL_SALT_REUSED',
          `Channel ${address} exists already: the random source repeats itself`
        )
      }
      return planChannel(address, terms, provider.peerId, pending)
    })
    options.onStep?.('opening', address)
    return this.#deliver(planned, true, options)
  }

  async #send(channel: PayerChannel, amount: NanoTon, options: FundingOptions): Promise<PayerChannel> {
    const sentAtMs = this.#components.clock.nowMs()
    options.onStep?.(channel.state === 'opening' ? 'opening' : 'topping-up', channel.channel)
    const marked = await this.#change(channel.channel, c => ({
      ...c,
      pending: { amount, before: c.deposit, sentAtMs }
    }))
    return this.#deliver(marked, channel.state !== 'opening', options)
  }

  /**
   * Sends a pending deposit and waits until the chain confirms it.
   *
   * @param first whether nothing was ever sent for it before: only then is "nothing was sent" the whole truth
   */
  async #deliver(channel: PayerChannel, first: boolean, options: AbortOptions): Promise<PayerChannel> {
    const { chain, forget } = this.#components
    const pending = channel.pending
    if (pending === undefined) {
      return channel
    }
    try {
      if (channel.state === 'opening') {
        await chain.openChannel(channel.terms, pending.amount, options)
      } else {
        await chain.topUp(channel.channel, pending.amount, options)
      }
    } catch (err) {
      if (first && wasNotSent(err)) {
        await (channel.state === 'opening'
          ? forget(channel.channel)
          : this.#change(channel.channel, c => without(c, 'pending')))
      }
      throw err
    }
    const landed = await this.#look(channel, options)
    if (landed === undefined) {
      throw new MoneyError(
        'DEPOSIT_UNCONFIRMED',
        `The deposit of ${pending.amount} nanotons to ${channel.channel} was sent but the chain does not show it yet: try again, it is looked for before anything is sent`
      )
    }
    return landed
  }

  /**
   * A deposit was under way when the process ended or the wait was cut. Looks until it is there or can no longer come.
   *
   * @returns undefined if the channel turned out to be over
   */
  async #recover(channel: PayerChannel, options: FundingOptions): Promise<PayerChannel | undefined> {
    const { logger } = this.#components
    options.onStep?.('recovering', channel.channel)
    const found = await this.#look(channel, options)
    if (found !== undefined) {
      return found.state === 'open' ? found : undefined
    }
    logger.info('a deposit never reached the chain', { channel: channel.channel, amount: channel.pending?.amount })
    if (channel.state !== 'opening') {
      return this.#change(channel.channel, c => without(c, 'pending'))
    }
    // Same terms, same address: should the lost message turn up after all, it is a top-up of this very channel.
    return this.#send(channel, channel.pending?.amount ?? ZERO_NANO_TON, options)
  }

  async #look(channel: PayerChannel, options: AbortOptions): Promise<PayerChannel | undefined> {
    const { chain, clock } = this.#components
    // A clock that was set back must not make the wait longer.
    const untilMs = Math.min(channel.pending?.sentAtMs ?? 0, clock.nowMs()) + this.#expiryMs
    for (;;) {
      const overdue = clock.nowMs() >= untilMs
      const seen = await this.#observe(channel.channel, await chain.readChannel(channel.channel, options))
      if (seen.pending === undefined) {
        return seen
      }
      if (overdue) {
        return undefined
      }
      await this.#delay(this.#pollMs, options.signal)
    }
  }

  #observe(channel: string, view: ChannelView): Promise<PayerChannel> {
    return this.#change(channel, c => observeChannel(c, view))
  }

  #change(channel: string, change: (c: PayerChannel) => PayerChannel): Promise<PayerChannel> {
    return this.#components.book.update(channel, c => change(c ?? this.#must(channel)))
  }

  #must(channel: string): PayerChannel {
    const known = this.#components.book.get(channel)
    if (known === undefined) {
      throw new MoneyError('CHANNEL_UNKNOWN', `No channel ${channel} in the ledger: see the list of channels`)
    }
    return known
  }

  #find(provider: PaidProvider): PayerChannel | undefined {
    const { book, chain } = this.#components
    const payeeKey = toHex(provider.payeeKey)
    return book
      .values()
      .filter(
        c =>
          (c.state === 'open' || c.state === 'opening') &&
          c.terms.globalId === chain.globalId &&
          c.terms.payeeAddress === provider.payeeAddress &&
          toHex(c.terms.payeeKey) === payeeKey
      )
      .reduce<PayerChannel | undefined>(
        (best, c) => (best !== undefined && channelRoom(best) >= channelRoom(c) ? best : c),
        undefined
      )
  }
}

/** What must be added before the provider and the next job are both content. */
function shortfall(channel: PayerChannel, provider: PaidProvider, policy: DepositPolicy): NanoTon {
  return maxNano(
    subNanoFloor(policy.room, channelRoom(channel)),
    subNanoFloor(provider.minimumDeposit, channel.deposit)
  )
}

function topUpAmount(channel: PayerChannel, missing: NanoTon, policy: DepositPolicy): NanoTon {
  requireWithinLimit((channel.deposit + missing) as NanoTon, policy)
  return minNano(maxNano(missing, policy.deposit), subNanoFloor(policy.maxDeposit, channel.deposit))
}

function requireWithinLimit(deposit: NanoTon, policy: DepositPolicy): void {
  if (deposit > policy.maxDeposit) {
    throw new MoneyError(
      'DEPOSIT_OVER_LIMIT',
      `${deposit} nanotons would have to be locked: the limit is ${policy.maxDeposit}, raise it or choose a cheaper provider`,
      { details: { deposit, limit: policy.maxDeposit } }
    )
  }
}

function wasNotSent(err: unknown): boolean {
  return err instanceof CocoonError && err.details['sent'] === false
}
