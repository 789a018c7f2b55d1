/** Where a writer's time comes from. */
export interface Timing {
  /** Any clock that only goes forward, in milliseconds. */
  nowMs(): number
  /** Calls back after so many milliseconds. Returns how to cancel it. */
  after(ms: number, call: () => void): () => void
}

export const systemTiming: Timing = {
  nowMs: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  }
}
