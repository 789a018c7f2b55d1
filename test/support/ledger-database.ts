import type { LedgerDatabase, LedgerOperation } from '../../src/payments/ledger/ledger.ts'

/** A ledger's disk in memory. Tests may count, delay or lose writes; what is in `stored` survives a "crash". */
export class FakeLedgerDatabase implements LedgerDatabase {
  readonly stored: Map<string, string>
  /** Batches that were written, with the number of operations and whether a sync was asked for. */
  readonly batches: Array<{ size: number; sync: boolean }> = []
  /** Runs before a batch is applied: throw to lose it. */
  before: (operations: LedgerOperation[]) => Promise<void> | void = () => undefined

  constructor(stored: Iterable<[string, string]> = []) {
    this.stored = new Map(stored)
  }

  async get(key: string): Promise<string | undefined> {
    return this.stored.get(key)
  }

  async batch(operations: LedgerOperation[], { sync }: { sync: boolean }): Promise<void> {
    await this.before(operations)
    this.batches.push({ size: operations.length, sync })
    for (const operation of operations) {
      if (operation.type === 'put') {
        this.stored.set(operation.key, operation.value)
      } else {
        this.stored.delete(operation.key)
      }
    }
  }

  async *iterator(range: {
    gte: string
    lt: string
    reverse?: boolean
    limit?: number
  }): AsyncGenerator<[string, string]> {
    const keys = [...this.stored.keys()].filter(key => key >= range.gte && key < range.lt).toSorted()
    for (const key of (range.reverse === true ? keys.toReversed() : keys).slice(0, range.limit)) {
      yield [key, this.stored.get(key) ?? '']
    }
  }
}
