import { Turns } from '../../core/turns.ts'
import type { Ledger, LedgerWrite } from './ledger.ts'

/** A change of one record. Pure but for `also`, which adds writes to the same atomic commit. */
export type RecordChange<T> = (current: T | undefined, also: (write: LedgerWrite) => void) => T

/**
 * Channel records in memory, always equal to what is on disk. A record changes only inside its channel's turn and
 * only after the change is durable, so what is read here was never less than promised to the other side.
 */
export class ChannelBook<T extends { channel: string }> {
  readonly #ledger: Ledger
  readonly #write: (record: T) => LedgerWrite
  readonly #records = new Map<string, T>()
  readonly #turns = new Turns()

  constructor(ledger: Ledger, write: (record: T) => LedgerWrite) {
    this.#ledger = ledger
    this.#write = write
  }

  get(channel: string): T | undefined {
    return this.#records.get(channel)
  }

  values(): T[] {
    return [...this.#records.values()]
  }

  /** Takes over records as they are on disk. */
  load(records: Iterable<T>): void {
    for (const record of records) {
      this.#records.set(record.channel, record)
    }
  }

  /**
   * Applies a change in the channel's turn and resolves once it is durable. If `change` throws or the write fails,
   * the record stays as it was.
   *
   * @param committed runs in the same turn, right after the new record took effect
   * @param ready work that began before the turn: `change` is not called until it is done, and sees the record as it is then
   * @throws {EnvironmentError} `LEDGER_WRITE_FAILED`, and whatever `change` and `ready` throw
   */
  update(
    channel: string,
    change: RecordChange<T>,
    committed?: (record: T) => void,
    ready?: Promise<unknown>
  ): Promise<T> {
    // Its turn may come long after it failed.
    ready?.catch(() => undefined)
    return this.#turns.take(channel, async () => {
      if (ready !== undefined) {
        await ready
      }
      const current = this.#records.get(channel)
      const extra: LedgerWrite[] = []
      const next = change(current, write => extra.push(write))
      if (next !== current || extra.length > 0) {
        await this.#ledger.commit(this.#write(next), ...extra)
        this.#records.set(channel, next)
      }
      committed?.(next)
      return next
    })
  }

  /** Drops a record for good. `writes` are made when its turn comes. */
  forget(channel: string, writes: () => LedgerWrite[]): Promise<void> {
    return this.#turns.take(channel, async () => {
      await this.#ledger.commit(...writes())
      this.#records.delete(channel)
    })
  }
}
