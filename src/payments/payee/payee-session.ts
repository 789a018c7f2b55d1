import type { KeyObject } from 'node:crypto'
import { ed25519PublicKey } from '../../core/ed25519.ts'
import { addNano, maxNano, type NanoTon, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { PayeeChannel } from './payee-channel.ts'
import type { PayeeJob } from './payee-job.ts'

/** What lives beside a payee's record only while the process does. */
export class PayeeSession {
  readonly jobs = new Set<PayeeJob>()
  /** Jobs that the process before this one left behind: each may have been paid a window that we never saw. */
  interrupted = 0
  /** Whether a voucher came since the start. */
  contacted = false
  /** When the chain last showed the channel as it was then, Unix milliseconds; undefined if not since the start. */
  checkedAtMs: number | undefined
  /** What was accepted by then. */
  acceptedWhenChecked: NanoTon = ZERO_NANO_TON
  /** Chain time of the newest view. */
  viewedAtMs = 0
  /** When the chain was last asked in the background. */
  lookedAtMs = Number.NEGATIVE_INFINITY
  /** When a voucher last made the chain be read at once. */
  rereadAtMs = Number.NEGATIVE_INFINITY
  /** When a voucher was last credited. */
  creditedAtMs = Number.NEGATIVE_INFINITY
  readonly #listeners = new Set<() => void>()
  readonly #rawPayerKey: Uint8Array
  #payerKey: KeyObject | undefined

  constructor(record: PayeeChannel) {
    this.#rawPayerKey = record.terms.payerKey
  }

  /** Built once, with the first voucher: every one is verified with it, and building takes as long as verifying. */
  get payerKey(): KeyObject {
    this.#payerKey ??= ed25519PublicKey(this.#rawPayerKey)
    return this.#payerKey
  }

  /** What running jobs were charged, all but `except`. */
  charged(except?: PayeeJob): NanoTon {
    return this.#sum(job => (job === except ? ZERO_NANO_TON : job.charged))
  }

  /** Cost of all jobs of `record`, running ones at what they were charged. */
  delivered(record: PayeeChannel): NanoTon {
    return addNano(record.delivered, this.charged())
  }

  /** What of the money of `record` is not free for another job: delivered, or held for a job's next chunk. */
  taken(record: PayeeChannel): NanoTon {
    return addNano(
      record.delivered,
      this.#sum(job => maxNano(job.charged, job.reserved))
    )
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

  #sum(of: (job: PayeeJob) => NanoTon): NanoTon {
    let sum = ZERO_NANO_TON
    for (const job of this.jobs) {
      sum = addNano(sum, of(job))
    }
    return sum
  }
}
