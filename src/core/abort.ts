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
