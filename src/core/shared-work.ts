import { type AbortOptions, throwIfAborted } from './abort.ts'
import type { Clock } from './clock.ts'
import { CancelledError } from './errors.ts'

interface Failure {
  readonly atMs: number
  readonly cause: unknown
}

/**
 * Work that several ask for at once is done once, and goes on when one of them stops waiting. Work that failed is not
 * tried again for a while, if so wished: until then everybody gets the same failure.
 */
export class SharedWork<T> {
  readonly #clock: Clock
  readonly #restMs: number
  readonly #running = new Map<string, Promise<T>>()
  readonly #failures = new Map<string, Failure>()

  /** @param restMs after a failure, in milliseconds; with 0 no failure is remembered */
  constructor(clock: Clock, restMs: number) {
    this.#clock = clock
    this.#restMs = restMs
  }

  /** Number of keys with work under way or a failure that is remembered. */
  get size(): number {
    return this.#running.size + this.#failures.size
  }

  /**
   * @throws what the work threw
   * @throws {CancelledError} `CANCELLED` for the caller whose signal fires; the work goes on
   */
  async join(key: string, start: () => Promise<T>, { signal }: AbortOptions = {}): Promise<T> {
    throwIfAborted(signal)
    let work = this.#running.get(key)
    if (work === undefined) {
      this.#expectRested(key)
      work = this.#run(key, start)
      // Everybody may have stopped waiting when it fails.
      work.catch(() => undefined)
      this.#running.set(key, work)
    }
    return signal === undefined ? work : raceSignal(work, signal)
  }

  #expectRested(key: string): void {
    const failure = this.#failures.get(key)
    const nowMs = this.#clock.nowMs()
    // A clock that was set back makes a failure look as if it were to come.
    if (failure !== undefined && nowMs >= failure.atMs && nowMs < failure.atMs + this.#restMs) {
      throw failure.cause
    }
  }

  async #run(key: string, start: () => Promise<T>): Promise<T> {
    try {
      const result = await start()
      this.#failures.delete(key)
      return result
    } catch (cause) {
      if (this.#restMs > 0) {
        this.#failures.set(key, { atMs: this.#clock.nowMs(), cause })
      }
      throw cause
    } finally {
      this.#running.delete(key)
    }
  }
}

async function raceSignal<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let leave = (): void => undefined
  const left = new Promise<never>((_, reject) => {
    leave = () => reject(new CancelledError('Cancelled', { cause: signal.reason }))
    signal.addEventListener('abort', leave, { once: true })
  })
  try {
    return await Promise.race([work, left])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
