import type { AbortOptions } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import { errorCode } from '../core/errors.ts'
import { type Sleep, systemSleep } from '../ton/index.ts'

/** Since the first look. */
const PATIENCE_MS = 5_000
const PAUSE_MS = 700

export interface PatientLookupComponents {
  clock: Clock
  /** @default the system's timer */
  sleep?: Sleep
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
  { clock, sleep = systemSleep }: PatientLookupComponents,
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
    await sleep(PAUSE_MS, options)
  }
}
