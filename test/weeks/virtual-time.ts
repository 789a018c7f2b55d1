import { type AbortOptions, throwIfAborted } from '../../src/core/abort.ts'
import type { Clock } from '../../src/core/clock.ts'
import { CancelledError } from '../../src/core/errors.ts'

interface Timer {
  atMs: number
  order: number
  fire: () => void
}

/** Turns of the event loop without work, after which everybody is taken to wait for time to pass. */
const QUIET_TURNS = 8

/** Time that passes only when everybody waits for it: months in minutes, and the same every time. */
export class VirtualTime implements Clock {
  #nowMs: number
  /** Sorted, the next one last. */
  readonly #timers: Timer[] = []
  #order = 0
  #working = 0
  #happened = 0

  constructor(startMs: number) {
    this.#nowMs = startMs
  }

  nowMs = (): number => this.#nowMs

  /** @throws {CancelledError} `CANCELLED` */
  sleep = async (ms: number, { signal }: AbortOptions = {}): Promise<void> => {
    throwIfAborted(signal)
    await new Promise<void>((resolve, reject) => {
      const timer = { atMs: this.#nowMs + Math.ceil(Math.max(0, ms)), order: this.#order++, fire: () => end(resolve) }
      const cancel = (): void => {
        this.#timers.splice(this.#timers.indexOf(timer), 1)
        end(() => reject(new CancelledError('Cancelled', { cause: signal?.reason })))
      }
      const end = (settle: () => void): void => {
        this.#happened++
        signal?.removeEventListener('abort', cancel)
        settle()
      }
      signal?.addEventListener('abort', cancel, { once: true })
      this.#insert(timer)
    })
  }

  /** As the payments want it. */
  delay = (ms: number, signal?: AbortSignal): Promise<void> => this.sleep(ms, signal === undefined ? {} : { signal })

  /** Time stands still while `task` runs: it does real work, like executing a block. */
  async working<T>(task: () => Promise<T>): Promise<T> {
    this.#working++
    try {
      return await task()
    } finally {
      this.#working--
      this.#happened++
    }
  }

  /** Lets time pass until `task` is done. */
  async run<T>(task: Promise<T>): Promise<T> {
    let done = false
    const watched = task.finally(() => {
      done = true
    })
    watched.catch(() => undefined)
    for (;;) {
      await this.#quiet()
      if (done) {
        return watched
      }
      const next = this.#timers.pop()
      if (next === undefined) {
        throw new Error('Everybody waits and nobody for the time: something is stuck')
      }
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.fire()
    }
  }

  async #quiet(): Promise<void> {
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      const before = this.#happened
      await new Promise(setImmediate)
      if (this.#working > 0 || this.#happened !== before) {
        turns = -1
      }
    }
  }

  #insert(timer: Timer): void {
    this.#happened++
    let [low, high] = [0, this.#timers.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const other = this.#timers[middle] as Timer
      if (other.atMs > timer.atMs || (other.atMs === timer.atMs && other.order > timer.order)) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    this.#timers.splice(low, 0, timer)
  }
}
