import { setTimeout as timeout } from 'node:timers/promises'
import { type AbortOptions, throwIfAborted } from '../../core/abort.ts'
import { toHex } from '../../core/bytes.ts'
import { CocoonError, MoneyError } from '../../core/errors.ts'
import { addNano, type NanoTon, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import { Turns } from '../../core/turns.ts'
import type { ChannelTerms } from '../chain.ts'
import type { LedgerWrite } from '../ledger/ledger.ts'
import { channelRoom, type PayerChannel, planChannel, requireOpen, without } from './payer-channel.ts'
import {
  type DepositPolicy,
  type DepositRoom,
  depositFor,
  lockedIn,
  type PaidProvider,
  shortfall
} from './payer-deposit.ts'
import type { PayerDesk } from './payer-desk.ts'
import type { PayerComponents, PayerInit } from './payer-types.ts'
import { utcDay } from './spending.ts'
import type { SpendingGrant } from './spending-book.ts'

export type FundingStep = 'recovering' | 'opening' | 'topping-up'

export interface FundingOptions extends AbortOptions {
  /** Told before each step that waits for the chain. */
  onStep?: (step: FundingStep, channel: string) => void
}

/** The side of a channel that gets paid: its deposits are one another's business. */
type Payee = Pick<ChannelTerms, 'payeeKey' | 'payeeAddress'>

/**
 * Opens and tops up channels so that a crash or a cut at any step leaves exactly one deposit: what will be sent is on
 * disk before it is sent, and a deposit whose fate is unknown is looked for on the chain until it can no longer arrive.
 */
export class PayerFunding {
  readonly #desk: PayerDesk
  readonly #components: PayerComponents
  readonly #expiryMs: number
  readonly #pollMs: number
  readonly #delay: (ms: number, signal?: AbortSignal) => Promise<void>
  /** One deposit at a time to each payee. Not the channels' own turns: vouchers are signed while the chain takes its time. */
  readonly #turns = new Turns()

  constructor(desk: PayerDesk, components: PayerComponents, init: PayerInit) {
    this.#desk = desk
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
    return this.#turns.take(toHex(provider.payeeKey), async () => {
      throwIfAborted(options.signal)
      const known = this.#find(provider)
      if (known?.pending !== undefined) {
        await this.#recover(known, options)
      }
      const channel = this.#find(provider) ?? (await this.#open(provider, policy, options))
      const missing = shortfall(channel, provider, policy)
      return missing === 0n
        ? channel
        : this.#send(channel, depositFor(missing, policy, this.depositRoom(channel.terms)), options)
    })
  }

  /** See `PayerChannels.topUp`. */
  topUp(channel: string, amount: NanoTon, options: FundingOptions): Promise<PayerChannel> {
    return this.#inTurn(channel, options, async (before, recovered) => {
      requireOpen(recovered)
      // A repeated call after a cut: the first one's deposit arrived after all.
      const arrived = before.pending !== undefined && recovered.deposit >= before.deposit + amount
      return arrived ? recovered : this.#send(recovered, amount, options)
    })
  }

  /**
   * Adds to a channel what `amount` says is to be added when its turn comes: callers that see the same need send one deposit.
   *
   * @param amount zero for nothing
   */
  refill(channel: string, amount: (c: PayerChannel) => NanoTon, options: FundingOptions): Promise<PayerChannel> {
    return this.#inTurn(channel, options, async (_before, recovered) => {
      requireOpen(recovered)
      const due = amount(recovered)
      return due === 0n ? recovered : this.#send(recovered, due, options)
    })
  }

  /** Whether a deposit was sent so long ago that it is on the chain or never will be. */
  isOverdue({ pending }: PayerChannel): boolean {
    return pending !== undefined && this.#components.clock.nowMs() >= pending.sentAtMs + this.#expiryMs
  }

  /** What limits leave for one more deposit to this payee. */
  depositRoom({ payeeKey, payeeAddress }: Payee): DepositRoom {
    const locked = this.#channelsTo({ payeeKey, payeeAddress }).reduce(
      (sum, c) => addNano(sum, lockedIn(c)),
      ZERO_NANO_TON
    )
    return { locked, leftToday: this.#desk.spending.today().leftToDeposit }
  }

  /** Runs a task in the payee's turn, after the fate of a deposit that is still open was found out. */
  #inTurn(
    channel: string,
    options: FundingOptions,
    task: (before: PayerChannel, recovered: PayerChannel) => Promise<PayerChannel>
  ): Promise<PayerChannel> {
    const { payeeKey } = this.#desk.must(channel).terms
    return this.#turns.take(toHex(payeeKey), async () => {
      throwIfAborted(options.signal)
      const before = this.#desk.must(channel)
      if (before.pending !== undefined) {
        await this.#recover(before, options)
      }
      return task(before, this.#desk.must(channel))
    })
  }

  async #open(provider: PaidProvider, policy: DepositPolicy, options: FundingOptions): Promise<PayerChannel> {
    const { chain, clock, random, key, payerAddress } = this.#components
    const needed = policy.room > provider.minimumDeposit ? policy.room : provider.minimumDeposit
    const deposit = depositFor(needed, policy, this.depositRoom(provider))
    const terms: ChannelTerms = {
      globalId: chain.globalId,
      payerKey: key.publicKey,
      payerAddress,
      payeeKey: provider.payeeKey,
      payeeAddress: provider.payeeAddress,
      salt: Buffer.from(random.bytes(8)).readBigUInt64BE(),
      challengeSeconds: policy.challengeSeconds
    }
    const address = chain.channelAddress(terms)
    const pending = { amount: deposit, before: ZERO_NANO_TON, sentAtMs: clock.nowMs() }
    const planned = await this.#granted(deposit, grant =>
      this.#desk.book.update(address, (known, also) => {
        if (known !== undefined) {
          throw new MoneyError(
            'CHANNEL_SALT_REUSED',
            `Channel ${address} exists already: the random source repeats itself`
          )
        }
        also(grant.write())
        return planChannel(address, terms, provider.peerId, pending)
      })
    )
    options.onStep?.('opening', address)
    return this.#deliver(planned, true, options)
  }

  async #send(channel: PayerChannel, amount: NanoTon, options: FundingOptions): Promise<PayerChannel> {
    const sentAtMs = this.#components.clock.nowMs()
    const marked = await this.#granted(amount, grant =>
      this.#desk.change(channel.channel, (c, also) => {
        also(grant.write())
        return { ...c, pending: { amount, before: c.deposit, sentAtMs } }
      })
    )
    options.onStep?.('topping-up', channel.channel)
    return this.#deliver(marked, true, options)
  }

  /** A deposit that never arrived goes out again: same terms, so the same address, and no second deposit. */
  async #sendAgain(channel: PayerChannel, options: FundingOptions): Promise<PayerChannel> {
    const { pending } = channel
    const nowMs = this.#components.clock.nowMs()
    if (pending === undefined) {
      return channel
    }
    // It counted on the day it was sent. Now it counts today, if today has room for it.
    const sameDay = utcDay(pending.sentAtMs) === utcDay(nowMs)
    const change = (grant?: SpendingGrant): Promise<PayerChannel> =>
      this.#desk.change(channel.channel, (c, also) => {
        if (grant !== undefined) {
          also(grant.write())
          also(this.#desk.spending.giveBack('deposited', pending.amount, pending.sentAtMs))
        }
        return { ...c, pending: { ...pending, sentAtMs: nowMs } }
      })
    const marked = await (sameDay ? change() : this.#granted(pending.amount, change))
    options.onStep?.('opening', channel.channel)
    return this.#deliver(marked, false, options)
  }

  /** Counts a deposit against the day before anything is stored or sent, and takes it off again if it cannot be stored. */
  async #granted<T>(amount: NanoTon, store: (grant: SpendingGrant) => Promise<T>): Promise<T> {
    const grant = this.#desk.spending.take('deposited', amount)
    try {
      return await store(grant)
    } catch (err) {
      grant.cancel()
      throw err
    }
  }

  /**
   * Sends a pending deposit and waits until the chain confirms it.
   *
   * @param first whether nothing was ever sent for it before: only then is "nothing was sent" the whole truth
   */
  async #deliver(channel: PayerChannel, first: boolean, options: AbortOptions): Promise<PayerChannel> {
    const { chain } = this.#components
    const { pending } = channel
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
        await this.#drop(channel)
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

  /** A deposit that never was, and never will be. */
  async #drop({ channel, state, pending }: PayerChannel): Promise<void> {
    const giveBack = (): LedgerWrite[] =>
      pending === undefined ? [] : [this.#desk.spending.giveBack('deposited', pending.amount, pending.sentAtMs)]
    if (state === 'opening') {
      await this.#desk.book.forget(channel, () => [{ kind: 'payer-forgotten', channel }, ...giveBack()])
      return
    }
    await this.#desk.change(channel, (c, also) => {
      giveBack().forEach(also)
      return without(c, 'pending')
    })
  }

  /** A deposit was under way when the process ended or the wait was cut. Looks until it is there or can no longer come. */
  async #recover(channel: PayerChannel, options: FundingOptions): Promise<void> {
    const { logger } = this.#components
    options.onStep?.('recovering', channel.channel)
    if ((await this.#look(channel, options)) !== undefined) {
      return
    }
    logger.info('a deposit never reached the chain', { channel: channel.channel, amount: channel.pending?.amount })
    // Should a lost opening turn up after all, it is a top-up of this very channel.
    await (channel.state === 'opening' ? this.#sendAgain(channel, options) : this.#drop(channel))
  }

  async #look(channel: PayerChannel, options: AbortOptions): Promise<PayerChannel | undefined> {
    const { clock } = this.#components
    // A clock that was set back must not make the wait longer.
    const untilMs = Math.min(channel.pending?.sentAtMs ?? 0, clock.nowMs()) + this.#expiryMs
    for (;;) {
      const overdue = clock.nowMs() >= untilMs
      const seen = await this.#desk.read(channel.channel, options)
      if (seen.pending === undefined) {
        return seen
      }
      if (overdue) {
        return undefined
      }
      await this.#delay(this.#pollMs, options.signal)
    }
  }

  #channelsTo({ payeeKey, payeeAddress }: Payee): PayerChannel[] {
    const { globalId } = this.#components.chain
    const key = toHex(payeeKey)
    return this.#desk.book
      .values()
      .filter(
        ({ terms }) =>
          terms.globalId === globalId && terms.payeeAddress === payeeAddress && toHex(terms.payeeKey) === key
      )
  }

  #find(provider: PaidProvider): PayerChannel | undefined {
    return this.#channelsTo(provider)
      .filter(c => c.state === 'open' || c.state === 'opening')
      .reduce<PayerChannel | undefined>(
        (best, c) => (best !== undefined && channelRoom(best) >= channelRoom(c) ? best : c),
        undefined
      )
  }
}

function wasNotSent(err: unknown): boolean {
  return err instanceof CocoonError && err.details['sent'] === false
}
