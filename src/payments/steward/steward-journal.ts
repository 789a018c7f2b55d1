import type { JobRole } from '../ledger/job-line.ts'
import type { LedgerDatabase } from '../ledger/ledger.ts'
import {
  amountField,
  decodeRecord,
  encodeRecord,
  integerField,
  objectField,
  textField
} from '../ledger/record-codec.ts'
import { NO_TRIES, type StepTries } from '../lifecycle/tries.ts'

const PREFIX = 'step/'
// '0' follows '/' in ASCII: the end of the prefix's range.
const PREFIX_END = 'step0'

const triesField = objectField<StepTries>({
  key: textField,
  tries: integerField,
  misses: integerField,
  spent: amountField,
  lastAtMs: integerField,
  outOfReachSinceMs: integerField
})

/** What failed steps of channels have cost, durably: see {@link StepTries}. A sublevel of the home's database fits. */
export class StewardJournal {
  readonly #database: LedgerDatabase
  readonly #known = new Map<string, StepTries>()
  #loading: Promise<void> | undefined

  constructor(database: LedgerDatabase) {
    this.#database = database
  }

  /**
   * Reads what is on disk, once.
   *
   * @throws {EnvironmentError} `LEDGER_CORRUPT`
   */
  load(): Promise<void> {
    this.#loading ??= this.#read()
    return this.#loading
  }

  /** What is known since `load`. */
  get(role: JobRole, channel: string): StepTries {
    return this.#known.get(keyOf(role, channel)) ?? NO_TRIES
  }

  /** On disk when it resolves. */
  async put(role: JobRole, channel: string, record: StepTries): Promise<void> {
    const key = keyOf(role, channel)
    await this.#database.batch([{ type: 'put', key, value: encodeRecord(key, triesField, record) }], { sync: true })
    this.#known.set(key, record)
  }

  /** A step succeeded, or a user wants all to be tried again. */
  async forget(role: JobRole, channel: string): Promise<void> {
    const key = keyOf(role, channel)
    if (this.#known.has(key)) {
      await this.#database.batch([{ type: 'del', key }], { sync: true })
      this.#known.delete(key)
    }
  }

  async #read(): Promise<void> {
    for await (const [key, stored] of this.#database.iterator({ gte: PREFIX, lt: PREFIX_END })) {
      this.#known.set(key, decodeRecord(key, triesField, stored))
    }
  }
}

function keyOf(role: JobRole, channel: string): string {
  return `${PREFIX}${role}/${channel}`
}
