import { Address, type Builder, beginCell, type Cell } from '@ton/core'
import type { AbortOptions } from '../core/abort.ts'
import { type NanoTon, nanoTon, ZERO_NANO_TON } from '../core/nano-ton.ts'
import { beforeSending, ChainTimeoutError } from './chain-errors.ts'
import { channelFees, type WalletSentMessage } from './channel-fees.ts'
import type { ChainReceipt } from './channel-orders.ts'
import { findOutcome, type Outcome, refusal } from './channel-outcome.ts'
import { channelView } from './channel-view.ts'
import type { PriceBoard } from './price-board.ts'
import type { TonWallet, WalletRpc } from './ton-wallet.ts'
import { poll, type Sleep } from './wait.ts'

/** A message to a channel. */
export interface ChannelWrite {
  kind: WalletSentMessage
  body: (builder: Builder) => void
  /** Goes to the channel; what is attached for fees comes on top. */
  deposit?: NanoTon
  init?: { code: Cell; data: Cell }
}

export interface ChannelSenderComponents {
  rpc: WalletRpc
  wallet: TonWallet
  prices: PriceBoard
  sleep: Sleep
}

/** Sends messages from the wallet to channels, each with what it needs for fees, and waits for what they come to. */
export class ChannelSender {
  readonly #rpc: WalletRpc
  readonly #wallet: TonWallet
  readonly #prices: PriceBoard
  readonly #sleep: Sleep
  readonly #timeoutMs: number

  /** @param timeoutMs longest wait for what the channel makes of a message */
  constructor({ rpc, wallet, prices, sleep }: ChannelSenderComponents, timeoutMs: number) {
    this.#rpc = rpc
    this.#wallet = wallet
    this.#prices = prices
    this.#sleep = sleep
    this.#timeoutMs = timeoutMs
  }

  /**
   * @throws {NotEnoughBalanceError} `NOT_ENOUGH_BALANCE`
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`, `CHAIN_TIMEOUT`, `CHAIN_REFUSED`, `WALLET_SHARED`
   * @throws {MoneyError} `NOTHING_TO_CLAIM`, `CHAIN_PRICES_INVALID`
   */
  async send(channel: string, message: ChannelWrite, options: AbortOptions = {}): Promise<ChainReceipt> {
    const attached = await this.#attachment(message.kind, options)
    const outcome = await this.#sendOnce(channel, message, attached, options)
    if (outcome.accepted) {
      return { transaction: outcome.transaction }
    }
    // Prices may have risen since they were read: then what was sent is back but for its fees. Once more, at those of now.
    this.#prices.forget()
    const needed = await this.#attachment(message.kind, options)
    const again = needed > attached ? await this.#sendOnce(channel, message, needed, options) : outcome
    if (again.accepted) {
      return { transaction: again.transaction }
    }
    throw refusal(channel, again.exitCode)
  }

  async #attachment(kind: WalletSentMessage, options: AbortOptions): Promise<NanoTon> {
    return channelFees(await beforeSending(this.#prices.prices(options))).attach[kind]
  }

  async #sendOnce(
    channel: string,
    { body, init, deposit = ZERO_NANO_TON }: ChannelWrite,
    attached: NanoTon,
    options: AbortOptions
  ): Promise<Outcome> {
    const sent = await this.#wallet.transfer(
      {
        to: Address.parseRaw(channel),
        value: nanoTon(deposit + attached),
        bounce: true,
        body: beginCell().store(body).endCell(),
        ...(init === undefined ? {} : { init })
      },
      options
    )
    const isMissing = async (): Promise<boolean> =>
      channelView(channel, await this.#rpc.account(channel, options)).state === 'missing'
    const outcome = await poll(
      () => findOutcome(this.#rpc, { channel, wallet: this.#wallet.address, sent }, isMissing, options),
      { limitMs: this.#timeoutMs },
      this.#sleep,
      options
    )
    if (outcome === undefined) {
      throw new ChainTimeoutError(`The message to channel ${channel}`, this.#timeoutMs, { channel })
    }
    return outcome
  }
}
