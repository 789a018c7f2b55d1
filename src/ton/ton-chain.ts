import { beginCell } from '@ton/core'
import type { AbortOptions } from '../core/abort.ts'
import { MoneyError, UsageError } from '../core/errors.ts'
import { minNano, type NanoTon, subNanoFloor } from '../core/nano-ton.ts'
import { Turns } from '../core/turns.ts'
import { beforeSending, ChainTimeoutError, channelMissing } from './chain-errors.ts'
import { type ChannelTerms, channelAddress, channelStateInit } from './channel-address.ts'
import {
  type SignedFields,
  storeClaim,
  storeCoopClose,
  storeFinish,
  storeFund,
  storeStartClose
} from './channel-contract.ts'
import { type ChannelEnd, channelEnd } from './channel-end.ts'
import { channelFees } from './channel-fees.ts'
import type { ChannelMessage } from './channel-gas.ts'
import type { ChainReceipt, ClaimVoucher, CoopCloseOrder } from './channel-orders.ts'
import { nothingToClaim } from './channel-outcome.ts'
import { ChannelSender, type ChannelWrite } from './channel-sender.ts'
import { loadTerms } from './channel-terms.ts'
import { type ChannelView, channelView } from './channel-view.ts'
import { claimExternally, claimTooSmall } from './external-claim.ts'
import { type OpenedChannel, openedChannels } from './opened-channels.ts'
import type { PriceBoard, PriceRpc } from './price-board.ts'
import type { TonWallet, WalletRpc } from './ton-wallet.ts'
import { type ChainTransaction, readTransaction } from './transactions.ts'
import { poll, type Sleep } from './wait.ts'

export interface TonChainInit {
  /** Network: −239 mainnet, −3 testnet, −217 simnet. */
  globalId: number
  /**
   * How long to wait for the effect of a message, in milliseconds.
   * @default 90_000
   */
  timeoutMs?: number
}

/** What channels need of the chain's endpoint. */
export interface TonRpc extends WalletRpc, PriceRpc {
  tip(options?: AbortOptions): Promise<{ height: number; hash: Uint8Array }>
  blockHash(height: number, options?: AbortOptions): Promise<Uint8Array>
}

export interface TonChainComponents {
  rpc: TonRpc
  wallet: TonWallet
  prices: PriceBoard
  sleep: Sleep
}

const TIMEOUT_MS = 90_000

/**
 * Channels over toncenter. Every write resolves once its transaction is visible and succeeded. An error whose
 * `details.sent` is `false` promises that nothing was sent; after any other the message may still land.
 */
export class TonChain {
  readonly globalId: number
  readonly #rpc: TonRpc
  readonly #wallet: TonWallet
  readonly #prices: PriceBoard
  readonly #sender: ChannelSender
  readonly #sleep: Sleep
  readonly #timeoutMs: number
  readonly #turns = new Turns()

  constructor({ rpc, wallet, prices, sleep }: TonChainComponents, init: TonChainInit) {
    this.globalId = init.globalId
    this.#rpc = rpc
    this.#wallet = wallet
    this.#prices = prices
    this.#sleep = sleep
    this.#timeoutMs = init.timeoutMs ?? TIMEOUT_MS
    this.#sender = new ChannelSender({ rpc, wallet, prices, sleep }, this.#timeoutMs)
  }

  /**
   * The newest masterchain block, and the chain's time.
   *
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   */
  async tip(options: AbortOptions = {}): Promise<{ height: number; hash: Uint8Array; timeMs: number }> {
    const [{ height, hash }, { chainTime }] = await Promise.all([
      this.#rpc.tip(options),
      this.#rpc.account(this.#wallet.address, options)
    ])
    return { height, hash, timeMs: chainTime * 1000 }
  }

  /** As `ChainRpc.blockHash`: root hash of a masterchain block, 32 bytes. */
  async blockHash(height: number, options: AbortOptions = {}): Promise<Uint8Array> {
    return this.#rpc.blockHash(height, options)
  }

  /**
   * Raw address of the channel with these terms. Needs no network.
   *
   * @throws {UsageError} `CHANNEL_TERMS_INVALID`
   */
  channelAddress(terms: ChannelTerms): string {
    return channelAddress(terms)
  }

  /**
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {MoneyError} `CHANNEL_FOREIGN` if another contract lives at the address
   */
  async readChannel(channel: string, options: AbortOptions = {}): Promise<ChannelView> {
    return channelView(channel, await this.#rpc.account(channel, options))
  }

  /**
   * Terms of the channel at an address, as its contract holds them. They hash to the address, so no server can make
   * them up.
   *
   * @throws {MoneyError} `CHANNEL_MISSING`; `CHANNEL_FOREIGN` if another contract lives there
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   */
  async readTerms(channel: string, options: AbortOptions = {}): Promise<ChannelTerms> {
    const account = await this.#rpc.account(channel, options)
    if (channelView(channel, account).state === 'missing') {
      throw channelMissing(channel)
    }
    const terms = account.data && loadTerms(account.data)
    if (terms === undefined || channelAddress(terms) !== channel) {
      throw new MoneyError('CHANNEL_FOREIGN', `The contract at ${channel} was not opened with the terms it holds`, {
        details: { channel }
      })
    }
    return terms
  }

  /**
   * How an opening of a channel ended, from the channel's own history.
   *
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   */
  async howEnded(channel: string, openedLt: bigint, options: AbortOptions = {}): Promise<ChannelEnd> {
    return channelEnd(await this.transactionsOf(channel, undefined, options), openedLt)
  }

  /**
   * Deploys and funds the channel with one message.
   *
   * @throws {UsageError} `CHANNEL_TERMS_INVALID` if the terms are not for this network and wallet
   * @throws {MoneyError} `CHANNEL_EXISTS` if it is open already
   * @throws {NotEnoughBalanceError} `NOT_ENOUGH_BALANCE`, and the errors of every write: `CHAIN_UNREACHABLE`, `CHAIN_TIMEOUT`, `CHAIN_REFUSED`
   */
  async openChannel(
    terms: ChannelTerms,
    deposit: NanoTon,
    options: AbortOptions = {}
  ): Promise<ChainReceipt & { channel: string; openedLt: bigint }> {
    this.#requireOurTerms(terms)
    const channel = channelAddress(terms)
    return this.#turns.take(channel, async () => {
      if ((await beforeSending(this.readChannel(channel, options))).state !== 'missing') {
        throw new MoneyError(
          'CHANNEL_EXISTS',
          `Channel ${channel} is open already: top it up, or open one with another salt`,
          {
            details: { channel, sent: false }
          }
        )
      }
      const message = { kind: 'open', body: storeFund(deposit), deposit, init: channelStateInit(terms) } as const
      const receipt = await this.#sender.send(channel, message, options)
      const { openedLt } = await this.#waitForView(channel, 'The channel', view => view.state === 'open', options)
      return { ...receipt, channel, openedLt }
    })
  }

  /**
   * Adds to the deposit. A channel that is gone is not opened again.
   *
   * @throws {MoneyError} `CHANNEL_MISSING`, and the errors of {@link openChannel}
   */
  async topUp(channel: string, amount: NanoTon, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#write(channel, { kind: 'topUp', body: storeFund(amount), deposit: amount }, options)
  }

  /**
   * Pays the payee up to the voucher's amount. Anyone may send it.
   *
   * @throws {MoneyError} `CHANNEL_MISSING`, `NOTHING_TO_CLAIM` if as much is settled already, and the errors of {@link openChannel}
   */
  async claim(channel: string, voucher: ClaimVoucher, options: AbortOptions = {}): Promise<ChainReceipt> {
    const body = storeClaim(this.#signed(channel, voucher, voucher.signature))
    let before: ChannelView | undefined
    const receipt = await this.#write(channel, { kind: 'claim', body }, options, view => {
      before = view
      requireUnpaid(channel, view, voucher)
    })
    // The server that showed the transaction may not be the one that shows the account next.
    const settledBefore = before?.settled ?? 0n
    const paid = (view: ChannelView): boolean => view.openedLt !== voucher.openedLt || view.settled > settledBefore
    await this.#waitForView(channel, 'The claim', paid, options)
    return receipt
  }

  /**
   * Claims without a coin in the wallet: fees come out of the payout.
   *
   * @throws {MoneyError} `CLAIM_TOO_SMALL` if the payout does not cover them, `CHANNEL_CLOSED` if the channel is closed
   *   before the claim lands, and the errors of {@link claim}
   */
  async claimExternally(channel: string, voucher: ClaimVoucher, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#turns.take(channel, async () => {
      const account = await beforeSending(this.#rpc.account(channel, options))
      const view = channelView(channel, account)
      if (view.state === 'missing') {
        throw channelMissing(channel)
      }
      requireUnpaid(channel, view, voucher)
      const { externalClaimAbove } = channelFees(await beforeSending(this.#prices.prices(options)))
      const payout = minNano(subNanoFloor(voucher.cumulative, view.settled), view.balance)
      if (payout <= externalClaimAbove) {
        throw claimTooSmall(channel, payout, externalClaimAbove)
      }
      const transaction = await claimExternally(
        { rpc: this.#rpc, sleep: this.#sleep, readChannel: readOptions => this.readChannel(channel, readOptions) },
        {
          channel,
          body: beginCell()
            .store(storeClaim(this.#signed(channel, voucher, voucher.signature)))
            .endCell(),
          openedLt: view.openedLt,
          before: { settled: view.settled, lastLt: account.lastLt, asOfMs: view.asOfMs }
        },
        { ...options, timeoutMs: this.#timeoutMs }
      )
      return { transaction }
    })
  }

  /**
   * Pays out both sides at once and removes the channel.
   *
   * @throws {MoneyError} `CHANNEL_MISSING`, and the errors of {@link openChannel}
   */
  async coopClose(channel: string, order: CoopCloseOrder, options: AbortOptions = {}): Promise<ChainReceipt> {
    const statement = { ...this.#signed(channel, order, order.payeeSignature), validUntil: order.validUntil }
    return this.#write(channel, { kind: 'coopClose', body: storeCoopClose(statement) }, options)
  }

  /**
   * The payer starts to close alone; claims count until the challenge period is over.
   *
   * @throws {MoneyError} `CHANNEL_MISSING`, and the errors of {@link openChannel}
   */
  async startClose(channel: string, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#write(channel, { kind: 'startClose', body: storeStartClose() }, options)
  }

  /**
   * Anyone may finish a close whose challenge period is over.
   *
   * @throws {MoneyError} `CHANNEL_MISSING`, and the errors of {@link openChannel}
   */
  async finish(channel: string, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#write(channel, { kind: 'finish', body: storeFinish() }, options)
  }

  /**
   * What each message costs in the end, at the chain's prices of the hour.
   *
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {MoneyError} `CHAIN_PRICES_INVALID`
   */
  async fees(options: AbortOptions = {}): Promise<Readonly<Record<ChannelMessage, NanoTon>>> {
    return channelFees(await this.#prices.prices(options)).cost
  }

  /**
   * Every channel that our wallet ever opened, newest first, from the wallet's own history: the terms of all of them,
   * also of those that are closed.
   *
   * @throws {ChainHistoryIncompleteError} `CHAIN_HISTORY_INCOMPLETE`, with what was found
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   */
  async openedChannels(options: AbortOptions = {}): Promise<OpenedChannel[]> {
    const wallet = this.#wallet.address
    const { lastLt } = await this.#rpc.account(wallet, options)
    return openedChannels(this.#rpc, { wallet, lastLt }, options)
  }

  /**
   * Newest transactions of an account, newest first.
   *
   * @param limit at most 100
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   */
  async transactionsOf(address: string, limit = 100, options: AbortOptions = {}): Promise<ChainTransaction[]> {
    return (await this.#rpc.transactions(address, 0n, limit, options)).map(readTransaction)
  }

  #requireOurTerms(terms: ChannelTerms): void {
    if (terms.globalId !== this.globalId || terms.payerAddress !== this.#wallet.address) {
      throw new UsageError(
        'CHANNEL_TERMS_INVALID',
        `Channel terms name network ${terms.globalId} and payer ${terms.payerAddress}: expected ${this.globalId} and ${this.#wallet.address}`,
        { details: { sent: false } }
      )
    }
  }

  #signed(channel: string, total: { openedLt: bigint; cumulative: NanoTon }, signature: Uint8Array): SignedFields {
    return { globalId: this.globalId, channel, openedLt: total.openedLt, cumulative: total.cumulative, signature }
  }

  /** One message to an existing channel; others to the same channel wait. */
  async #write(
    channel: string,
    message: ChannelWrite,
    options: AbortOptions,
    check: (view: ChannelView) => void = () => undefined
  ): Promise<ChainReceipt> {
    return this.#turns.take(channel, async () => {
      const view = await beforeSending(this.readChannel(channel, options))
      if (view.state === 'missing') {
        throw channelMissing(channel)
      }
      check(view)
      return this.#sender.send(channel, message, options)
    })
  }

  async #waitForView(
    channel: string,
    what: string,
    holds: (view: ChannelView) => boolean,
    options: AbortOptions
  ): Promise<ChannelView> {
    const check = async (): Promise<ChannelView | undefined> => {
      const view = await this.readChannel(channel, options)
      return holds(view) ? view : undefined
    }
    const view = await poll(check, { limitMs: this.#timeoutMs }, this.#sleep, options)
    if (view === undefined) {
      throw new ChainTimeoutError(what, this.#timeoutMs, { channel })
    }
    return view
  }
}

function requireUnpaid(channel: string, view: ChannelView, voucher: ClaimVoucher): void {
  if (view.openedLt === voucher.openedLt && view.settled >= voucher.cumulative) {
    throw nothingToClaim(channel, view.settled, { sent: false })
  }
}
