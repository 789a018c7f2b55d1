import { Address } from '@ton/core'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import type { Random } from '../core/random.ts'
import {
  type AccountMemory,
  addWitness,
  compareAccount,
  type SeenAccount,
  seenAccount,
  witnesses
} from './account-memory.ts'
import type { BlockMemory } from './block-memory.ts'
import type { Endpoint } from './endpoint.ts'
import { ChainLaggingError } from './endpoint-errors.ts'
import type { EndpointPool, Question, Shown } from './endpoint-pool.ts'
import { Patience } from './patience.ts'
import { readAccount, type ShownAccount } from './toncenter-answers.ts'
import { ToncenterFailure } from './toncenter-failure.ts'
import type { Sleep } from './wait.ts'

/** As many servers have to show a state, if so many answer. */
const WITNESSES = 2
/** An account that changes more often while it is read cannot be compared. */
const MAX_CHANGES = 16
/** A server that is this far behind our clock does not count as one that answers, if another is not. */
const STALE_SECONDS = 60

export interface AccountReaderComponents {
  pool: EndpointPool
  accounts: AccountMemory
  blocks: BlockMemory
  clock: Clock
  sleep: Sleep
  random: Random
}

/** An account as it was shown, as of the newest block in which it is known to have been so. */
export interface BelievedAccount {
  shown: ShownAccount
  seen: SeenAccount
}

/** What one reading has found so far. */
interface Reading {
  address: string
  best: BelievedAccount | undefined
  /** Showed something older. */
  behind: Set<Endpoint>
  /** Did not answer when asked as a witness. */
  silent: Set<Endpoint>
  /** How many states were shown, each newer than the one before. */
  changes: number
}

/**
 * Reads accounts so that what is returned never goes back in time, and is shown by two servers where two answer: the first
 * time a state is seen, and again once a minute.
 */
export class AccountReader {
  readonly #components: AccountReaderComponents
  readonly #lagLimitMs: number

  constructor(components: AccountReaderComponents, { lagLimitMs }: { lagLimitMs: number }) {
    this.#components = components
    this.#lagLimitMs = lagLimitMs
  }

  /**
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {ChainLaggingError} `CHAIN_LAGGING`
   * @throws {ChainInconsistentError} `CHAIN_INCONSISTENT`, `CHAIN_WRONG_NETWORK`
   */
  async read(address: string, options: AbortOptions = {}): Promise<BelievedAccount> {
    const { pool, accounts } = this.#components
    const question = accountQuestion(address)
    const patience = new Patience(this.#components, this.#lagLimitMs)
    const reading: Reading = { address, best: undefined, behind: new Set(), silent: new Set(), changes: 0 }
    for (;;) {
      throwIfAborted(options.signal)
      const { best } = reading
      const missing = this.#missing(reading)
      if (best !== undefined && missing.length === 0) {
        const seen = accounts.believe(address, best.seen)
        if (seen !== undefined) {
          return { shown: best.shown, seen }
        }
        // Somebody else has read something newer meanwhile.
        reading.best = undefined
        continue
      }
      const candidates = missing.filter(endpoint => !reading.behind.has(endpoint))
      const [first] = candidates
      if (first === undefined && missing.length > 0) {
        if (!(await patience.pause(options))) {
          throw new ChainLaggingError(missing.map(({ name }) => name).join(', '), this.#lagText(reading))
        }
        reading.behind.clear()
        continue
      }
      const shown =
        best === undefined || first === undefined
          ? await pool.ask(question, options, candidates.length > 0 ? candidates : undefined)
          : await this.#askWitness(first, question, reading, options)
      if (shown !== undefined) {
        this.#weigh(shown, reading)
      }
      if (reading.changes > MAX_CHANGES) {
        throw new ChainLaggingError(pool.names, `account ${address} changes faster than they show it alike`)
      }
    }
  }

  /** Who should still be asked. */
  #missing({ best, silent }: Reading): Endpoint[] {
    const { pool, clock } = this.#components
    if (best === undefined) {
      return pool.usable
    }
    const believable = pool.usable.map(({ name }) => name)
    const have = witnesses(best.seen, clock.nowMs()).filter(name => believable.includes(name))
    return have.length >= WITNESSES
      ? []
      : pool.ready.filter(endpoint => !have.includes(endpoint.name) && !silent.has(endpoint))
  }

  async #askWitness(
    endpoint: Endpoint,
    question: Question<ShownAccount>,
    { silent }: Reading,
    options: AbortOptions
  ): Promise<Shown<ShownAccount> | undefined> {
    const answer = await this.#components.pool.askOne(endpoint, question, options)
    if (answer instanceof ToncenterFailure) {
      silent.add(endpoint)
      return undefined
    }
    return answer
  }

  #weigh({ endpoint, value: shown }: Shown<ShownAccount>, reading: Reading): void {
    const { pool, accounts, blocks, clock } = this.#components
    const liar = blocks.contradiction(shown.block, endpoint.name)
    if (liar !== undefined) {
      pool.refuse(endpoint.name, [liar], `they show different blocks ${shown.block.seqno}`)
      reading.best = undefined
      return
    }
    const known = reading.best?.seen ?? accounts.get(reading.address)
    const comparison = known === undefined ? 'newer' : compareAccount(known, shown)
    if (known !== undefined && comparison === 'contradicts') {
      pool.refuse(
        endpoint.name,
        [...known.by.keys()],
        `they show account ${reading.address} differently, after transaction ${known.lastLt} and ${shown.lastLt}`
      )
      reading.best = undefined
    } else if (comparison === 'older') {
      reading.behind.add(endpoint)
      if (this.#isStale(shown.utime) && reading.best !== undefined && !this.#isStale(reading.best.seen.utime)) {
        endpoint.fail(`it shows what was ${STALE_SECONDS} s ago`)
      }
    } else {
      reading.changes += comparison === 'newer' ? 1 : 0
      const seen = known !== undefined && comparison === 'same' ? known : seenAccount(shown, known)
      addWitness(seen, shown, endpoint.name, clock.nowMs())
      reading.best = { shown, seen }
      reading.behind.clear()
    }
  }

  #isStale(utime: number): boolean {
    return this.#components.clock.nowMs() / 1000 - utime > STALE_SECONDS
  }

  #lagText({ address, best }: Reading): string {
    const seqno = best?.seen.seqno ?? this.#components.accounts.get(address)?.seqno
    return `account ${address} was shown as of block ${seqno}`
  }
}

function accountQuestion(address: string): Question<ShownAccount> {
  return {
    method: 'getAddressInformation',
    params: { address: Address.parseRaw(address).toString() },
    read: readAccount
  }
}
