import { CancelledError } from './errors.ts'

/** Every I/O method takes these last and forwards the signal. */
export interface AbortOptions {
  signal?: AbortSignal
}

/** @throws {CancelledError} `CANCELLED` if the signal was aborted */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new CancelledError('Cancelled', { cause: signal.reason })
  }
}

/** One signal for several causes; undefined ones are left out. */
export function anySignal(...signals: Array<AbortSignal | undefined>): AbortSignal {
  return AbortSignal.any(signals.filter(s => s !== undefined))
}

/**
 * Runs `task` with a signal of its own that is aborted after `limitMs`, or as soon as `signal` is. Nothing of it is left
 * when the task has settled: `AbortSignal.timeout` and `AbortSignal.any` stay in memory until the time is over, which
 * adds up where a stranger decides how often.
 *
 * @returns what the task returns; the limit ends it only as far as the task heeds its signal
 */
export async function withTimeLimit<T>(
  limitMs: number,
  signal: AbortSignal | undefined,
  task: (signal: AbortSignal) => Promise<T>
): Promise<T> {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(new DOMException(`${limitMs} ms are over`, 'TimeoutError')), limitMs)
  const forward = (): void => controller.abort(signal?.reason)
  signal?.addEventListener('abort', forward, { once: true })
  if (signal?.aborted === true) {
    forward()
  }
  try {
    return await task(controller.signal)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', forward)
  }
}
