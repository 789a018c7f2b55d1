import assert from 'node:assert/strict'
import type { Address, Message, ShardAccount, Transaction } from '@ton/core'
import { type BlockchainSnapshot, EmulationError } from '@ton/sandbox'
import { ChannelFixture, networkFees, transactionOn, type Wallet } from './channel-fixture.ts'
import type { ChannelChain } from './channel-stateful-chain.ts'
import type { Party } from './channel-stateful-types.ts'

/** A sandbox chain on which every message comes out of a wallet and every transfer arrives in one. */
export class WalletChain implements ChannelChain {
  readonly addresses: Readonly<Record<Party, Address>>
  readonly fixture: ChannelFixture
  readonly #wallets: readonly Wallet[]
  readonly #start: BlockchainSnapshot
  #fees = 0n

  private constructor(fixture: ChannelFixture, wallets: Readonly<Record<Party, Wallet>>) {
    this.fixture = fixture
    this.#wallets = Object.values(wallets)
    this.#start = fixture.chain.snapshot()
    const { payer, payee, stranger, masterchain } = wallets
    this.addresses = {
      payer: payer.address,
      payee: payee.address,
      stranger: stranger.address,
      masterchain: masterchain.address
    }
  }

  static async create(): Promise<WalletChain> {
    const fixture = await ChannelFixture.create()
    const { payer, payee, stranger } = fixture
    const masterchain = await fixture.chain.treasury('stranger', { workchain: -1 })
    return new WalletChain(fixture, { payer, payee, stranger, masterchain })
  }

  get now(): number {
    return this.fixture.chain.now ?? assert.fail()
  }

  set now(seconds: number) {
    this.fixture.chain.now = seconds
  }

  /** Everybody's money and what the network kept since the start: constant. */
  async total(): Promise<bigint> {
    let sum = this.#fees
    for (const address of [this.fixture.address, ...Object.values(this.addresses)]) {
      sum += await this.fixture.balance(address)
    }
    return sum
  }

  async restart(): Promise<void> {
    this.#fees = 0n
    await this.fixture.chain.loadFrom(this.#start)
  }

  async account(): Promise<ShardAccount> {
    return (await this.fixture.chain.getContract(this.fixture.address)).account
  }

  async deliver(message: Message): Promise<Transaction | number> {
    const { info, body, init } = message
    try {
      const result =
        info.type === 'internal'
          ? await this.#wallet(info.src).send({
              to: info.dest,
              value: info.value.coins,
              bounce: info.bounce,
              init: init ?? null,
              body
            })
          : await this.fixture.chain.sendMessage(message)
      this.#fees += networkFees(result.transactions)
      return transactionOn(result, this.fixture.address)
    } catch (err) {
      if (err instanceof EmulationError) {
        return err.exitCode ?? 0
      }
      throw err
    }
  }

  #wallet(address: Address): Wallet {
    return this.#wallets.find(wallet => wallet.address.equals(address)) ?? assert.fail()
  }
}
