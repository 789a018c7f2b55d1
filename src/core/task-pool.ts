/** Runs tasks with a limit on how many run at once. Tasks handle their own failures. */
export class TaskPool {
  readonly #limit: number
  readonly #waiting: Array<() => Promise<void>> = []
  #running = 0
  #idle: (() => void) | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  add(task: () => Promise<void>): void {
    this.#waiting.push(task)
    this.#next()
  }

  /** Resolves when nothing runs and nothing waits. */
  async idle(): Promise<void> {
    while (this.#running > 0) {
      await new Promise<void>(resolve => {
        this.#idle = resolve
      })
    }
  }

  #next(): void {
    while (this.#running < this.#limit) {
      const task = this.#waiting.shift()
      if (task === undefined) {
        return
      }
      this.#running++
      task()
        .catch(() => undefined)
        .finally(() => {
          this.#running--
          this.#next()
          if (this.#running === 0) {
            this.#idle?.()
          }
        })
    }
  }
}
