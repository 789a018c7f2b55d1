import { CocoonError, EnvironmentError, errorCode } from '../../core/errors.ts'
import type { PayeeChannel } from '../payee/payee-channel.ts'
import type { PayerChannel } from '../payer/payer-channel.ts'
import type { SpendingDay } from '../payer/spending.ts'
import { type JobLine, type JobRole, jobKey } from './job-line.ts'
import { jobRecord, payeeRecord, payerRecord, spendingRecord } from './ledger-records.ts'
import { LedgerSeal } from './ledger-seal.ts'
import { decodeBody, decodeRecord, encodeRecord, type FieldCodec } from './record-codec.ts'

export type LedgerOperation = { type: 'put'; key: string; value: string } | { type: 'del'; key: string }

/** The part of an `abstract-level` database with string keys and values that the ledger uses; a sublevel fits. */
export interface LedgerDatabase {
  get(key: string): Promise<string | undefined>
  batch(operations: LedgerOperation[], options: { sync: boolean }): Promise<void>
  iterator(range: { gte: string; lt: string; reverse?: boolean; limit?: number }): AsyncIterable<[string, string]>
}

/** One change of the books. */
export type LedgerWrite =
  | { kind: 'payer'; record: PayerChannel }
  | { kind: 'payer-forgotten'; channel: string }
  | { kind: 'payee'; record: PayeeChannel }
  | { kind: 'payee-forgotten'; channel: string }
  | { kind: 'job'; record: JobLine }
  | { kind: 'spending'; record: SpendingDay }

interface Waiting {
  operations: LedgerOperation[]
  resolve: () => void
  reject: (err: unknown) => void
}

/**
 * The durable books of both roles. Whatever `commit` was given is on disk when it resolves, all of it or, if it
 * rejects or the process dies, possibly none of it.
 */
export class Ledger {
  readonly #database: LedgerDatabase
  #waiting: Waiting[] = []
  #busy = false
  #seal: Promise<LedgerSeal> | undefined

  constructor(database: LedgerDatabase) {
    this.#database = database
  }

  /**
   * Writes atomically and durably. Calls that arrive in one tick, or while a write is under way, share one disk sync.
   *
   * @throws {EnvironmentError} `LEDGER_WRITE_FAILED`; whether it is on disk is then unknown. `LEDGER_CORRUPT` if records that
   *   were written before are missing
   */
  commit(...writes: LedgerWrite[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operations: writes.map(operation), resolve, reject })
      if (!this.#busy) {
        this.#busy = true
        setImmediate(() => void this.#flush())
      }
    })
  }

  /** @throws {EnvironmentError} `LEDGER_CORRUPT` naming the key */
  payerChannels(): Promise<PayerChannel[]> {
    return this.#list('payer/', payerRecord)
  }

  /** @throws {EnvironmentError} `LEDGER_CORRUPT` naming the key */
  payeeChannels(): Promise<PayeeChannel[]> {
    return this.#list('payee/', payeeRecord)
  }

  /** @throws {EnvironmentError} `LEDGER_CORRUPT` naming the key */
  spendingDays(): Promise<SpendingDay[]> {
    return this.#list('spending/', spendingRecord)
  }

  /**
   * Job lines, newest first.
   *
   * @throws {EnvironmentError} `LEDGER_CORRUPT` naming the key
   */
  jobs(role: JobRole, limit?: number): Promise<JobLine[]> {
    return this.#list(`job/${role}/`, jobRecord, { reverse: true, ...(limit === undefined ? {} : { limit }) })
  }

  /** @throws {EnvironmentError} `LEDGER_CORRUPT` naming the key */
  async job(key: string): Promise<JobLine | undefined> {
    const stored = await named(() => this.#database.get(key))
    return stored === undefined ? undefined : decodeRecord(key, jobRecord, stored)
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        await this.#write(batch.flatMap(waiting => waiting.operations))
        for (const waiting of batch) {
          waiting.resolve()
        }
      } catch (err) {
        for (const waiting of batch) {
          waiting.reject(err)
        }
      }
      // Those just woken write again within this tick: let them share the next sync.
      await new Promise(setImmediate)
    }
    this.#busy = false
  }

  async #write(operations: LedgerOperation[]): Promise<void> {
    const seal = await this.#sealed()
    try {
      await this.#database.batch(seal.add(operations), { sync: true })
    } catch (cause) {
      // Whether it is on disk or not, the seal has to be the one that is there.
      this.#seal = undefined
      throw new EnvironmentError(
        'LEDGER_WRITE_FAILED',
        'The ledger could not be written: check disk space and the home folder, then start the node again',
        { cause }
      )
    }
  }

  /** What is on disk, checked once before anything is believed or added. */
  #sealed(): Promise<LedgerSeal> {
    if (this.#seal === undefined) {
      const reading = named(() => LedgerSeal.read(this.#database))
      this.#seal = reading
      reading.catch(() => {
        this.#seal = undefined
      })
    }
    return this.#seal
  }

  async #list<T>(
    prefix: string,
    codec: FieldCodec<T>,
    options: { reverse?: boolean; limit?: number } = {}
  ): Promise<T[]> {
    const found = (await this.#sealed()).takeFound(prefix)
    if (found !== undefined) {
      return found.map(([key, body]) => decodeBody(key, codec, body))
    }
    // '0' follows '/' in ASCII: the end of the prefix's range.
    const range = { gte: prefix, lt: `${prefix.slice(0, -1)}0`, ...options }
    return named(async () => {
      const records: T[] = []
      for await (const [key, stored] of this.#database.iterator(range)) {
        records.push(decodeRecord(key, codec, stored))
      }
      return records
    })
  }
}

/** Gives what a damaged database throws a name. */
async function named<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    throw cause instanceof CocoonError
      ? cause
      : new EnvironmentError(
          'LEDGER_CORRUPT',
          `The ledger cannot be read (${errorCode(cause) ?? 'unknown error'}): restore the home folder from a copy, or move its ledger away and recover the channels from the other side`,
          { cause }
        )
  }
}

function operation(write: LedgerWrite): LedgerOperation {
  switch (write.kind) {
    case 'payer':
      return put(`payer/${write.record.channel}`, payerRecord, write.record)
    case 'payer-forgotten':
      return { type: 'del', key: `payer/${write.channel}` }
    case 'payee':
      return put(`payee/${write.record.channel}`, payeeRecord, write.record)
    case 'payee-forgotten':
      return { type: 'del', key: `payee/${write.channel}` }
    case 'job':
      return put(jobKey(write.record), jobRecord, write.record)
    case 'spending':
      return put(`spending/${write.record.day}`, spendingRecord, write.record)
  }
}

function put<T>(key: string, codec: FieldCodec<T>, record: T): LedgerOperation {
  return { type: 'put', key, value: encodeRecord(key, codec, record) }
}
