import { Address, type Transaction } from '@ton/core'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import type { Random } from '../core/random.ts'
import type { AccountMemory } from './account-memory.ts'
import type { AccountReader } from './account-reader.ts'
import type { Endpoint } from './endpoint.ts'
import { ChainLaggingError } from './endpoint-errors.ts'
import type { EndpointPool, Question } from './endpoint-pool.ts'
import { Patience } from './patience.ts'
import { hashOf, readTransactions } from './toncenter-answers.ts'
import type { Sleep } from './wait.ts'

/** Where a page of an account's past begins. */
export interface TransactionsFrom {
  /** Begins with this transaction instead of the newest one. */
  from?: { lt: bigint; hash: bigint }
  /** Asks for a server that knows the whole past. */
  archival?: boolean
}

export interface TransactionReaderComponents {
  pool: EndpointPool
  accounts: AccountMemory
  reader: AccountReader
  sleep: Sleep
  random: Random
}

/** A window of an account's past. */
interface Window extends TransactionsFrom {
  address: string
  afterLt: bigint
  limit: number
}

/**
 * Reads an account's past. A list is a chain of hashes from its newest transaction back; where two servers answer, it has
 * to contain the last transaction that both show. One that is older than what was believed before is not returned.
 */
export class TransactionReader {
  readonly #components: TransactionReaderComponents
  readonly #lagLimitMs: number

  constructor(components: TransactionReaderComponents, { lagLimitMs }: { lagLimitMs: number }) {
    this.#components = components
    this.#lagLimitMs = lagLimitMs
  }

  /**
   * Newest first.
   *
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {ChainLaggingError} `CHAIN_LAGGING`
   * @throws {ChainInconsistentError} `CHAIN_INCONSISTENT`, `CHAIN_WRONG_NETWORK`
   */
  async read(window: Window, options: AbortOptions = {}): Promise<Transaction[]> {
    const { pool } = this.#components
    const question = listQuestion(window)
    const patience = new Patience(this.#components, this.#lagLimitMs)
    const behind = new Set<Endpoint>()
    for (;;) {
      throwIfAborted(options.signal)
      const candidates = pool.usable.filter(endpoint => !behind.has(endpoint))
      if (candidates.length === 0 && behind.size > 0) {
        if (!(await patience.pause(options))) {
          throw new ChainLaggingError(pool.names, `it lacks transactions of ${window.address} that were shown before`)
        }
        behind.clear()
        continue
      }
      const { endpoint, value: list } = await pool.ask(
        question,
        options,
        candidates.length > 0 ? candidates : undefined
      )
      if (window.from !== undefined || (await this.#isBelievable(list, endpoint, window, options))) {
        // Not every server takes to_lt as we mean it.
        return list.filter(tx => tx.lt > window.afterLt)
      }
      behind.add(endpoint)
    }
  }

  /** False where it is older than the account is known to be, or contradicts it. */
  async #isBelievable(
    list: readonly Transaction[],
    endpoint: Endpoint,
    { address, afterLt }: Window,
    options: AbortOptions
  ): Promise<boolean> {
    const { pool, accounts, reader } = this.#components
    const newestLt = list[0]?.lt ?? 0n
    let seen = accounts.get(address)
    const isAhead = newestLt > (seen?.lastLt ?? 0n) && new Set(pool.usable.map(({ name }) => name)).size > 1
    const isMissingAll = seen !== undefined && seen.lastLt > afterLt && list.length === 0
    if (isAhead || isMissingAll) {
      // It has new transactions, or was deleted since: others have to show that too.
      seen = (await reader.read(address, options)).seen
    }
    if (seen === undefined || seen.lastLt === 0n) {
      // No state leads to the past of a deleted account.
      return true
    }
    if (isAhead && newestLt > seen.lastLt) {
      return false
    }
    if (seen.lastLt <= afterLt) {
      return true
    }
    const last = list.find(tx => tx.lt === seen.lastLt)
    if (last !== undefined && hashOf(last) !== seen.lastHash) {
      pool.refuse(endpoint.name, [...seen.by.keys()], `they show different transactions ${last.lt} of ${address}`)
      return false
    }
    return last !== undefined || (newestLt > seen.lastLt && (list.at(-1)?.lt ?? 0n) > seen.lastLt)
  }
}

function listQuestion({ address, afterLt, limit, from, archival }: Window): Question<Transaction[]> {
  const account = Address.parseRaw(address)
  const hash = BigInt(`0x${account.hash.toString('hex')}`)
  return {
    method: 'getTransactions',
    params: {
      address: account.toString(),
      limit,
      ...(afterLt === 0n ? {} : { to_lt: afterLt.toString() }),
      ...(from === undefined ? {} : { lt: from.lt.toString(), hash: from.hash.toString(16).padStart(64, '0') }),
      ...(archival === true ? { archival } : {})
    },
    read: result => readTransactions(result, hash, limit)
  }
}
