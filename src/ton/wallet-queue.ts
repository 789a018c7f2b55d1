import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { CancelledError, errorMessage } from '../core/errors.ts'

/** One who waits for its transfer. Settling it twice, or after its caller gave up, does nothing. */
export interface Waiting<T, R> {
  readonly item: T
  /** Messages that carried it and never landed. */
  tries: number
  /** Its caller gave up. */
  readonly abandoned: boolean
  resolve(result: R): void
  reject(err: Error): void
}

/**
 * Items that wait for a single writer. `sendSome` is called while any wait, never twice at once; it takes from the head
 * of the list what it sends, may put it back there, and settles it. What it throws is for those that it took or, if it
 * took none, for all that waited. Its signal is aborted once nobody waits any more.
 */
export class WaitingList<T, R> {
  readonly #sendSome: (options: Required<AbortOptions>) => Promise<void>
  #waiting: ReadonlyArray<Waiting<T, R>> = []
  #taken: ReadonlyArray<Waiting<T, R>> = []
  #step: AbortController | undefined

  constructor(sendSome: (options: Required<AbortOptions>) => Promise<void>) {
    this.#sendSome = sendSome
  }

  /** Those that wait, oldest first. */
  get waiting(): ReadonlyArray<Waiting<T, R>> {
    return this.#waiting
  }

  /** @throws {CancelledError} `CANCELLED`, with `details.sent: false` if it was never taken */
  async add(item: T, { signal }: AbortOptions = {}): Promise<R> {
    throwIfAborted(signal)
    return new Promise<R>((resolve, reject) => {
      const give = (settle: () => void): void => {
        signal?.removeEventListener('abort', abandon)
        settle()
      }
      let abandoned = false
      const entry: Waiting<T, R> = {
        item,
        tries: 0,
        get abandoned() {
          return abandoned
        },
        resolve: result => give(() => resolve(result)),
        reject: err => give(() => reject(err))
      }
      const abandon = (): void => {
        abandoned = true
        const untouched = this.#waiting.includes(entry) && entry.tries === 0
        this.#waiting = this.#waiting.filter(other => other !== entry)
        const details = untouched ? { details: { sent: false } } : {}
        entry.reject(new CancelledError('Cancelled', { cause: signal?.reason, ...details }))
        if (this.#waiting.length === 0 && this.#taken.every(other => other.abandoned)) {
          this.#step?.abort()
        }
      }
      signal?.addEventListener('abort', abandon, { once: true })
      this.#waiting = [...this.#waiting, entry]
      void this.#work()
    })
  }

  /** Takes the `count` oldest. */
  take(count: number): ReadonlyArray<Waiting<T, R>> {
    this.#taken = this.#waiting.slice(0, count)
    this.#waiting = this.#waiting.slice(count)
    return this.#taken
  }

  /** Back to the head of the list, in the order they were in; without those that were given up. */
  putBack(entries: ReadonlyArray<Waiting<T, R>>): void {
    this.#taken = []
    this.#waiting = [...entries.filter(({ abandoned }) => !abandoned), ...this.#waiting]
  }

  #fail(entries: ReadonlyArray<Waiting<T, R>>, err: unknown): void {
    this.#waiting = this.#waiting.filter(entry => !entries.includes(entry))
    for (const entry of entries) {
      entry.reject(err instanceof Error ? err : new Error(errorMessage(err)))
    }
  }

  async #work(): Promise<void> {
    if (this.#step !== undefined) {
      return
    }
    this.#step = new AbortController()
    // Items that were added in the same moment go together.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      this.#step = new AbortController()
      const present = this.#waiting
      try {
        await this.#sendSome({ signal: this.#step.signal })
      } catch (err) {
        this.#fail(this.#taken.length > 0 ? this.#taken : present, err)
      }
      this.#taken = []
    }
    this.#step = undefined
  }
}
