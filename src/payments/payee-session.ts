import type { KeyObject } from 'node:crypto'
import { ed25519PublicKey } from '../core/ed25519.ts'
import { addNano, type NanoTon } from '../core/nano-ton.ts'
import type { PayeeChannel } from './payee-channel.ts'
import type { PayeeJob } from './payee-job.ts'

/** What lives beside a payee's record only while the process does. */
export class PayeeSession {
  /** Built once: every voucher is verified with it. */
  readonly payerKey: KeyObject
  readonly jobs = new Set<PayeeJob>()
  /** When the chain was last read, Unix milliseconds; undefined if not since the start. */
  checkedAtMs: number | undefined
  /** When a voucher above the deposit last made the chain be read. */
  rereadAtMs = Number.NEGATIVE_INFINITY
  /** When a voucher was last credited. */
  creditedAtMs = Number.NEGATIVE_INFINITY
  readonly #listeners = new Set<() => void>()

  constructor(record: PayeeChannel) {
    this.payerKey = ed25519PublicKey(record.terms.payerKey)
  }

  /** Cost of all jobs of `record`, running ones at what they were charged. */
  delivered(record: PayeeChannel): NanoTon {
    let sum = record.delivered
    for (const job of this.jobs) {
      sum = addNano(sum, job.charged)
    }
    return sum
  }

  /** Calls `listener` after each change, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Money came, was freed, or the channel ended: waiting jobs look again, the longest waiting first. */
  wake(): void {
    for (const listener of this.#listeners) {
      listener()
    }
  }
}
