import { Address, beginCell, type Cell, external, internal, SendMode, storeMessage } from '@ton/core'
import { WalletContractV5R1 } from '@ton/ton'
import { formatRawAddress } from '../core/address.ts'
import { type Ed25519KeyPair, ed25519Sign } from '../core/ed25519.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import type { AccountView } from './chain-rpc.ts'

/** A message that a wallet is to send. */
export interface Transfer {
  to: Address
  value: NanoTon
  bounce: boolean
  init?: { code: Cell; data: Cell }
  body?: Cell
}

/** A signed external message to a wallet. Of all messages with one seqno at most one ever lands. */
export interface WalletMessage {
  boc: Buffer
  /** Names it on chain: the contract takes no body twice. */
  bodyHash: Buffer
  seqno: number
  /** From this second of the chain's time on it cannot land any more. */
  validUntil: number
  /** Logical time of the wallet's last transaction when it was signed; its own is later. */
  afterLt: bigint
}

const MAINNET = -239

/** Signs for the W5 wallet (v5r1) of a key on a network. */
export class WalletSigner {
  /** Raw address. */
  readonly address: string
  readonly #key: Ed25519KeyPair
  readonly #contract: WalletContractV5R1

  constructor(key: Ed25519KeyPair, globalId: number) {
    this.#key = key
    this.#contract = walletContract(key.publicKey, globalId)
    this.address = formatRawAddress({ workchain: this.#contract.address.workChain, hash: this.#contract.address.hash })
  }

  /** @param transfers 1 to 255: what a W5 wallet takes in one message */
  async sign(transfers: readonly Transfer[], account: AccountView, validUntil: number): Promise<WalletMessage> {
    const seqno = readSeqno(account)
    const body = await this.#contract.createTransfer({
      seqno,
      timeout: validUntil,
      sendMode: SendMode.PAY_GAS_SEPARATELY | SendMode.IGNORE_ERRORS,
      // Built here and not by a provider, which would attach the StateInit whenever the account is missing.
      messages: transfers.map(({ to, value, bounce, init, body: inner }) =>
        internal({
          to,
          value,
          bounce,
          ...(init === undefined ? {} : { init }),
          ...(inner === undefined ? {} : { body: inner })
        })
      ),
      signer: async cell => Buffer.from(ed25519Sign(this.#key.privateKey, cell.hash()))
    })
    const message = external({
      to: this.#contract.address,
      body,
      ...(account.active ? {} : { init: this.#contract.init })
    })
    const boc = beginCell().store(storeMessage(message)).endCell().toBoc()
    return { boc, bodyHash: body.hash(), seqno, validUntil, afterLt: account.lastLt }
  }
}

/** Number of the next message that the wallet takes; 0 for one that never sent. */
export function readSeqno({ active, data }: Pick<AccountView, 'active' | 'data'>): number {
  if (!active || data === undefined) {
    return 0
  }
  // contract_state#_ is_signature_allowed:(## 1) seqno:uint32 wallet_id:uint32 public_key:bits256 … = ContractState;
  return data.beginParse().skip(1).loadUint(32)
}

/** Raw address of the wallet that a key has on a network. Needs no network. */
export function walletAddress(publicKey: Uint8Array, globalId: number): string {
  const { address } = walletContract(publicKey, globalId)
  return formatRawAddress({ workchain: address.workChain, hash: address.hash })
}

/** An address as wallets show it: not bounceable, and marked as a testnet's anywhere but on mainnet. Takes a raw one. */
export function friendlyAddress(address: string, globalId: number): string {
  return Address.parseRaw(address).toString({ bounceable: false, testOnly: globalId !== MAINNET })
}

function walletContract(publicKey: Uint8Array, globalId: number): WalletContractV5R1 {
  return WalletContractV5R1.create({
    workchain: 0,
    publicKey: Buffer.from(publicKey),
    walletId: { networkGlobalId: globalId }
  })
}
