import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import type { Random } from '../core/random.ts'
import type { BlockMemory } from './block-memory.ts'
import type { Endpoint } from './endpoint.ts'
import { ChainLaggingError } from './endpoint-errors.ts'
import type { EndpointPool, Question } from './endpoint-pool.ts'
import { Patience } from './patience.ts'
import { type BlockId, readTip } from './toncenter-answers.ts'
import type { Sleep } from './wait.ts'

/** Servers are a few blocks apart: then the newer block, which was shown before, is returned again. */
const SKEW_BLOCKS = 20

export interface TipReaderComponents {
  pool: EndpointPool
  blocks: BlockMemory
  sleep: Sleep
  random: Random
}

/** Reads the newest masterchain block, which never goes back. */
export class TipReader {
  readonly #components: TipReaderComponents
  readonly #lagLimitMs: number
  #newest: BlockId | undefined

  constructor(components: TipReaderComponents, { lagLimitMs }: { lagLimitMs: number }) {
    this.#components = components
    this.#lagLimitMs = lagLimitMs
  }

  /**
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {ChainLaggingError} `CHAIN_LAGGING`
   * @throws {ChainInconsistentError} `CHAIN_INCONSISTENT`, `CHAIN_WRONG_NETWORK`
   */
  async read(options: AbortOptions = {}): Promise<BlockId> {
    const { pool, blocks } = this.#components
    const question: Question<BlockId> = { method: 'getMasterchainInfo', params: {}, read: readTip }
    const patience = new Patience(this.#components, this.#lagLimitMs)
    const behind = new Set<Endpoint>()
    for (;;) {
      throwIfAborted(options.signal)
      const candidates = pool.usable.filter(endpoint => !behind.has(endpoint))
      if (candidates.length === 0 && behind.size > 0) {
        if (!(await patience.pause(options))) {
          throw new ChainLaggingError(pool.names, `block ${this.#newest?.seqno} was shown before`)
        }
        behind.clear()
        continue
      }
      const { endpoint, value } = await pool.ask(question, options, candidates.length > 0 ? candidates : undefined)
      const liar = blocks.contradiction(value, endpoint.name)
      const newest = this.#newest ?? value
      if (liar !== undefined) {
        pool.refuse(endpoint.name, [liar], `they show different blocks ${value.seqno}`)
      } else if (value.seqno < newest.seqno - SKEW_BLOCKS) {
        behind.add(endpoint)
      } else {
        this.#newest = value.seqno > newest.seqno ? value : newest
        return this.#newest
      }
    }
  }
}
