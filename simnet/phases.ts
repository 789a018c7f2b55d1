/** Wall-clock time of the parts of a run, for people and for measurements. */
export class Phases {
  readonly #startMs = performance.now()
  readonly #entries: Array<{ name: string; ms: number }> = []

  /** Times one part; its result is passed on. */
  async time<T>(name: string, work: () => Promise<T>): Promise<T> {
    const startMs = performance.now()
    try {
      return await work()
    } finally {
      this.#entries.push({ name, ms: Math.round(performance.now() - startMs) })
    }
  }

  /** Milliseconds of each part, in the order in which they ended. */
  get durations(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#entries.map(({ name, ms }) => [name, ms]))
  }

  get totalMs(): number {
    return Math.round(performance.now() - this.#startMs)
  }
}
