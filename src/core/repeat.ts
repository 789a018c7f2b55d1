/** Pauses between runs of a repeated task, in milliseconds. */
export interface RepeatInit {
  /** Pause after a run; called anew each time, so it can jitter or back off. `failures`: runs that failed in a row. */
  pauseMs(failures: number): number
  signal: AbortSignal
  /** A run failed; the repetition goes on. */
  onError(err: unknown): void
}

/** Runs `task` again and again, never twice at once, until the signal is aborted. The first run comes after one pause. */
export function repeat(task: () => Promise<void>, init: RepeatInit): void {
  let failures = 0
  const schedule = (): void => {
    if (init.signal.aborted) {
      return
    }
    const timer = setTimeout(() => {
      init.signal.removeEventListener('abort', cancel)
      void run()
    }, init.pauseMs(failures))
    const cancel = (): void => clearTimeout(timer)
    timer.unref()
    init.signal.addEventListener('abort', cancel, { once: true })
  }
  const run = async (): Promise<void> => {
    try {
      await task()
      failures = 0
    } catch (err) {
      failures++
      if (!init.signal.aborted) {
        init.onError(err)
      }
    }
    schedule()
  }
  schedule()
}
