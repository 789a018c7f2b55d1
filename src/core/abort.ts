import { setMaxListeners } from 'node:events'
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

/**
 * One signal for several causes; undefined ones are left out. A signal that lives on, such as that of a node's stop,
 * remembers every one made of it: where a stranger or a clock decides how often, use `linkSignals` or `withTimeLimit`.
 */
export function anySignal(...signals: Array<AbortSignal | undefined>): AbortSignal {
  return AbortSignal.any(signals.filter(s => s !== undefined))
}

/**
 * One signal for several causes, as `anySignal`, of which nothing is left at any of them after `unlink`.
 *
 * @returns the signal, aborted with the reason of the first cause, and the function that ends the link
 */
export function linkSignals(...signals: Array<AbortSignal | undefined>): { signal: AbortSignal; unlink: () => void } {
  const controller = new AbortController()
  return { signal: controller.signal, unlink: link(controller, signals) }
}

/**
 * Runs `task` with a signal of its own that is aborted after `limitMs`, or as soon as `signal` is. Nothing of it is left
 * when the task has settled: `AbortSignal.timeout` stays in memory until the time is over, and `AbortSignal.any` as long
 * as the signals it is made of, which adds up where a stranger decides how often.
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
  const unlink = link(controller, [signal])
  try {
    return await task(controller.signal)
  } finally {
    clearTimeout(timer)
    unlink()
  }
}

/** Settles like `promise`, or rejects as soon as the signal is aborted; the work itself then ends unheard. */
export function abortable<T>(promise: Promise<T>, { signal }: AbortOptions): Promise<T> {
  if (signal === undefined) {
    return promise
  }
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new CancelledError('Cancelled', { cause: signal.reason }))
    if (signal.aborted) {
      onAbort()
      return
    }
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

function link(controller: AbortController, signals: ReadonlyArray<AbortSignal | undefined>): () => void {
  const links = signals
    .filter(s => s !== undefined)
    .map(source => ({ source, forward: () => controller.abort(source.reason) }))
  for (const { source, forward } of links) {
    // Node warns of a leak at eleven. These go again, however many there are at once.
    setMaxListeners(0, source)
    source.addEventListener('abort', forward, { once: true })
    if (source.aborted) {
      forward()
    }
  }
  return () => {
    for (const { source, forward } of links) {
      source.removeEventListener('abort', forward)
    }
  }
}
