import { Address, type Builder, beginCell, type Cell, external, storeMessage, type Transaction } from '@ton/core'
import type { AbortOptions } from '../core/abort.ts'
import { MoneyError, UsageError } from '../core/errors.ts'
import { type NanoTon, nanoTon, ZERO_NANO_TON } from '../core/nano-ton.ts'
import { Turns } from '../core/turns.ts'
import { beforeSending, ChainRefusedError, ChainTimeoutError, channelMissing, exitCodeText } from './chain-errors.ts'
import type { AccountView, ChainRpc } from './chain-rpc.ts'
import { type ChannelTerms, channelAddress, channelCode, channelStateInit } from './channel-address.ts'
import {
  CHANNEL_EXIT_CODES,
  loadChannelState,
  type SignedFields,
  storeClaim,
  storeCoopClose,
  storeFinish,
  storeFund,
  storeStartClose
} from './channel-contract.ts'
import type { SentTransfer, TonWallet } from './ton-wallet.ts'
import { type ChainTransaction, computeExitCode, messageId, readTransaction } from './transactions.ts'
import { poll, type Sleep } from './wait.ts'

/** A channel as the chain has it. Amounts are zero and `openedLt` is 0 when it is missing. */
export interface ChannelView {
  state: 'open' | 'closing' | 'missing'
  deposit: NanoTon
  settled: NanoTon
  /** When a started close may be finished, Unix milliseconds; 0 unless closing. */
  closeAtMs: number
  openedLt: bigint
  /** Nanotons the contract holds now. */
  balance: NanoTon
  /** Chain time of the block this was read from, Unix milliseconds. */
  asOfMs: number
}

/** A voucher as the contract takes it. */
export interface ClaimVoucher {
  openedLt: bigint
  cumulative: NanoTon
  /** Of the payer, 64 bytes. */
  signature: Uint8Array
}

/** The payee's agreement to close now with `cumulative` paid in all; more than is settled only if the payer sends it. */
export interface CoopCloseOrder {
  openedLt: bigint
  cumulative: NanoTon
  /** Last second in which the agreement counts, Unix seconds of the chain. */
  validUntil: number
  /** 64 bytes. */
  payeeSignature: Uint8Array
}

/** What a message to a channel came to. */
export interface ChainReceipt {
  /**
   * Hash of the channel's transaction, hex. After a close some servers no longer show a channel's history: then it is
   * the hash of the transaction in which our wallet got its share.
   */
  transaction: string
}

export interface TonChainInit {
  /** Network: −239 mainnet, −3 testnet, −217 simnet. */
  globalId: number
  /**
   * How long to wait for the effect of a message, in milliseconds.
   * @default 90_000
   */
  timeoutMs?: number
}

export interface TonChainComponents {
  rpc: ChainRpc
  wallet: TonWallet
  sleep: Sleep
}

const TIMEOUT_MS = 90_000

/** Attached to a message for gas, and for an opening's storage reserve; what is left comes back. Not a price. */
const ATTACHED: NanoTon = nanoTon(50_000_000n)

const NO_CHANNEL: Omit<ChannelView, 'asOfMs'> = {
  state: 'missing',
  deposit: ZERO_NANO_TON,
  settled: ZERO_NANO_TON,
  closeAtMs: 0,
  openedLt: 0n,
  balance: ZERO_NANO_TON
}

/**
 * Channels over toncenter. Every write resolves once its transaction is visible and succeeded. An error whose
 * `details.sent` is `false` promises that nothing was sent; after any other the message may still land.
 */
export class TonChain {
  readonly globalId: number
  readonly #rpc: ChainRpc
  readonly #wallet: TonWallet
  readonly #sleep: Sleep
  readonly #timeoutMs: number
  readonly #turns = new Turns()

  constructor({ rpc, wallet, sleep }: TonChainComponents, init: TonChainInit) {
    this.globalId = init.globalId
    this.#rpc = rpc
    this.#wallet = wallet
    this.#sleep = sleep
    this.#timeoutMs = init.timeoutMs ?? TIMEOUT_MS
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
    return viewOf(channel, await this.#rpc.account(channel, options))
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
      const receipt = await this.#send(
        channel,
        storeFund(deposit),
        nanoTon(deposit + ATTACHED),
        options,
        channelStateInit(terms)
      )
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
    return this.#write(channel, storeFund(amount), nanoTon(amount + ATTACHED), options)
  }

  /**
   * Pays the payee up to the voucher's amount. Anyone may send it.
   *
   * @throws {MoneyError} `CHANNEL_MISSING`, `NOTHING_TO_CLAIM` if as much is settled already, and the errors of {@link openChannel}
   */
  async claim(channel: string, voucher: ClaimVoucher, options: AbortOptions = {}): Promise<ChainReceipt> {
    const body = storeClaim(this.#signed(channel, voucher, voucher.signature))
    const receipt = await this.#write(channel, body, ATTACHED, options, view => requireUnpaid(channel, view, voucher))
    // The server that showed the transaction may not be the one that shows the account next.
    const paid = (view: ChannelView): boolean =>
      view.openedLt !== voucher.openedLt || view.settled >= voucher.cumulative
    await this.#waitForView(channel, 'The claim', paid, options)
    return receipt
  }

  /**
   * Claims without a coin in the wallet: gas comes out of the payout.
   *
   * @throws {MoneyError} `CLAIM_TOO_SMALL` if the payout would not cover it, and the errors of {@link claim}
   */
  async claimExternally(channel: string, voucher: ClaimVoucher, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#turns.take(channel, async () => {
      const account = await beforeSending(this.#rpc.account(channel, options))
      const view = viewOf(channel, account)
      if (view.state === 'missing') {
        throw channelMissing(channel)
      }
      requireUnpaid(channel, view, voucher)
      const body = beginCell()
        .store(storeClaim(this.#signed(channel, voucher, voucher.signature)))
        .endCell()
      const message = external({ to: Address.parseRaw(channel), body })
      try {
        await this.#rpc.sendBoc(beginCell().store(storeMessage(message)).endCell().toBoc(), options)
      } catch (err) {
        throw explainExternal(channel, err)
      }
      const isOurs = (tx: Transaction): boolean =>
        tx.inMessage?.info.type === 'external-in' && tx.inMessage.body.hash().equals(body.hash())
      const check = async (): Promise<Transaction | undefined> =>
        (await this.#rpc.transactions(channel, account.lastLt, undefined, options)).find(isOurs)
      const tx = await poll(check, { limitMs: this.#timeoutMs }, this.#sleep, options)
      if (tx === undefined) {
        throw new ChainTimeoutError(`The external claim on channel ${channel}`, this.#timeoutMs, { channel })
      }
      return { transaction: tx.hash().toString('hex') }
    })
  }

  /**
   * Pays out both sides at once and removes the channel.
   *
   * @throws {MoneyError} `CHANNEL_MISSING`, and the errors of {@link openChannel}
   */
  async coopClose(channel: string, order: CoopCloseOrder, options: AbortOptions = {}): Promise<ChainReceipt> {
    const statement = { ...this.#signed(channel, order, order.payeeSignature), validUntil: order.validUntil }
    return this.#write(channel, storeCoopClose(statement), ATTACHED, options)
  }

  /**
   * The payer starts to close alone; claims count until the challenge period is over.
   *
   * @throws {MoneyError} `CHANNEL_MISSING`, and the errors of {@link openChannel}
   */
  async startClose(channel: string, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#write(channel, storeStartClose(), ATTACHED, options)
  }

  /**
   * Anyone may finish a close whose challenge period is over.
   *
   * @throws {MoneyError} `CHANNEL_MISSING`, and the errors of {@link openChannel}
   */
  async finish(channel: string, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#write(channel, storeFinish(), ATTACHED, options)
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
    body: (builder: Builder) => void,
    value: NanoTon,
    options: AbortOptions,
    check: (view: ChannelView) => void = () => undefined
  ): Promise<ChainReceipt> {
    return this.#turns.take(channel, async () => {
      const view = await beforeSending(this.readChannel(channel, options))
      if (view.state === 'missing') {
        throw channelMissing(channel)
      }
      check(view)
      return this.#send(channel, body, value, options)
    })
  }

  async #send(
    channel: string,
    body: (builder: Builder) => void,
    value: NanoTon,
    options: AbortOptions,
    init?: { code: Cell; data: Cell }
  ): Promise<ChainReceipt> {
    const to = Address.parseRaw(channel)
    const cell = beginCell().store(body).endCell()
    const sent = await this.#wallet.transfer(
      { to, value, bounce: true, body: cell, ...(init === undefined ? {} : { init }) },
      options
    )
    const what = `The message to channel ${channel}`
    const outcome = await poll(
      () => this.#findOutcome(channel, sent, options),
      { limitMs: this.#timeoutMs },
      this.#sleep,
      options
    )
    if (outcome === undefined) {
      throw new ChainTimeoutError(what, this.#timeoutMs, { channel })
    }
    if (!outcome.accepted) {
      throw refusal(channel, outcome.exitCode)
    }
    return { transaction: outcome.transaction }
  }

  /** What the channel did with our message, from its own history or, where that is gone, from what came back. */
  async #findOutcome(channel: string, sent: SentTransfer, options: AbortOptions): Promise<Outcome | undefined> {
    const own = await this.#rpc.transactions(channel, sent.lt, undefined, options)
    const handled = own.find(tx => {
      const id = messageId(tx.inMessage)
      return id?.from === this.#wallet.address && id.createdLt === sent.createdLt
    })
    if (handled !== undefined) {
      const accepted = handled.description.type === 'generic' && !handled.description.aborted
      return { accepted, exitCode: computeExitCode(handled), transaction: handled.hash().toString('hex') }
    }
    const back = (await this.#rpc.transactions(this.#wallet.address, sent.lt, undefined, options)).find(tx =>
      isReply(tx, channel, sent)
    )
    if (back === undefined || (await this.readChannel(channel, options)).state !== 'missing') {
      return undefined
    }
    const accepted = messageId(back.inMessage)?.bounced === false
    return { accepted, exitCode: undefined, transaction: back.hash().toString('hex') }
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

interface Outcome {
  accepted: boolean
  exitCode: number | undefined
  transaction: string
}

function isReply(tx: Transaction, channel: string, sent: SentTransfer): boolean {
  const id = messageId(tx.inMessage)
  return id?.from === channel && id.createdLt > sent.createdLt
}

function refusal(channel: string, exitCode: number | undefined): MoneyError {
  if (exitCode === CHANNEL_EXIT_CODES.nothingToClaim) {
    return nothingToClaim(channel, undefined, { exitCode })
  }
  return new ChainRefusedError(`the message to channel ${channel}`, exitCodeText(exitCode), { channel, exitCode })
}

function requireUnpaid(channel: string, view: ChannelView, voucher: ClaimVoucher): void {
  if (view.openedLt === voucher.openedLt && view.settled >= voucher.cumulative) {
    throw nothingToClaim(channel, view.settled, { sent: false })
  }
}

/** A contract that does not accept an external message names its exit code in the endpoint's words at best. */
function explainExternal(channel: string, err: unknown): unknown {
  const tooSmall = new RegExp(`\\b${CHANNEL_EXIT_CODES.payoutTooSmall}\\b`)
  return err instanceof ChainRefusedError && tooSmall.test(err.message)
    ? new MoneyError('CLAIM_TOO_SMALL', `The payout of ${channel} does not cover the fees of an external claim`, {
        cause: err,
        details: { channel, sent: false }
      })
    : err
}

function nothingToClaim(
  channel: string,
  settled: NanoTon | undefined,
  details: { sent?: boolean; exitCode?: number }
): MoneyError {
  return new MoneyError('NOTHING_TO_CLAIM', `Channel ${channel} has paid this voucher, or a higher one, already`, {
    details: { channel, settled, ...details }
  })
}

function viewOf(channel: string, account: AccountView): ChannelView {
  const asOfMs = account.chainTime * 1000
  if (!account.active || account.code === undefined || account.data === undefined) {
    return { ...NO_CHANNEL, balance: account.balance, asOfMs }
  }
  if (!account.code.equals(channelCode())) {
    throw new MoneyError('CHANNEL_FOREIGN', `The contract at ${channel} is not a channel of this version`, {
      details: { channel, sent: false }
    })
  }
  const { state, deposit, settled, closeAt, openedLt } = loadChannelState(account.data.beginParse())
  if (state === 'new') {
    return { ...NO_CHANNEL, balance: account.balance, asOfMs }
  }
  return { state, deposit, settled, closeAtMs: closeAt * 1000, openedLt, balance: account.balance, asOfMs }
}
