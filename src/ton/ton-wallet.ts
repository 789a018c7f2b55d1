import { Address, beginCell, type Cell, external, internal, SendMode, storeMessage, type Transaction } from '@ton/core'
import { WalletContractV5R1 } from '@ton/ton'
import type { AbortOptions } from '../core/abort.ts'
import { formatRawAddress } from '../core/address.ts'
import { type Ed25519KeyPair, ed25519Sign } from '../core/ed25519.ts'
import { type NanoTon, nanoTon } from '../core/nano-ton.ts'
import { Turns } from '../core/turns.ts'
import {
  beforeSending,
  ChainRefusedError,
  ChainTimeoutError,
  ChainUnreachableError,
  NotEnoughBalanceError
} from './chain-errors.ts'
import type { AccountView, ChainRpc } from './chain-rpc.ts'
import { poll, type Sleep } from './wait.ts'

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
}

export interface TonWalletComponents {
  rpc: ChainRpc
  sleep: Sleep
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

interface Transfer {
  to: Address
  value: NanoTon
  bounce: boolean
  init?: { code: Cell; data: Cell }
  body?: Cell
}

const VALID_FOR_SECONDS = 60
const TIMEOUT_MS = 90_000

/** Kept back for the wallet's own fees when its balance is checked. Not a price: the chain decides that. */
const FEE_MARGIN: NanoTon = nanoTon(10_000_000n)

/**
 * A W5 wallet (v5r1) that sends one message at a time: the next waits until the chain shows the last, because of two
 * transfers with one seqno the second is dropped without a trace.
 */
export class TonWallet {
  /** Raw address. */
  readonly address: string
  readonly #rpc: ChainRpc
  readonly #sleep: Sleep
  readonly #key: Ed25519KeyPair
  readonly #contract: WalletContractV5R1
  readonly #validForSeconds: number
  readonly #timeoutMs: number
  readonly #turns = new Turns()

  constructor({ rpc, sleep }: TonWalletComponents, init: TonWalletInit) {
    this.#rpc = rpc
    this.#sleep = sleep
    this.#key = init.key
    this.#contract = walletContract(init.key.publicKey, init.globalId)
    this.address = formatRawAddress({ workchain: this.#contract.address.workChain, hash: this.#contract.address.hash })
    this.#validForSeconds = init.validForSeconds ?? VALID_FOR_SECONDS
    this.#timeoutMs = init.timeoutMs ?? TIMEOUT_MS
  }

  /** @throws {ChainUnreachableError} `CHAIN_UNREACHABLE` */
  async balance(options: AbortOptions = {}): Promise<NanoTon> {
    return (await this.#rpc.account(this.address, options)).balance
  }

  /**
   * Sends plain coins and waits until they left the wallet. They do not come back if nobody owns `to`.
   *
   * @throws {NotEnoughBalanceError} `NOT_ENOUGH_BALANCE`
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`, `CHAIN_TIMEOUT`, `CHAIN_REFUSED`
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
   */
  async transfer(transfer: Transfer, options: AbortOptions = {}): Promise<SentTransfer> {
    return this.#turns.take('send', () => this.#transferNow(transfer, options))
  }

  async #transferNow(transfer: Transfer, options: AbortOptions): Promise<SentTransfer> {
    const account = await beforeSending(this.#rpc.account(this.address, options))
    const need = transfer.value + FEE_MARGIN
    if (account.balance < need) {
      throw new NotEnoughBalanceError(this.address, account.balance, need)
    }
    // The chain's time, not this machine's: a wrong clock would make every transfer invalid.
    const validUntil = account.chainTime + this.#validForSeconds
    const body = await this.#sign(transfer, readSeqno(account), validUntil)
    const message = external({
      to: this.#contract.address,
      body,
      ...(account.active ? {} : { init: this.#contract.init })
    })
    try {
      await this.#rpc.sendBoc(beginCell().store(storeMessage(message)).endCell().toBoc(), options)
    } catch (err) {
      // Without an answer the message may have arrived all the same: the chain knows.
      if (!(err instanceof ChainUnreachableError) || err.details['sent'] === false) {
        throw err
      }
    }
    const tx = await this.#waitFor(body.hash(), account.lastLt, validUntil, options)
    const sent = tx.outMessages.values()[0]?.info
    if (sent?.type !== 'internal') {
      // W5 ignores errors of its actions: the fee is gone, the message was dropped.
      throw new ChainRefusedError(
        'the transfer',
        `wallet ${this.address} dropped it, most likely for lack of balance`,
        { sent: false }
      )
    }
    return { transaction: tx.hash().toString('hex'), lt: tx.lt, createdLt: sent.createdLt }
  }

  async #sign(transfer: Transfer, seqno: number, validUntil: number): Promise<Cell> {
    const { to, value, bounce, init, body } = transfer
    return this.#contract.createTransfer({
      seqno,
      timeout: validUntil,
      sendMode: SendMode.PAY_GAS_SEPARATELY | SendMode.IGNORE_ERRORS,
      // Built here and not by a provider, which would attach the StateInit whenever the account is missing.
      messages: [
        internal({
          to,
          value,
          bounce,
          ...(init === undefined ? {} : { init }),
          ...(body === undefined ? {} : { body })
        })
      ],
      signer: async cell => Buffer.from(ed25519Sign(this.#key.privateKey, cell.hash()))
    })
  }

  async #waitFor(bodyHash: Buffer, afterLt: bigint, validUntil: number, options: AbortOptions): Promise<Transaction> {
    const isOurs = (tx: Transaction): boolean =>
      tx.inMessage?.info.type === 'external-in' && tx.inMessage.body.hash().equals(bodyHash)
    const check = async (): Promise<Transaction | 'expired' | undefined> => {
      // Time first: a transaction that is missing from a later list can no longer come.
      const { chainTime, lastLt } = await this.#rpc.account(this.address, options)
      const found =
        lastLt > afterLt
          ? (await this.#rpc.transactions(this.address, afterLt, undefined, options)).find(isOurs)
          : undefined
      return found ?? (chainTime > validUntil ? 'expired' : undefined)
    }
    const found = await poll(check, { limitMs: this.#timeoutMs }, this.#sleep, options)
    if (found === 'expired') {
      throw new ChainTimeoutError(`The transfer of wallet ${this.address}`, this.#validForSeconds * 1000, {
        sent: false
      })
    }
    if (found === undefined) {
      throw new ChainTimeoutError(`The transfer of wallet ${this.address}`, this.#timeoutMs)
    }
    return found
  }
}

/** Raw address of the wallet that a key has on a network. Needs no network. */
export function walletAddress(publicKey: Uint8Array, globalId: number): string {
  const { address } = walletContract(publicKey, globalId)
  return formatRawAddress({ workchain: address.workChain, hash: address.hash })
}

function walletContract(publicKey: Uint8Array, globalId: number): WalletContractV5R1 {
  return WalletContractV5R1.create({
    workchain: 0,
    publicKey: Buffer.from(publicKey),
    walletId: { networkGlobalId: globalId }
  })
}

function readSeqno({ active, data }: AccountView): number {
  if (!active || data === undefined) {
    return 0
  }
  // contract_state#_ is_signature_allowed:(## 1) seqno:uint32 wallet_id:uint32 public_key:bits256 … = ContractState;
  return data.beginParse().skip(1).loadUint(32)
}
