import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import type { BlockMemory } from './block-memory.ts'
import type { Endpoint } from './endpoint.ts'
import { ChainBlockUnknownError } from './endpoint-errors.ts'
import type { EndpointPool, Question, Shown } from './endpoint-pool.ts'
import { type BlockId, MASTERCHAIN, readBlock } from './toncenter-answers.ts'
import { ToncenterFailure } from './toncenter-failure.ts'

/** As many servers have to name a block, if so many answer. */
const WITNESSES = 2
const MAX_KEPT = 1_024

/** What a node says of a block that it does not have yet, and of one that it does not have any more. */
const UNKNOWN_BLOCK = /ltdb: block not found|seqno not in db/

export interface BlockReaderComponents {
  pool: EndpointPool
  blocks: BlockMemory
}

/** What one reading has found so far. */
interface Reading {
  height: number
  /** What each server said; undefined of one that does not have the block. */
  said: Map<Endpoint, string | undefined>
  /** Did not answer when asked as a witness. */
  silent: Set<Endpoint>
}

/**
 * Looks up masterchain blocks by number; where two servers answer, two have to name the same one. A final block never
 * changes: what was named is kept, and counts as long as those who named it are believed.
 */
export class BlockReader {
  readonly #pool: EndpointPool
  readonly #blocks: BlockMemory
  readonly #kept = new Map<number, { rootHash: string; by: string[] }>()

  constructor({ pool, blocks }: BlockReaderComponents) {
    this.#pool = pool
    this.#blocks = blocks
  }

  /**
   * @returns root hash, hex
   * @throws {ChainBlockUnknownError} `CHAIN_BLOCK_UNKNOWN` if a server does not have the block, and no two others do
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {ChainInconsistentError} `CHAIN_INCONSISTENT`, `CHAIN_WRONG_NETWORK`
   */
  async rootHash(height: number, options: AbortOptions = {}): Promise<string> {
    const kept = this.#keptHash(height)
    if (kept !== undefined) {
      return kept
    }
    const question = blockQuestion(height)
    const reading: Reading = { height, said: new Map(), silent: new Set() }
    for (;;) {
      throwIfAborted(options.signal)
      const said = [...reading.said].filter(([endpoint]) => endpoint.refusal === undefined)
      const named = said.flatMap(([{ name }, rootHash]) => (rootHash === undefined ? [] : [{ name, rootHash }]))
      const next = this.#pool.ready.filter(endpoint => !reading.said.has(endpoint) && !reading.silent.has(endpoint))
      const [first] = named
      const agreed = named.length >= WITNESSES || (next.length === 0 && named.length === said.length)
      if (first !== undefined && agreed) {
        return this.#keep(height, { rootHash: first.rootHash, by: named.map(({ name }) => name) })
      }
      if (said.length > 0 && next.length === 0) {
        throw new ChainBlockUnknownError(this.#pool.names, height)
      }
      // The witness is asked together with the first, so that two servers cost no second round trip.
      const witness = said.length > 0 ? next[0] : next[1]
      const shown = await Promise.all([
        said.length > 0 ? undefined : this.#pool.ask(question, options),
        witness && this.#askWitness(witness, question, reading, options)
      ])
      for (const one of shown) {
        this.#weigh(one, reading)
      }
    }
  }

  async #askWitness(
    endpoint: Endpoint,
    question: Question<BlockId | undefined>,
    { silent }: Reading,
    options: AbortOptions
  ): Promise<Shown<BlockId | undefined> | undefined> {
    const answer = await this.#pool.askOne(endpoint, question, options)
    if (answer instanceof ToncenterFailure) {
      silent.add(endpoint)
      return undefined
    }
    return answer
  }

  #weigh(shown: Shown<BlockId | undefined> | undefined, { height, said }: Reading): void {
    if (shown === undefined) {
      return
    }
    const { endpoint, value } = shown
    const liar = value && this.#blocks.contradiction(value, endpoint.name)
    if (liar !== undefined) {
      this.#pool.refuse(endpoint.name, [liar], `they show different blocks ${height}`)
    } else {
      said.set(endpoint, value?.rootHash)
    }
  }

  #keptHash(height: number): string | undefined {
    const kept = this.#kept.get(height)
    const believed = this.#pool.usable.filter(({ name }) => kept?.by.includes(name))
    const needed = Math.max(1, Math.min(WITNESSES, this.#pool.ready.length))
    return believed.length >= needed ? kept?.rootHash : undefined
  }

  #keep(height: number, block: { rootHash: string; by: string[] }): string {
    this.#kept.delete(height)
    this.#kept.set(height, block)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) {
      this.#kept.delete(oldest)
    }
    return block.rootHash
  }
}

function blockQuestion(height: number): Question<BlockId | undefined> {
  return {
    method: 'lookupBlock',
    params: { ...MASTERCHAIN, seqno: height },
    isAnswer: ({ message }) => UNKNOWN_BLOCK.test(message),
    read: result => (result instanceof ToncenterFailure ? undefined : readBlock(result, height))
  }
}
