import { type AbortOptions, abortable } from './abort.ts'

/**
 * At most one run of a task per key; whoever comes meanwhile gets the same result. The task belongs to all of them,
 * so one caller's signal ends only that caller's wait.
 */
export class SharedRuns<T> {
  readonly #running = new Map<string, Promise<T>>()

  /** Number of keys with a run under way. */
  get size(): number {
    return this.#running.size
  }

  /** Whether a run of `key` is under way. */
  has(key: string): boolean {
    return this.#running.has(key)
  }

  /** @throws {CancelledError} `CANCELLED`, and whatever the task throws */
  run(key: string, task: () => Promise<T>, options: AbortOptions = {}): Promise<T> {
    let shared = this.#running.get(key)
    if (shared === undefined) {
      shared = task().finally(() => this.#running.delete(key))
      // Every caller may have given up by the time it fails.
      shared.catch(() => undefined)
      this.#running.set(key, shared)
    }
    return abortable(shared, options)
  }
}
