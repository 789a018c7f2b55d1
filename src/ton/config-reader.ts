import type { Cell } from '@ton/core'
import type { AbortOptions } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import type { Random } from '../core/random.ts'
import type { EndpointPool, Question } from './endpoint-pool.ts'
import { Patience } from './patience.ts'
import { readConfigParam } from './toncenter-answers.ts'
import { ToncenterFailure } from './toncenter-failure.ts'
import type { Sleep } from './wait.ts'

/** Validators change prices a few times a year. */
const KEPT_MS = 5 * 60_000
/** Two servers may be on either side of a change for a moment. */
const CHANGE_LIMIT_MS = 5_000

export interface FreshOption {
  /**
   * Asks again, however lately it was asked.
   * @default false
   */
  fresh?: boolean
}

export interface ConfigReaderComponents {
  pool: EndpointPool
  clock: Clock
  sleep: Sleep
  random: Random
}

/** Reads parameters of the chain's configuration, which two servers have to show alike where two answer. */
export class ConfigReader {
  readonly #components: ConfigReaderComponents
  readonly #kept = new Map<number, { cell: Cell; atMs: number }>()

  constructor(components: ConfigReaderComponents) {
    this.#components = components
  }

  /**
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {ChainInconsistentError} `CHAIN_INCONSISTENT`, `CHAIN_WRONG_NETWORK`
   */
  async read(id: number, { fresh = false, ...options }: AbortOptions & FreshOption = {}): Promise<Cell> {
    const { clock } = this.#components
    const kept = fresh ? undefined : this.#kept.get(id)
    if (kept !== undefined && Math.abs(clock.nowMs() - kept.atMs) < KEPT_MS) {
      return kept.cell
    }
    const cell = await this.#readAlike(id, options)
    this.#kept.set(id, { cell, atMs: clock.nowMs() })
    return cell
  }

  async #readAlike(id: number, options: AbortOptions): Promise<Cell> {
    const { pool } = this.#components
    const question: Question<Cell> = { method: 'getConfigParam', params: { config_id: id }, read: readConfigParam }
    const patience = new Patience(this.#components, CHANGE_LIMIT_MS)
    for (;;) {
      const { endpoint, value } = await pool.ask(question, options)
      const witness = pool.ready.find(({ name }) => name !== endpoint.name)
      const second = witness && (await pool.askOne(witness, question, options))
      if (second === undefined || second instanceof ToncenterFailure || second.value.equals(value)) {
        return value
      }
      if (!(await patience.pause(options))) {
        pool.refuse(endpoint.name, [second.endpoint.name], `they show different configuration parameters ${id}`)
      }
    }
  }
}
