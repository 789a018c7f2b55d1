import assert from 'node:assert/strict'
import {
  type Address,
  beginCell,
  Cell,
  loadShardAccount,
  loadTransaction,
  type Message,
  type ShardAccount,
  storeMessage,
  storeShardAccount,
  type Transaction
} from '@ton/core'
import { createEmptyShardAccount } from '@ton/sandbox'
import type { ChannelFixture } from './channel-fixture.ts'
import type { Party } from './channel-stateful-types.ts'

/** A chain with one channel's account. */
export interface ChannelChain {
  /** Unix seconds. */
  now: number
  readonly addresses: Readonly<Record<Party, Address>>
  /** The transaction that a message made, or the exit code with which it was not let in (0: without running). */
  deliver(message: Message): Promise<Transaction | number>
  account(): Promise<ShardAccount>
}

const LT_STEP = 1_000_000n
const NO_SEED = Buffer.alloc(32)

/** The TVM and one account: what leaves it goes nowhere, so every message is a single transaction. */
export class BareChain implements ChannelChain {
  readonly addresses: Readonly<Record<Party, Address>>
  readonly #fixture: ChannelFixture
  #account: string
  #parsed: ShardAccount | undefined
  #lt = LT_STEP
  now: number

  constructor(fixture: ChannelFixture, addresses: Readonly<Record<Party, Address>>) {
    this.addresses = addresses
    this.#fixture = fixture
    this.now = fixture.chain.now ?? assert.fail()
    const empty = beginCell().store(storeShardAccount(createEmptyShardAccount(fixture.address)))
    this.#account = empty.endCell().toBoc().toString('base64')
  }

  async account(): Promise<ShardAccount> {
    this.#parsed ??= loadShardAccount(Cell.fromBase64(this.#account).beginParse())
    return this.#parsed
  }

  async deliver(message: Message): Promise<Transaction | number> {
    this.#lt += LT_STEP
    const { chain } = this.#fixture
    const { result } = await chain.executor.runTransaction({
      config: chain.configBase64,
      libs: null,
      verbosity: 'short',
      shardAccount: this.#account,
      now: this.now,
      lt: this.#lt,
      randomSeed: NO_SEED,
      ignoreChksig: false,
      debugEnabled: false,
      message: beginCell().store(storeMessage(message)).endCell()
    })
    if (!result.success) {
      return result.vmResults?.vmExitCode ?? 0
    }
    this.#account = result.shardAccount
    this.#parsed = undefined
    return loadTransaction(Cell.fromBase64(result.transaction).beginParse())
  }
}
