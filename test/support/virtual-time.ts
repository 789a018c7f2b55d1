import type { Timing } from '../../src/enclave/timing.ts'

/** A time of its own, which passes only in {@link run}. */
export class VirtualTime implements Timing {
  #nowMs = 0
  #calls: Array<{ atMs: number; call: () => void }> = []
  readonly #lateMs: () => number

  /** @param lateMs how late the next timer fires */
  constructor(lateMs: () => number = () => 0) {
    this.#lateMs = lateMs
  }

  /** Timers that have not fired. */
  get waiting(): number {
    return this.#calls.length
  }

  nowMs(): number {
    return this.#nowMs
  }

  after(ms: number, call: () => void): () => void {
    const entry = { atMs: this.#nowMs + ms + this.#lateMs(), call }
    this.#calls.push(entry)
    return () => {
      this.#calls = this.#calls.filter(other => other !== entry)
    }
  }

  run(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const next = this.#calls.toSorted((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined || next.atMs > untilMs) {
        break
      }
      this.#calls = this.#calls.filter(other => other !== next)
      this.#nowMs = next.atMs
      next.call()
    }
    this.#nowMs = untilMs
  }
}
