import { CancelledError } from '../core/errors.ts'

/**
 * The promise's outcome, or `CANCELLED` as soon as the signal aborts. Leaves no listener behind, so one signal may
 * serve thousands of calls. A promise left behind may reject unheard.
 */
export async function orCancelled<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  onCancel?: () => void
): Promise<T> {
  if (signal === undefined) {
    return promise
  }
  let onAbort: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      promise.catch(() => undefined)
      onCancel?.()
      reject(new CancelledError('Cancelled', { cause: signal.reason }))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) {
      onAbort()
    }
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    if (onAbort !== undefined) {
      signal.removeEventListener('abort', onAbort)
    }
  }
}
