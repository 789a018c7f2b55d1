import { EnvironmentError } from '../../core/errors.ts'
import type { LedgerDatabase, LedgerOperation } from './ledger.ts'
import { checkRecord, decodeRecord, encodeRecord, integerField, objectField, writtenDigest } from './record-codec.ts'

interface Seal {
  records: number
  /** Of the records' checksums. */
  sum: number
}

const SEAL_KEY = 'seal'
const sealRecord = objectField<Seal>({ records: integerField, sum: integerField })

/** Ranges of records that none may be missing from. Lines of jobs are history: their number is not kept. */
const SEALED_RANGES: ReadonlyArray<{ gte: string; lt: string }> = ['payee', 'payer', 'spending'].map(kind => ({
  gte: `${kind}/`,
  // '0' follows '/' in ASCII: the end of the prefix's range.
  lt: `${kind}0`
}))

/**
 * Knows which records the ledger holds, and writes that into every batch. A damaged database can lose a record without
 * a word, or show an older one: then the records no longer add up to the seal, and nothing is served or signed on them.
 */
export class LedgerSeal {
  readonly #digests = new Map<string, number>()
  #found: Array<[string, string]> | undefined = []
  #sum = 0
  /** Whether one is on disk: a ledger of version 0.1.0 has none before its first write. */
  #stored = false

  private constructor() {}

  /**
   * Reads all the records there are.
   *
   * @throws {EnvironmentError} `LEDGER_CORRUPT` if they are not the ones that were written last
   */
  static async read(database: LedgerDatabase): Promise<LedgerSeal> {
    const seal = new LedgerSeal()
    let isSealed = false
    for (const range of SEALED_RANGES) {
      for await (const [key, stored] of database.iterator(range)) {
        const record = checkRecord(key, stored)
        seal.#put(key, record.digest)
        seal.#found?.push([key, record.body])
        isSealed ||= record.isSealed
      }
    }
    const stored = await database.get(SEAL_KEY)
    if (stored !== undefined) {
      seal.#stored = true
      const { records, sum } = decodeRecord(SEAL_KEY, sealRecord, stored)
      seal.#require(records === seal.#digests.size && sum === seal.#sum, records)
    }
    seal.#require(seal.#stored || !isSealed, 0)
    return seal
  }

  /**
   * Bodies of the records as they were read and checked, while nothing was added; handed out once, so that whoever loads
   * them needs no second look.
   */
  takeFound(prefix: string): Array<[string, string]> | undefined {
    const found = this.#found?.filter(([key]) => key.startsWith(prefix))
    this.#found = this.#found?.filter(([key]) => !key.startsWith(prefix))
    return found === undefined || found.length === 0 ? undefined : found
  }

  /** Takes operations of `encodeRecord` into account, and adds the new seal to them if it changed. They have to be written next. */
  add(operations: readonly LedgerOperation[]): LedgerOperation[] {
    let changed = !this.#stored
    this.#found = undefined
    for (const operation of operations) {
      const { key } = operation
      if (SEALED_RANGES.some(({ gte, lt }) => key >= gte && key < lt)) {
        changed = true
        this.#remove(key)
        if (operation.type === 'put') {
          this.#put(key, writtenDigest(operation.value))
        }
      }
    }
    if (!changed) {
      return [...operations]
    }
    this.#stored = true
    const value = encodeRecord(SEAL_KEY, sealRecord, { records: this.#digests.size, sum: this.#sum })
    return [...operations, { type: 'put', key: SEAL_KEY, value }]
  }

  #put(key: string, digest: number): void {
    this.#digests.set(key, digest)
    this.#sum += digest
  }

  #remove(key: string): void {
    this.#sum -= this.#digests.get(key) ?? 0
    this.#digests.delete(key)
  }

  #require(holds: boolean, records: number): void {
    if (!holds) {
      throw new EnvironmentError(
        'LEDGER_CORRUPT',
        `The ledger holds ${this.#digests.size} records of channels and spending, not the ${records} that were written last: restore the home folder from a copy, or move its ledger away and recover the channels from the other side`,
        { details: { key: SEAL_KEY, found: this.#digests.size, written: records } }
      )
    }
  }
}
