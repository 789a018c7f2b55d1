import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { parseRawAddress } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import { type Ed25519KeyPair, ed25519PublicKey } from '../core/ed25519.ts'
import { errorCode, MoneyError, PeerError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { addNano, type NanoTon, ZERO_NANO_TON } from '../core/nano-ton.ts'
import type { Random } from '../core/random.ts'
import type { Chain, ChainReceipt, ChannelTerms, CoopCloseOrder } from './chain.ts'
import { ChannelBook } from './channel-book.ts'
import { interruptedLines } from './interrupted.ts'
import type { Ledger } from './ledger.ts'
import {
  adoptVoucher,
  afterCrash,
  authorizeUpTo,
  channelCredit,
  channelRoom,
  closedChannel,
  type PayerChannel,
  type PayerChannelState,
  reconcile,
  requireOpen,
  withTimes
} from './payer-channel.ts'
import { requireFairClose } from './payer-close.ts'
import {
  type DepositPolicy,
  type FundingInit,
  type FundingOptions,
  type PaidProvider,
  PayerFunding
} from './payer-funding.ts'
import { PayerJob, type PayerJobInit } from './payer-job.ts'
import { observeChannel } from './payer-view.ts'
import { SharedRuns } from './shared-runs.ts'
import { signVoucher, type Voucher, verifyVoucher } from './voucher.ts'

export interface PayerComponents {
  ledger: Ledger
  chain: Chain
  clock: Clock
  random: Random
  logger: Logger
  /** Signs vouchers. */
  key: Ed25519KeyPair
  /** Raw address that deposits come from and go back to. */
  payerAddress: string
  /** Waits between looks at the chain; injected so that tests own time. */
  delay?: (ms: number, signal?: AbortSignal) => Promise<void>
}

export interface PayerInit extends FundingInit {}

/** A payer's channel as people and programs see it. */
export interface PayerChannelInfo {
  channel: string
  peerId: string
  payeeAddress: string
  /** What a payee recomputes the address from. */
  terms: ChannelTerms
  state: PayerChannelState
  openedLt: bigint
  deposit: NanoTon
  signed: NanoTon
  settled: NanoTon
  /** What jobs used, running ones counted with what they were promised. */
  used: NanoTon
  /** Signed but unused: the next job uses it first. */
  credit: NanoTon
  /** The part of `used` that the payee may not have delivered: settled by `reconcile`. */
  uncertain: NanoTon
  /** What further jobs may cost before a top-up. */
  room: NanoTon
  runningJobs: number
  /** Sent to the chain, or about to be, and not confirmed yet. */
  pendingDeposit: NanoTon
  /** When its opening was decided, Unix milliseconds; when it was found, if it was recovered. */
  openedAtMs: number
  /** When a job last paid over it, Unix milliseconds; its opening, before the first. */
  lastUsedAtMs: number
  /** When a close that the chain shows may be finished, Unix milliseconds; 0 unless it shows one. */
  closeAtMs: number
  /** The payee's agreement to close is stored and not on the chain yet: `close` needs no new one. */
  closeAgreed: boolean
}

/** The client's side of its channels: who signs, how much, and nothing twice. */
export class PayerChannels {
  readonly #components: PayerComponents
  readonly #book: ChannelBook<PayerChannel>
  readonly #funding: PayerFunding
  readonly #closes = new SharedRuns<ChainReceipt>()

  constructor(components: PayerComponents, init: PayerInit = {}) {
    this.#components = components
    const { ledger, chain, clock, random, logger, key, payerAddress, delay } = components
    this.#book = new ChannelBook(ledger, record => ({ kind: 'payer', record }))
    this.#funding = new PayerFunding(
      {
        book: this.#book,
        chain,
        clock,
        random,
        logger,
        payerKey: key.publicKey,
        payerAddress,
        forget: channel => this.#book.forget(channel, { kind: 'payer-forgotten', channel }),
        ...(delay === undefined ? {} : { delay })
      },
      init
    )
  }

  /**
   * Loads the ledger, books what a crash left open, and asks the chain about every channel that is not over. A chain
   * that cannot be reached is only logged: channels work on until it can.
   *
   * @throws {EnvironmentError} `LEDGER_CORRUPT`, `LEDGER_WRITE_FAILED`
   */
  async start(options: AbortOptions = {}): Promise<void> {
    const { ledger, logger } = this.#components
    this.#book.load(await ledger.payerChannels())
    for (const { channel, running } of this.#book.values()) {
      const lines = await interruptedLines(ledger, running)
      await this.#change(channel, (c, also) => {
        lines.forEach(also)
        return withTimes(afterCrash(c), this.#components.clock.nowMs())
      })
    }
    const live = this.#book.values().filter(c => c.state !== 'closed')
    await Promise.all(
      live.map(({ channel }) =>
        this.refresh(channel, options).catch((err: unknown) => {
          throwIfAborted(options.signal)
          logger.warn('channel not checked against the chain', { channel, code: errorCode(err) })
        })
      )
    )
  }

  /**
   * A channel to this provider with room for the next job: the one that is open, topped up if need be, or a new one.
   * Parallel calls share one. After a crash or a cut the same deposit is found again; there is never a second one.
   *
   * @throws {MoneyError} `DEPOSIT_OVER_LIMIT` before anything is sent; `DEPOSIT_UNCONFIRMED`
   * @throws {UsageError} `ADDRESS_INVALID`
   * @throws whatever the chain throws; the next call looks for the deposit before it sends anything
   */
  async ensureChannel(
    provider: PaidProvider,
    policy: DepositPolicy,
    options: FundingOptions = {}
  ): Promise<PayerChannelInfo> {
    parseRawAddress(provider.payeeAddress)
    return describe(await this.#funding.ensure(provider, policy, options))
  }

  /** Adds to a channel's deposit. Vouchers within the confirmed deposit are signed meanwhile. */
  async topUp(channel: string, amount: NanoTon, options: FundingOptions = {}): Promise<PayerChannelInfo> {
    return describe(await this.#funding.topUp(channel, amount, options))
  }

  /**
   * Signs a voucher outside any job: `delta` more than ever before, or exactly `cumulative`. Strictly increasing for
   * parallel calls with a delta.
   *
   * @throws {MoneyError} `CHANNEL_UNKNOWN`, `CHANNEL_NOT_OPEN`, `CHANNEL_CLOSING`, `CHANNEL_CLOSED`, `CHANNEL_EXHAUSTED`, `VOUCHER_LOWER`
   */
  async authorize(channel: string, amount: { delta: NanoTon } | { cumulative: NanoTon }): Promise<Voucher> {
    const record = await this.#change(channel, c => {
      const next = authorizeUpTo(c, 'delta' in amount ? addNano(c.signed, amount.delta) : amount.cumulative)
      return next.signed === c.signed ? c : this.#sign({ ...next, lastUsedAtMs: this.#components.clock.nowMs() })
    })
    return this.#voucherOf(record)
  }

  /**
   * A job to be paid over this channel.
   *
   * @throws {MoneyError} `CHANNEL_UNKNOWN`, `CHANNEL_NOT_OPEN`, `CHANNEL_CLOSING`, `CHANNEL_CLOSED`
   */
  startJob(channel: string, init: PayerJobInit): PayerJob {
    const record = this.#must(channel)
    requireOpen(record)
    return new PayerJob(
      {
        channel: record,
        clock: this.#components.clock,
        sign: c => this.#sign(c),
        voucherOf: c => this.#voucherOf(c),
        update: (change, committed) => this.#book.update(channel, change, committed)
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
    const { key } = this.#components
    const record = await this.#change(voucher.channel, c => {
      if (voucher.openedLt !== c.openedLt) {
        throw new PeerError('VOUCHER_FOREIGN', `The payee's voucher is of another opening of ${c.channel}`)
      }
      if (!verifyVoucher(ed25519PublicKey(key.publicKey), c.terms.globalId, voucher)) {
        throw new PeerError('VOUCHER_SIGNATURE_INVALID', `The payee's voucher for ${c.channel} is not signed by us`)
      }
      return adoptVoucher(c, voucher.cumulative, voucher.signature)
    })
    return describe(record)
  }

  /**
   * Agrees with the payee on what was delivered in all, after jobs that were cut off. Does nothing while jobs run.
   * Never signs: only what is prepaid already is at stake.
   */
  async reconcile(channel: string, delivered: NanoTon): Promise<PayerChannelInfo> {
    return describe(await this.#change(channel, c => reconcile(c, delivered)))
  }

  /** Reads a channel from the chain, for instance when the payee says that it is gone or closing. */
  async refresh(channel: string, options: AbortOptions = {}): Promise<PayerChannelInfo> {
    const view = await this.#components.chain.readChannel(channel, options)
    return describe(await this.#change(channel, c => observeChannel(c, view)))
  }

  /**
   * Signs nothing more on a channel; `ensureChannel` will open another. Call it before asking the payee to close.
   *
   * @throws {MoneyError} `CHANNEL_BUSY` while jobs run, `CHANNEL_UNKNOWN`, `CHANNEL_NOT_OPEN`
   */
  async retire(channel: string): Promise<PayerChannelInfo> {
    const record = await this.#change(channel, c => {
      if (c.state === 'closing' || c.state === 'closed') {
        return c
      }
      requireOpen(c)
      if (c.running.length > 0) {
        throw new MoneyError(
          'CHANNEL_BUSY',
          `${c.running.length} jobs run on channel ${channel}: wait for them or cancel them`
        )
      }
      return { ...c, state: 'closing' }
    })
    return describe(record)
  }

  /**
   * Closes together with the payee and gets the rest of the deposit back. The payee's agreement is checked and stored
   * first, so that a call without it can finish what an earlier one began. Parallel calls send one message.
   *
   * @throws {PeerError} `CLOSE_ORDER_INVALID` if the payee's agreement is of another opening, unsigned, or over another
   *   amount than we can agree to
   * @throws {MoneyError} `CHANNEL_BUSY`, `CHANNEL_UNKNOWN`, `CHANNEL_CLOSED`; `CLOSE_ORDER_MISSING` if there is no agreement yet
   */
  close(channel: string, order?: CoopCloseOrder, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#closes.run(
      channel,
      async () => {
        await this.retire(channel)
        if ((await this.refresh(channel)).state === 'closed') {
          throw new MoneyError(
            'CHANNEL_CLOSED',
            `Channel ${channel} is closed already: the rest of its deposit went back`
          )
        }
        const record = await this.#change(channel, c => {
          if (order === undefined) {
            return c
          }
          requireFairClose(c, order)
          return { ...c, closeOrder: order }
        })
        if (record.closeOrder === undefined) {
          throw new MoneyError(
            'CLOSE_ORDER_MISSING',
            `The payee has not agreed to close ${channel}: ask it, or start to close alone`
          )
        }
        const receipt = await this.#components.chain.coopClose(channel, record.closeOrder)
        const { cumulative } = record.closeOrder
        await this.#change(channel, c => closedChannel(c, cumulative))
        return receipt
      },
      options
    )
  }

  /** Starts to close without the payee, who has the challenge period to claim. */
  startClose(channel: string, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#closes.run(
      channel,
      async () => {
        await this.retire(channel)
        return this.#components.chain.startClose(channel)
      },
      options
    )
  }

  /** Finishes a lone close once the challenge period is over. */
  finish(channel: string, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#closes.run(
      channel,
      async () => {
        const receipt = await this.#components.chain.finish(channel)
        await this.#change(channel, c => closedChannel(c, c.settled))
        return receipt
      },
      options
    )
  }

  list(): PayerChannelInfo[] {
    return this.#book.values().map(describe)
  }

  /** The highest voucher signed on a channel; undefined before the first. */
  highest(channel: string): Voucher | undefined {
    const record = this.#must(channel)
    return record.signature.byteLength === 0 ? undefined : this.#voucherOf(record)
  }

  #sign(c: PayerChannel): PayerChannel {
    return { ...c, signature: this.#signed(c).signature }
  }

  #signed(c: PayerChannel): Voucher {
    const { channel, openedLt, signed: cumulative } = c
    return signVoucher(this.#components.key, c.terms.globalId, { channel, openedLt, cumulative })
  }

  #voucherOf(c: PayerChannel): Voucher {
    // Before the first voucher: one over zero, for a job that costs nothing.
    if (c.signature.byteLength === 0) {
      return this.#signed(c)
    }
    return { channel: c.channel, openedLt: c.openedLt, cumulative: c.signed, signature: c.signature }
  }

  #change(
    channel: string,
    change: (c: PayerChannel, also: Parameters<Parameters<ChannelBook<PayerChannel>['update']>[1]>[1]) => PayerChannel
  ) {
    return this.#book.update(channel, (c, also) => change(c ?? this.#must(channel), also))
  }

  #must(channel: string): PayerChannel {
    const record = this.#book.get(channel)
    if (record === undefined) {
      throw new MoneyError('CHANNEL_UNKNOWN', `No channel ${channel} in the ledger: see the list of channels`)
    }
    return record
  }
}

function describe(c: PayerChannel): PayerChannelInfo {
  return {
    channel: c.channel,
    peerId: c.peerId,
    payeeAddress: c.terms.payeeAddress,
    terms: c.terms,
    state: c.state,
    openedLt: c.openedLt,
    deposit: c.deposit,
    signed: c.signed,
    settled: c.settled,
    used: addNano(c.spent, c.promised),
    credit: channelCredit(c),
    uncertain: c.uncertain,
    room: channelRoom(c),
    runningJobs: c.running.length,
    pendingDeposit: c.pending?.amount ?? ZERO_NANO_TON,
    openedAtMs: c.openedAtMs,
    lastUsedAtMs: c.lastUsedAtMs,
    closeAtMs: c.closeAtMs,
    closeAgreed: c.closeOrder !== undefined
  }
}
