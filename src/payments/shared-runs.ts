import type { AbortOptions } from '../core/abort.ts'
import { CancelledError } from '../core/errors.ts'

/**
 * At most one run of a task per key; whoever comes meanwhile gets the same result. The task belongs to all of them,
 * so one caller's signal ends only that caller's wait.
 */
export class SharedRuns<T> {
  readonly #running = new Map<string, Promise<T>>()

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
    return abortable(shared, options.signal)
  }
}

/** Waits for a task that goes on whether or not anybody waits. */
export function abortable<T>(task: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) {
    return task
  }
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new CancelledError('Cancelled', { cause: signal.reason }))
    if (signal.aborted) {
      onAbort()
      return
    }
    signal.addEventListener('abort', onAbort, { once: true })
    task.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
