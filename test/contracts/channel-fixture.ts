import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type Address, type Builder, beginCell, Cell, contractAddress, Dictionary, type Transaction } from '@ton/core'
import { Blockchain, type SandboxContract, type SendMessageResult, type TreasuryContract } from '@ton/sandbox'
import { parseRawAddress, type RawAddress } from '../../src/core/address.ts'
import { type Ed25519KeyPair, ed25519FromSeed, ed25519Sign } from '../../src/core/ed25519.ts'
import { type NanoTon, nanoTon, parseTon } from '../../src/core/nano-ton.ts'
import { closeHash, voucherHash } from '../../src/payments/voucher-hash.ts'
import { type ChannelTerms, channelStateInit } from '../../src/ton/channel-address.ts'
import {
  ChannelContract,
  type ChannelState,
  type SignedClose,
  type SignedFields,
  storeFund
} from '../../src/ton/channel-contract.ts'
import type { TotalFields } from '../../src/ton/voucher-cell.ts'

export const GLOBAL_ID = -217
export const CHALLENGE_SECONDS = 600

/** Attached to a message; what is left of it comes back. */
export const GAS: NanoTon = parseTon('0.05')

const GLOBAL_ID_PARAM = 19

/** Mutation tests (`npm run mutants`) put other code under test: the path of a file with a bag of cells in base64. */
const CODE_UNDER_TEST = process.env['COCOON_TEST_CHANNEL_CODE']

export type Wallet = SandboxContract<TreasuryContract>

/** A sandbox chain of our network id with a payer, a payee, a stranger and the terms of one channel. */
export class ChannelFixture {
  readonly chain: Blockchain
  readonly payer: Wallet
  readonly payee: Wallet
  readonly stranger: Wallet
  readonly payerKey: Ed25519KeyPair = ed25519FromSeed(new Uint8Array(32).fill(1))
  readonly payeeKey: Ed25519KeyPair = ed25519FromSeed(new Uint8Array(32).fill(2))
  readonly terms: ChannelTerms
  readonly channel: ChannelContract

  private constructor(
    chain: Blockchain,
    wallets: readonly [Wallet, Wallet, Wallet],
    terms: Partial<ChannelTerms>,
    data?: Cell
  ) {
    this.chain = chain
    ;[this.payer, this.payee, this.stranger] = wallets
    this.terms = {
      globalId: GLOBAL_ID,
      payerKey: this.payerKey.publicKey,
      payerAddress: this.payer.address.toRawString(),
      payeeKey: this.payeeKey.publicKey,
      payeeAddress: this.payee.address.toRawString(),
      salt: 7n,
      challengeSeconds: CHALLENGE_SECONDS,
      ...terms
    }
    this.channel = channelUnderTest(this.terms, data)
  }

  /** @param change puts another configuration in place of the sandbox's slim one, except for its network id */
  static async create(
    terms: Partial<ChannelTerms> = {},
    change: (config: Cell) => Cell = config => config
  ): Promise<ChannelFixture> {
    const chain = await Blockchain.create({
      config: withGlobalId(change((await Blockchain.create({ config: 'slim' })).config))
    })
    chain.now = 1_800_000_000
    const wallets: [Wallet, Wallet, Wallet] = [
      await chain.treasury('payer'),
      await chain.treasury('payee'),
      await chain.treasury('stranger')
    ]
    return new ChannelFixture(chain, wallets, terms)
  }

  /**
   * Another channel of the same parties on the same chain.
   *
   * @param data its initial data, instead of what the terms give
   */
  sibling(terms: Partial<ChannelTerms>, data?: Cell): ChannelFixture {
    return new ChannelFixture(this.chain, [this.payer, this.payee, this.stranger], { ...this.terms, ...terms }, data)
  }

  get address(): Address {
    return this.channel.address
  }

  /** Sends one message from a wallet to the channel and returns all that came of it. */
  async send(
    from: Wallet,
    body: (builder: Builder) => void,
    value: bigint,
    deploy = false
  ): Promise<SendMessageResult> {
    return from.send({
      to: this.address,
      value,
      bounce: true,
      body: beginCell().store(body).endCell(),
      init: deploy ? (this.channel.init ?? null) : null
    })
  }

  /** Opens the channel. */
  async open(deposit: NanoTon = ton('1')): Promise<void> {
    const tx = transactionOn(await this.send(this.payer, storeFund(deposit), deposit + GAS, true), this.address)
    assert.deepEqual([exitCode(tx), tx.description.type === 'generic' && tx.description.aborted], [0, false])
  }

  /** A refused opening leaves the code at its address, as if nobody had been there. */
  async stateOrNew(): Promise<ChannelState> {
    return (await this.exists())
      ? this.state()
      : { state: 'new', deposit: ton('0'), settled: ton('0'), closeAt: 0, openedLt: 0n }
  }

  /** What `wallet` gained by `act`, gas it paid to send and receive left out. */
  async gain(wallet: Wallet, act: () => Promise<SendMessageResult>): Promise<bigint> {
    const before = await this.balance(wallet.address)
    const result = await act()
    const account = BigInt(`0x${wallet.address.hash.toString('hex')}`)
    const own = networkFees(result.transactions.filter(tx => tx.address === account))
    return (await this.balance(wallet.address)) - before + own
  }

  async state(): Promise<ChannelState> {
    return this.chain.openContract(this.channel).getChannelState()
  }

  async exists(): Promise<boolean> {
    return (await this.chain.getContract(this.address)).accountState?.type === 'active'
  }

  async balance(address: Address = this.address): Promise<bigint> {
    return (await this.chain.getContract(address)).balance
  }

  /** A voucher of the payer; `changes` replaces fields, `key` the signer. */
  async voucher(cumulative: bigint, changes: Partial<SignedFields> = {}, key = this.payerKey): Promise<SignedFields> {
    return this.#sign(voucherHash, key, await this.#fields(cumulative, changes))
  }

  /** A close statement of the payee. */
  async statement(cumulative: bigint, changes: Partial<SignedClose> = {}, key = this.payeeKey): Promise<SignedClose> {
    const fields = { validUntil: (this.chain.now ?? 0) + 3_600, ...(await this.#fields(cumulative, changes)) }
    return this.#sign(closeHash, key, { ...fields, ...changes })
  }

  async #fields(cumulative: bigint, changes: Partial<SignedFields>): Promise<Omit<SignedFields, 'signature'>> {
    return {
      globalId: GLOBAL_ID,
      channel: this.address.toRawString(),
      openedLt: changes.openedLt ?? (await this.state()).openedLt,
      cumulative: nanoTon(cumulative),
      ...changes
    }
  }

  #sign<T extends TotalFields>(
    hash: (total: Omit<T, 'channel'> & { channel: RawAddress }) => Uint8Array,
    key: Ed25519KeyPair,
    fields: T
  ): T & { signature: Uint8Array } {
    const digest = hash({ ...fields, channel: parseRawAddress(fields.channel) })
    return { ...fields, signature: ed25519Sign(key.privateKey, digest) }
  }
}

/** The channel with these terms, of the pinned code unless a mutation test put other code in its place. */
export function channelUnderTest(terms: ChannelTerms, data?: Cell): ChannelContract {
  const pinned = channelStateInit(terms)
  const init = {
    code: CODE_UNDER_TEST === undefined ? pinned.code : Cell.fromBase64(readFileSync(CODE_UNDER_TEST, 'utf8')),
    data: data ?? pinned.data
  }
  return new ChannelContract(contractAddress(0, init), init)
}

export function ton(text: string): NanoTon {
  return parseTon(text)
}

/** The config with our network id, so that GLOBALID answers it. */
export function withGlobalId(config: Cell): Cell {
  const params = Dictionary.loadDirect(Dictionary.Keys.Int(32), Dictionary.Values.Cell(), config)
  params.set(GLOBAL_ID_PARAM, beginCell().storeInt(GLOBAL_ID, 32).endCell())
  return beginCell().storeDictDirect(params).endCell()
}

/** The transaction that a message made on `address`. */
export function transactionOn(result: { transactions: Transaction[] }, address: Address): Transaction {
  const account = BigInt(`0x${address.hash.toString('hex')}`)
  const found = result.transactions.find(tx => tx.address === account)
  if (found === undefined) {
    throw new Error(`No transaction on ${address.toRawString()}`)
  }
  return found
}

/** Exit code of the compute phase. */
export function exitCode(tx: Transaction): number | undefined {
  const { description } = tx
  return description.type === 'generic' && description.computePhase.type === 'vm'
    ? description.computePhase.exitCode
    : undefined
}

export function gasUsed(tx: Transaction): bigint {
  const { description } = tx
  return description.type === 'generic' && description.computePhase.type === 'vm'
    ? description.computePhase.gasUsed
    : 0n
}

/** What the network kept of these transactions: their fees, and the forwarding fees of messages between accounts. */
export function networkFees(transactions: readonly Transaction[]): bigint {
  let sum = 0n
  for (const tx of transactions) {
    sum += tx.totalFees.coins
    for (const message of tx.outMessages.values()) {
      sum += message.info.type === 'internal' ? message.info.forwardFee : 0n
    }
  }
  return sum
}
