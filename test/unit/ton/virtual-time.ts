import { type AbortOptions, throwIfAborted } from '../../../src/core/abort.ts'
import type { Clock } from '../../../src/core/clock.ts'
import { CancelledError } from '../../../src/core/errors.ts'
import type { Sleep } from '../../../src/ton/wait.ts'

/** Turns of the event loop without work, after which everybody is taken to wait for time to pass. */
const QUIET_TURNS = 4

/** Time that passes only while everybody waits for it. */
export class VirtualTime implements Clock {
  #nowMs = 1_800_000_000_000
  #timers: Array<{ atMs: number; fire: () => void }> = []
  #busy = 0

  nowMs(): number {
    return this.#nowMs
  }

  /** Lets the wall clock jump, in either direction; nobody who sleeps notices. */
  adjust(ms: number): void {
    this.#nowMs += ms
    for (const timer of this.#timers) {
      timer.atMs += ms
    }
  }

  sleep: Sleep = async (ms: number, { signal }: AbortOptions = {}): Promise<void> => {
    throwIfAborted(signal)
    await new Promise<void>((resolve, reject) => {
      const timer = { atMs: this.#nowMs + ms, fire: resolve }
      this.#timers.push(timer)
      signal?.addEventListener(
        'abort',
        () => {
          this.#timers = this.#timers.filter(other => other !== timer)
          reject(new CancelledError('Cancelled', { cause: signal.reason }))
        },
        { once: true }
      )
    })
  }

  /** Time stands still while `work` runs. */
  async busy<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++
    try {
      return await work()
    } finally {
      this.#busy--
    }
  }

  /** Lets time pass until `task` has settled. */
  async run<T>(task: Promise<T>): Promise<T> {
    let settled = false
    const end = (): void => void (settled = true)
    task.then(end, end)
    for (;;) {
      await this.#quiet()
      if (settled) {
        return task
      }
      const next = this.#timers.reduce((a, b) => (b.atMs < a.atMs ? b : a), this.#timers[0] ?? stuck())
      this.#timers = this.#timers.filter(other => other !== next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.fire()
    }
  }

  /** Lets so much time pass, whatever happens meanwhile. */
  async pass(ms: number): Promise<void> {
    await this.run(this.sleep(ms))
  }

  async #quiet(): Promise<void> {
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      await new Promise(resolve => setImmediate(resolve))
      turns = this.#busy > 0 ? -1 : turns
    }
  }
}

function stuck(): never {
  throw new Error('Everybody waits, and nobody for the time')
}
