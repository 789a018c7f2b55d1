import {
  Address,
  beginCell,
  Cell,
  loadMessage,
  loadTransaction,
  type Message,
  type ShardAccount,
  type Transaction,
  type TupleItem
} from '@ton/core'
import { EmulationError, type GetMethodResult, internal, type SmartContract, TimeError } from '@ton/sandbox'
import { sha256, toHex } from '../../src/core/bytes.ts'
import type { Clock } from '../../src/core/clock.ts'
import { UsageError } from '../../src/core/errors.ts'
import type { NanoTon } from '../../src/core/nano-ton.ts'
import { Turns } from '../../src/core/turns.ts'
import { ChainHistory } from './chain-history.ts'
import { type SerializedBlockchain, SimBlockchain } from './sim-blockchain.ts'

/** Where faucet money comes from: no such account exists. */
const FAUCET = Address.parseRaw(`0:${'0'.repeat(64)}`)

/** Messages of one block; more wait for the next. */
const MAX_BLOCK_MESSAGES = 256

const MAX_MEMPOOL = 4096

/** A transaction as the chain keeps it. */
export interface IndexedTransaction {
  lt: bigint
  /** Block that contains it; 0 for one from before the chain was loaded. */
  seqno: number
  /** Unix seconds. */
  utime: number
  /** 32 bytes. */
  hash: Buffer
  /** Bag of cells, base64. */
  data: string
}

/** A block of the masterchain that exists in name only: number, hash and time. */
export interface SimBlock {
  seqno: number
  rootHash: Uint8Array
  utime: number
}

/** A chain's whole state as JSON. */
export interface SerializedChain {
  version: 1
  seqno: number
  /** Of the block `seqno`, hex. */
  rootHash: string
  /** What all hashes of blocks are made of, hex; absent where an older version saved the chain. */
  blockSeed?: string
  blockchain: SerializedBlockchain
  /** Raw address to bags of cells, oldest first. */
  transactions: Record<string, string[]>
}

/**
 * Blocks, a mempool and a transaction index around the sandbox. A message waits in the mempool; its effects, and
 * those of all messages it causes, become visible together with the next block.
 */
export class SimChain {
  readonly #chain: SimBlockchain
  readonly #clock: Clock
  readonly #turns = new Turns()
  readonly #index = new Map<string, IndexedTransaction[]>()
  readonly #history: ChainHistory
  readonly #blockSeed: Uint8Array
  #mempool: Message[] = []
  #block: SimBlock
  /** Raw addresses of the accounts with transactions in the block that is being made. */
  #touched = new Set<string>()
  #changed = false

  private constructor(chain: SimBlockchain, clock: Clock, first: { seqno: number; utime: number; seed: Uint8Array }) {
    this.#chain = chain
    this.#clock = clock
    this.#blockSeed = first.seed
    const block = { seqno: first.seqno, rootHash: this.#rootHash(first.seqno), utime: first.utime }
    this.#block = block
    this.#chain.now = block.utime
    this.#history = new ChainHistory(block, chain.accounts())
  }

  static async create(clock: Clock): Promise<SimChain> {
    const seed = sha256('cocoon simnet genesis', String(clock.nowMs()))
    return new SimChain(await SimBlockchain.open(), clock, { seqno: 1, utime: toSeconds(clock.nowMs()), seed })
  }

  /**
   * @param blockTimeMs how fast blocks come: their numbers go on as if they had come all the time
   * @throws {UsageError} `SIMNET_STATE_INVALID` if the saved state cannot be read
   */
  static async restore(saved: SerializedChain, clock: Clock, blockTimeMs: number): Promise<SimChain> {
    const blockchain = await SimBlockchain.open()
    try {
      await blockchain.loadSerializable(saved.blockchain)
      // Time never runs backwards on a chain, whatever the machine's clock does.
      const savedAt = saved.blockchain.time ?? 0
      const utime = Math.max(toSeconds(clock.nowMs()), savedAt)
      const seed = new Uint8Array(Buffer.from(saved.blockSeed ?? saved.rootHash, 'hex'))
      // Empty blocks are not saved: their numbers must not come again with other hashes.
      const seqno = saved.seqno + Math.ceil(((utime - savedAt + 1) * 1000) / blockTimeMs)
      const chain = new SimChain(blockchain, clock, { seqno, utime, seed })
      for (const [address, list] of Object.entries(saved.transactions)) {
        chain.#index.set(
          address,
          list.map(data => readTransaction(data))
        )
      }
      return chain
    } catch (err) {
      throw new UsageError(
        'SIMNET_STATE_INVALID',
        'The saved chain cannot be read: delete its state file to start anew',
        { cause: err }
      )
    }
  }

  /** The newest block. */
  get block(): SimBlock {
    return this.#block
  }

  /** Messages that wait for the next block. */
  get waiting(): number {
    return this.#mempool.length
  }

  /** Whether anything but the block number changed since the last call. */
  takeChanged(): boolean {
    const changed = this.#changed
    this.#changed = false
    return changed
  }

  /**
   * Checks an external message against the present state and puts it into the mempool.
   *
   * @throws {UsageError} `EXTERNAL_REFUSED` if the contract would not accept it, `MEMPOOL_FULL`, `BOC_INVALID`
   */
  async sendExternal(boc: Buffer): Promise<void> {
    const message = readExternal(boc)
    if (this.#mempool.length >= MAX_MEMPOOL) {
      throw new UsageError('MEMPOOL_FULL', `The mempool holds ${MAX_MEMPOOL} messages already`)
    }
    await this.#turns.take('chain', async () => this.#tryExternal(message))
    this.#mempool.push(message)
  }

  /** Puts `amount` of new money into the mempool for `to`. */
  fund(to: Address, amount: NanoTon): void {
    this.#mempool.push(internal({ from: FAUCET, to, value: amount, bounce: false, body: beginCell().endCell() }))
  }

  /** Makes the next block of all waiting messages and whatever they cause. */
  async produceBlock(): Promise<SimBlock> {
    return this.#turns.take('chain', async () => {
      const utime = Math.max(toSeconds(this.#clock.nowMs()), this.#block.utime)
      const messages = this.#mempool.slice(0, MAX_BLOCK_MESSAGES)
      this.#mempool = this.#mempool.slice(messages.length)
      this.#chain.now = utime
      for (const message of messages) {
        await this.#execute(message)
      }
      const seqno = this.#block.seqno + 1
      this.#block = { seqno, rootHash: this.#rootHash(seqno), utime }
      this.#history.add(this.#block, await this.#takeTouched())
      return this.#block
    })
  }

  /** Reads an account as of the newest block. `read` may not wait: the next block would change it under its hands. */
  async readAccount<T>(address: Address, read: (account: SmartContract) => T): Promise<T> {
    return this.#turns.take('chain', async () => read(await this.#chain.getContract(address)))
  }

  /** Reads an account, and the block that shows it, as they were so many blocks ago. */
  async accountBefore(address: Address, lag: number): Promise<{ account: ShardAccount | undefined; block: SimBlock }> {
    return this.#turns.take('chain', () => {
      const block = this.#history.block(lag)
      return { account: this.#history.account(address.toRawString(), block.seqno), block }
    })
  }

  /** The block so many blocks ago. */
  blockBefore(lag: number): SimBlock {
    return this.#history.block(lag)
  }

  /**
   * Root hash of any block that a server so many blocks behind has, also of one from before the chain was loaded: 32 bytes.
   *
   * @returns undefined if there is no such block yet
   */
  blockHash(seqno: number, lag = 0): Uint8Array | undefined {
    return seqno >= 1 && seqno <= this.#history.block(lag).seqno ? this.#rootHash(seqno) : undefined
  }

  async runGetMethod(address: Address, method: string | number, stack: TupleItem[]): Promise<GetMethodResult> {
    return this.#turns.take('chain', () => this.#chain.runGetMethod(address, method, stack))
  }

  /** Transactions of an account up to so many blocks ago, oldest first. Those of a deleted account stay. */
  transactions(address: Address, lag = 0): readonly IndexedTransaction[] {
    const all = this.#index.get(address.toRawString()) ?? []
    const { seqno } = this.#history.block(lag)
    return lag === 0 ? all : all.filter(tx => tx.seqno <= seqno)
  }

  /** A parameter of the chain's configuration, if it is set. */
  configParam(id: number): Cell | undefined {
    return this.#chain.configParam(id)
  }

  /** From the next message on: a vote of validators that nobody had to wait for. */
  setConfigParam(id: number, value: Cell): void {
    this.#chain.setConfigParam(id, value)
  }

  async serialize(): Promise<SerializedChain> {
    return this.#turns.take('chain', () => ({
      version: 1,
      seqno: this.#block.seqno,
      rootHash: toHex(this.#block.rootHash),
      blockSeed: toHex(this.#blockSeed),
      blockchain: this.#chain.toSerializable(),
      transactions: Object.fromEntries([...this.#index].map(([address, list]) => [address, list.map(tx => tx.data)]))
    }))
  }

  /** Made of the number, so that empty blocks need not be saved, nor any kept, for their hashes to be told. */
  #rootHash(seqno: number): Uint8Array {
    return sha256(this.#blockSeed, String(seqno))
  }

  /** Runs the message on its account alone and puts the account back. */
  async #tryExternal(message: Message): Promise<void> {
    const { info } = message
    if (info.type !== 'external-in') {
      return
    }
    const contract = await this.#chain.getContract(info.dest)
    const before = contract.snapshot()
    try {
      await contract.receiveMessage(message)
    } catch (err) {
      throw new UsageError('EXTERNAL_REFUSED', refusalText(err), { cause: err })
    } finally {
      contract.loadFrom(before)
    }
  }

  async #execute(message: Message): Promise<void> {
    try {
      await this.#chain.sendMessage(message)
    } catch (err) {
      // Two messages at one seqno: the second is dropped without a trace, as on the real chain.
      if (!(err instanceof EmulationError || err instanceof TimeError)) {
        throw err
      }
    }
    for (const tx of this.#chain.takeTransactions()) {
      this.#add(tx)
      this.#changed = true
    }
  }

  async #takeTouched(): Promise<Array<[string, ShardAccount]>> {
    const touched = [...this.#touched]
    this.#touched = new Set()
    return Promise.all(
      touched.map(async (address): Promise<[string, ShardAccount]> => {
        const { account } = await this.#chain.getContract(Address.parseRaw(address))
        return [address, account]
      })
    )
  }

  #add(tx: Transaction): void {
    const to = tx.inMessage?.info.dest
    if (!Address.isAddress(to)) {
      return
    }
    const list = this.#index.get(to.toRawString()) ?? []
    // The block that is being made.
    const seqno = this.#block.seqno + 1
    list.push({ lt: tx.lt, seqno, utime: tx.now, hash: tx.hash(), data: tx.raw.toBoc().toString('base64') })
    this.#index.set(to.toRawString(), list)
    this.#touched.add(to.toRawString())
  }
}

function readExternal(boc: Buffer): Message {
  try {
    const [cell] = Cell.fromBoc(boc)
    const message = loadMessage((cell ?? beginCell().endCell()).beginParse())
    if (message.info.type === 'external-in') {
      return message
    }
  } catch (err) {
    throw new UsageError(
      'BOC_INVALID',
      'Failed to parse the message: expected a bag of cells with an external message',
      { cause: err }
    )
  }
  throw new UsageError('BOC_INVALID', 'Only external messages can be sent')
}

function readTransaction(data: string): IndexedTransaction {
  const cell = Cell.fromBase64(data)
  const tx = loadTransaction(cell.beginParse())
  return { lt: tx.lt, seqno: 0, utime: tx.now, hash: cell.hash(), data }
}

function refusalText(err: unknown): string {
  const exitCode = err instanceof EmulationError ? err.exitCode : undefined
  const why = exitCode === undefined ? 'External message was not accepted' : `terminating vm with exit code ${exitCode}`
  return `LITE_SERVER_UNKNOWN: cannot apply external message to current state : ${why}`
}

function toSeconds(ms: number): number {
  return Math.floor(ms / 1000)
}
