import { setTimeout as delay } from 'node:timers/promises'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import { errorCode } from '../core/errors.ts'

/** Since the first look. */
const PATIENCE_MS = 5_000
const PAUSE_MS = 700

export interface PatientLookupComponents {
  clock: Clock
  /** @default a timer's */
  pause?: (ms: number, options: AbortOptions) => Promise<unknown>
}

/**
 * Looks again a moment later, for some seconds, while nothing is found: a provider publishes its record as soon as it
 * sees a first peer, and this node may just have joined.
 *
 * @throws what `look` throws: at once unless it is a `NO_PROVIDERS` or `CAPACITY_NOT_FOUND`
 * @throws {CancelledError} `CANCELLED`
 */
export async function patientLookup<T>(
  look: () => Promise<T>,
  { clock, pause = (ms, options) => delay(ms, undefined, options) }: PatientLookupComponents,
  options: AbortOptions = {}
): Promise<T> {
  const giveUpMs = clock.nowMs() + PATIENCE_MS
  for (;;) {
    try {
      return await look()
    } catch (err) {
      const isMissing = ['NO_PROVIDERS', 'CAPACITY_NOT_FOUND'].includes(errorCode(err) ?? '')
      if (!isMissing || clock.nowMs() > giveUpMs) {
        throw err
      }
    }
    try {
      await pause(PAUSE_MS, options)
    } finally {
      throwIfAborted(options.signal)
    }
  }
}
