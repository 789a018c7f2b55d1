import { Address, Cell, loadTransaction } from '@ton/core'
import { noFaults } from '../../simnet/chain/faults.ts'
import { SimChain } from '../../simnet/chain/sim-chain.ts'
import { ToncenterMethods } from '../../simnet/chain/toncenter-methods.ts'
import type { NanoTon } from '../../src/core/nano-ton.ts'
import type { ToncenterTransport } from '../../src/ton/toncenter-client.ts'
import { ToncenterFailure } from '../../src/ton/toncenter-failure.ts'
import { type ChainTransaction, readTransaction } from '../../src/ton/transactions.ts'
import type { FuzzRandom } from '../fuzz/random.ts'
import type { VirtualTime } from './virtual-time.ts'

/** Blocks come this often. */
const BLOCK_MS = 3_000
/** A request and its answer take up to this long. */
const MAX_LATENCY_MS = 300

/** The real TVM behind toncenter's methods, in virtual time, with bad hours. */
export class WeeksChain {
  readonly chain: SimChain
  /** Nobody answers. */
  down = false
  /** Of a hundred messages, how many are swallowed after an ok. */
  lossPercent = 0
  /** Of a hundred answers, how many never arrive. */
  mutePercent = 0
  requests = 0
  readonly #time: VirtualTime
  readonly #random: FuzzRandom
  readonly #methods: ToncenterMethods

  private constructor(time: VirtualTime, random: FuzzRandom, chain: SimChain) {
    this.#time = time
    this.#random = random
    this.chain = chain
    this.#methods = new ToncenterMethods(chain, noFaults())
  }

  static async create(time: VirtualTime, random: FuzzRandom): Promise<WeeksChain> {
    return new WeeksChain(time, random, await SimChain.create(time))
  }

  transport: ToncenterTransport = async ({ method, params }, { signal } = {}) => {
    this.requests++
    await this.#time.sleep(this.#random.below(MAX_LATENCY_MS), signal === undefined ? {} : { signal })
    if (this.down) {
      throw new ToncenterFailure('nobody answers', { notSent: true })
    }
    const swallow = method === 'sendBoc' && this.#random.below(100) < this.lossPercent
    const answer = await this.#time.working(async () => {
      await this.#makeBlocks()
      return swallow ? { '@type': 'ok' } : this.#methods.call(method, params)
    })
    if (this.#random.below(100) < this.mutePercent) {
      throw new ToncenterFailure('the answer was lost')
    }
    return answer
  }

  /** Gives new money to a wallet. */
  async fund(address: string, amount: NanoTon): Promise<void> {
    this.chain.fund(Address.parseRaw(address), amount)
    await this.#time.working(async () => this.chain.produceBlock())
  }

  async balance(address: string): Promise<bigint> {
    return this.#time.working(async () => this.chain.readAccount(Address.parseRaw(address), account => account.balance))
  }

  /** Everything that ever happened to an account. */
  transactionsOf(address: string): ChainTransaction[] {
    return this.chain
      .transactions(Address.parseRaw(address))
      .map(({ data }) => readTransaction(loadTransaction(Cell.fromBase64(data).beginParse())))
  }

  /** Empty blocks are left out but for the last one: its time is what the chain says it is. */
  async #makeBlocks(): Promise<void> {
    if (this.#time.nowMs() - this.chain.block.utime * 1000 >= BLOCK_MS) {
      await this.chain.produceBlock()
    }
  }
}
