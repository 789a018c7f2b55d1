/**
 * Runs tasks of one key strictly one after the other, tasks of different keys at once.
 * Money and sessions change only inside a turn, so nothing interleaves across an `await`.
 */
export class Turns {
  readonly #tails = new Map<string, Promise<unknown>>()

  /** Number of keys with work under way. */
  get size(): number {
    return this.#tails.size
  }

  /** Waits for earlier tasks of `key`, runs `task`, and hands on its result. A failed task does not stop later ones. */
  async take<T>(key: string, task: () => Promise<T> | T): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve()
    const run = before.then(task, task)
    const tail = run.then(
      () => undefined,
      () => undefined
    )
    this.#tails.set(key, tail)
    try {
      return await run
    } finally {
      if (this.#tails.get(key) === tail) {
        this.#tails.delete(key)
      }
    }
  }
}
