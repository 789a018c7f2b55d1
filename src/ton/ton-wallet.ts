import { Address, type Transaction } from '@ton/core'
import type { AbortOptions } from '../core/abort.ts'
import type { Ed25519KeyPair } from '../core/ed25519.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import { completeHistory, type HistoryRpc } from './account-history.ts'
import {
  beforeSending,
  ChainRefusedError,
  ChainTimeoutError,
  ChainUnreachableError,
  NotEnoughBalanceError,
  walletShared
} from './chain-errors.ts'
import type { AccountView } from './chain-rpc.ts'
import type { PriceBoard } from './price-board.ts'
import { poll, type Sleep } from './wait.ts'
import { batchSize } from './wallet-batch.ts'
import { externalBodyHash, type Fate, fateOf, sentTransfers } from './wallet-fate.ts'
import { walletFee } from './wallet-fees.ts'
import { friendlyAddress, readSeqno, type Transfer, type WalletMessage, WalletSigner } from './wallet-message.ts'
import { type Waiting, WaitingList } from './wallet-queue.ts'

export interface TonWalletInit {
  key: Ed25519KeyPair
  /** Part of the wallet's id, so that one key has one wallet per network. */
  globalId: number
  /**
   * How long a signed transfer is valid, in seconds of the chain's time.
   * @default 60
   */
  validForSeconds?: number
  /**
   * How long to wait for a transfer's transaction, in milliseconds.
   * @default 90_000
   */
  timeoutMs?: number
  /**
   * How much later than a transfer's validity the chain's time must be before it counts as expired, in seconds.
   * @default 5
   */
  expiryMarginSeconds?: number
}

/** What the wallet needs of the chain's endpoint. */
export interface WalletRpc extends HistoryRpc {
  account(address: string, options?: AbortOptions): Promise<AccountView>
  sendBoc(boc: Buffer, options?: AbortOptions): Promise<void>
}

/** Somebody else sends from this wallet: another process or another program with the same key. */
export interface WalletSharedNotice {
  code: 'WALLET_SHARED'
  /** Raw address. */
  wallet: string
  /** Hash of the other's transaction, hex. */
  transaction: string
}

export interface TonWalletComponents {
  rpc: WalletRpc
  prices: PriceBoard
  sleep: Sleep
  /** Told once for each message of somebody else that is noticed. */
  onShared?: (notice: WalletSharedNotice) => void
}

/** A transfer as it happened. */
export interface SentTransfer {
  /** Hash of the wallet's transaction, hex. */
  transaction: string
  /** Logical time of that transaction. */
  lt: bigint
  /** Creation time of the message that left the wallet. */
  createdLt: bigint
}

type Entry = Waiting<Transfer, SentTransfer>

const VALID_FOR_SECONDS = 60
const TIMEOUT_MS = 90_000

/** A message is handed in again after this long, in seconds of the chain's time: after an answer, and without one. */
const REPEAT_SECONDS = { accepted: 10, refused: 2 }

/** How long a block may hold a message in a part of the chain that the endpoint does not show yet, in seconds. */
const EXPIRY_MARGIN_SECONDS = 5

/** W5 takes 255; the message itself has to stay small. */
const MAX_BATCH = 32

/** Times that a transfer is signed anew because somebody else used its seqno. */
const MAX_DISPLACED = 8

/**
 * A W5 wallet (v5r1) with one writer: transfers wait while a message is under way, and those that wait go out together
 * in the next. A message is signed anew only after the chain proved that the last one never lands.
 */
export class TonWallet {
  /** Raw address. */
  readonly address: string
  /** The same as other wallets show it. */
  readonly friendlyAddress: string
  readonly #rpc: WalletRpc
  readonly #prices: PriceBoard
  readonly #sleep: Sleep
  readonly #onShared: (notice: WalletSharedNotice) => void
  readonly #signer: WalletSigner
  readonly #validForSeconds: number
  readonly #timeoutMs: number
  readonly #expiryMarginSeconds: number
  readonly #list: WaitingList<Transfer, SentTransfer>
  /** Messages signed here whose seqno may still be used: hash of the body, hex, and seqno. */
  readonly #signed = new Map<string, number>()
  /** The wallet as our last message, or the first look, left it: a server that shows less lags. */
  #known: { seqno: number; lt: bigint } | undefined
  /** Up to here every message of somebody else was told of. */
  #noticedLt = 0n

  constructor({ rpc, prices, sleep, onShared }: TonWalletComponents, init: TonWalletInit) {
    this.#rpc = rpc
    this.#prices = prices
    this.#sleep = sleep
    this.#onShared = onShared ?? (() => undefined)
    this.#signer = new WalletSigner(init.key, init.globalId)
    this.address = this.#signer.address
    this.friendlyAddress = friendlyAddress(this.address, init.globalId)
    this.#validForSeconds = init.validForSeconds ?? VALID_FOR_SECONDS
    this.#timeoutMs = init.timeoutMs ?? TIMEOUT_MS
    this.#expiryMarginSeconds = init.expiryMarginSeconds ?? EXPIRY_MARGIN_SECONDS
    this.#list = new WaitingList(options => this.#sendSome(options))
  }

  /** @throws {ChainUnreachableError} `CHAIN_UNREACHABLE` */
  async balance(options: AbortOptions = {}): Promise<NanoTon> {
    return (await this.#rpc.account(this.address, options)).balance
  }

  /**
   * Sends plain coins and waits until they left the wallet. They do not come back if nobody owns `to`.
   *
   * @throws {NotEnoughBalanceError} `NOT_ENOUGH_BALANCE`
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`, `CHAIN_TIMEOUT`, `CHAIN_REFUSED`, `WALLET_SHARED`
   */
  async send(to: string, amount: NanoTon, options: AbortOptions = {}): Promise<{ transaction: string }> {
    const { transaction } = await this.transfer({ to: Address.parseRaw(to), value: amount, bounce: false }, options)
    return { transaction }
  }

  /**
   * Sends one message and waits until it left the wallet; what its receiver does is not waited for.
   * An error whose `details.sent` is `false` promises that it never will leave.
   *
   * @throws {NotEnoughBalanceError} `NOT_ENOUGH_BALANCE`
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`, `CHAIN_TIMEOUT`, `CHAIN_REFUSED`
   * @throws {MoneyError} `WALLET_SHARED` if somebody else keeps sending from this wallet
   */
  async transfer(transfer: Transfer, options: AbortOptions = {}): Promise<SentTransfer> {
    return this.#list.add(transfer, options)
  }

  /** Sends the oldest waiting transfers in one message, and settles them as it fared. */
  async #sendSome(options: AbortOptions): Promise<void> {
    const account = await beforeSending(this.#freshAccount(options))
    const prices = await beforeSending(this.#prices.prices(options))
    const needOf = (transfers: readonly Transfer[]): bigint =>
      walletFee(prices, transfers, account.active) + transfers.reduce((sum, { value }) => sum + value, 0n)
    const waiting = this.#list.waiting.map(({ item }) => item)
    const size = batchSize(waiting.slice(0, MAX_BATCH), account.balance, needOf)
    const batch = this.#list.take(Math.max(size, 1))
    const [first] = batch
    if (size === 0 && first !== undefined) {
      throw new NotEnoughBalanceError(this.address, account.balance, needOf([first.item]))
    }
    if (batch.length > 0) {
      this.#settle(batch, await this.#send(batch, account, options))
    }
  }

  #settle(batch: readonly Entry[], fate: Fate): void {
    switch (fate.kind) {
      case 'landed':
        this.#settleLanded(batch, fate.transaction)
        return
      case 'expired':
        throw new ChainTimeoutError(`The transfer of wallet ${this.address}`, this.#validForSeconds * 1000, {
          sent: false
        })
      case 'displaced': {
        for (const entry of batch) {
          entry.tries++
        }
        const [lost, again] = [batch.filter(isLost), batch.filter(entry => !isLost(entry))]
        this.#list.putBack(again)
        for (const entry of lost) {
          entry.reject(walletShared(this.address, entry.tries))
        }
      }
    }
  }

  #settleLanded(batch: readonly Entry[], transaction: Transaction): void {
    const { lt } = transaction
    const hash = transaction.hash().toString('hex')
    const sent = sentTransfers(
      transaction,
      batch.map(({ item }) => item)
    )
    for (const [index, entry] of batch.entries()) {
      const createdLt = sent[index]
      if (createdLt === undefined) {
        // W5 ignores errors of its actions: the fee is gone, the message was dropped.
        const why = `wallet ${this.address} dropped it, most likely for lack of balance`
        entry.reject(new ChainRefusedError('the transfer', why, { sent: false }))
      } else {
        entry.resolve({ transaction: hash, lt, createdLt })
      }
    }
  }

  /** Signs and hands in one message, and follows it until the chain has it or proves that it never will. */
  async #send(batch: readonly Entry[], account: AccountView, options: AbortOptions): Promise<Fate> {
    // The chain's time, not this machine's: a wrong clock would make every transfer invalid.
    const validUntil = account.chainTime + this.#validForSeconds
    const message = await this.#signer.sign(
      batch.map(({ item }) => item),
      account,
      validUntil
    )
    this.#signed.set(message.bodyHash.toString('hex'), message.seqno)
    const accepted = await this.#handIn(message, options)
    const fate = await this.#follow(message, { atSecond: account.chainTime, accepted }, options)
    if (fate.kind === 'landed') {
      this.#learn(message.seqno + 1, fate.transaction.lt)
    }
    return fate
  }

  /**
   * Whether the endpoint took the message. What it answers is no proof that it landed or not: a refusal may come from a
   * server that has seen it land, and without an answer it may have arrived. Throws only what says that nobody has it.
   */
  async #handIn(message: WalletMessage, options: AbortOptions): Promise<boolean> {
    try {
      await this.#rpc.sendBoc(message.boc, options)
      return true
    } catch (err) {
      const isDoubtful = err instanceof ChainRefusedError || err instanceof ChainUnreachableError
      if (isDoubtful && err.details['sent'] !== false) {
        return false
      }
      throw err
    }
  }

  async #follow(
    message: WalletMessage,
    first: { atSecond: number; accepted: boolean },
    options: AbortOptions
  ): Promise<Fate> {
    let handedIn = first
    const range = { afterLt: message.afterLt }
    const provenAfter = { ...message, validUntil: message.validUntil + this.#expiryMarginSeconds }
    const check = async (): Promise<Fate | undefined> => {
      // State first: what a later history lacks up to the state's last transaction is not in that state.
      const account = await this.#rpc.account(this.address, options)
      const history = await completeHistory(this.#rpc, this.address, { ...range, upToLt: account.lastLt }, options)
      this.#noticeStrangers(history ?? [])
      const fate = fateOf(provenAfter, { seqno: readSeqno(account), chainTime: account.chainTime }, history)
      const pause = handedIn.accepted ? REPEAT_SECONDS.accepted : REPEAT_SECONDS.refused
      if (fate === undefined && account.chainTime >= handedIn.atSecond + pause) {
        handedIn = { atSecond: account.chainTime, accepted: await this.#handIn(message, options).catch(() => false) }
      }
      return fate
    }
    const fate = await poll(check, { limitMs: this.#timeoutMs }, this.#sleep, options)
    if (fate === undefined) {
      throw new ChainTimeoutError(`The transfer of wallet ${this.address}`, this.#timeoutMs)
    }
    return fate
  }

  /** The wallet's account, from a server that has seen all that we have. */
  async #freshAccount(options: AbortOptions): Promise<AccountView> {
    const check = async (): Promise<AccountView | undefined> => {
      const account = await this.#rpc.account(this.address, options)
      const known = this.#known
      return known !== undefined && (account.lastLt < known.lt || readSeqno(account) < known.seqno)
        ? undefined
        : account
    }
    const account = await poll(check, { limitMs: this.#timeoutMs }, this.#sleep, options)
    if (account === undefined) {
      throw new ChainTimeoutError(`The last transaction of wallet ${this.address}`, this.#timeoutMs, { sent: false })
    }
    const seqno = readSeqno(account)
    if (this.#known !== undefined && seqno > this.#known.seqno) {
      const range = { afterLt: this.#known.lt, upToLt: account.lastLt }
      this.#noticeStrangers((await completeHistory(this.#rpc, this.address, range, options)) ?? [])
    }
    this.#learn(seqno, account.lastLt)
    return account
  }

  #learn(seqno: number, lt: bigint): void {
    if (this.#known === undefined) {
      this.#noticedLt = lt
    }
    this.#known = { seqno, lt }
    for (const [hash, used] of this.#signed) {
      if (used < seqno) {
        this.#signed.delete(hash)
      }
    }
  }

  #noticeStrangers(history: readonly Transaction[]): void {
    for (const tx of history.toReversed()) {
      const hash = externalBodyHash(tx)
      if (hash !== undefined && tx.lt > this.#noticedLt && !this.#signed.has(hash.toString('hex'))) {
        this.#onShared({ code: 'WALLET_SHARED', wallet: this.address, transaction: tx.hash().toString('hex') })
      }
    }
    this.#noticedLt = maxLt(this.#noticedLt, history[0]?.lt)
  }
}

function isLost({ tries }: Entry): boolean {
  return tries > MAX_DISPLACED
}

function maxLt(a: bigint, b = 0n): bigint {
  return a > b ? a : b
}
