import { UsageError } from '../../core/errors.ts'

/** When something is valid, both ends inclusive, in Unix milliseconds. */
export interface Validity {
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** When all of several things are valid at once. */
export function intersect(...all: readonly Validity[]): Validity {
  return {
    notBeforeMs: Math.max(...all.map(({ notBeforeMs }) => notBeforeMs)),
    notAfterMs: Math.min(...all.map(({ notAfterMs }) => notAfterMs))
  }
}

/**
 * A time that is NaN would pass comparisons.
 *
 * @throws {UsageError} `ATTESTATION_INPUT_INVALID` unless `nowMs` is a positive safe integer
 */
export function expectTime(nowMs: number): void {
  if (!Number.isSafeInteger(nowMs) || nowMs <= 0) {
    throw new UsageError('ATTESTATION_INPUT_INVALID', `Time ${nowMs} is not usable: expected Unix milliseconds`)
  }
}
