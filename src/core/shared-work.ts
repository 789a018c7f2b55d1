import { type AbortOptions, throwIfAborted } from './abort.ts'
import type { Clock } from './clock.ts'
import { SharedRuns } from './shared-runs.ts'

interface Failure {
  readonly atMs: number
  readonly cause: unknown
}

/** {@link SharedRuns} of work that is not tried again for a while after it failed: until then everybody gets the failure. */
export class SharedWork<T> {
  readonly #clock: Clock
  readonly #restMs: number
  readonly #runs = new SharedRuns<T>()
  readonly #failures = new Map<string, Failure>()

  /** @param restMs after a failure, in milliseconds */
  constructor(clock: Clock, restMs: number) {
    this.#clock = clock
    this.#restMs = restMs
  }

  /** Number of keys with work under way or a failure that is remembered. */
  get size(): number {
    return this.#runs.size + this.#failures.size
  }

  /**
   * @throws what the work threw
   * @throws {CancelledError} `CANCELLED` for the caller whose signal fires; the work goes on
   */
  async join(key: string, start: () => Promise<T>, options: AbortOptions = {}): Promise<T> {
    throwIfAborted(options.signal)
    if (!this.#runs.has(key)) {
      this.#expectRested(key)
    }
    return this.#runs.run(key, () => this.#try(key, start), options)
  }

  #expectRested(key: string): void {
    const failure = this.#failures.get(key)
    const nowMs = this.#clock.nowMs()
    // A clock that was set back makes a failure look as if it were to come.
    if (failure !== undefined && nowMs >= failure.atMs && nowMs < failure.atMs + this.#restMs) {
      throw failure.cause
    }
  }

  async #try(key: string, start: () => Promise<T>): Promise<T> {
    try {
      const result = await start()
      this.#failures.delete(key)
      return result
    } catch (cause) {
      this.#failures.set(key, { atMs: this.#clock.nowMs(), cause })
      throw cause
    }
  }
}
