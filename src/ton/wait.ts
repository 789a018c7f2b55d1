import { setTimeout as timer } from 'node:timers/promises'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { CancelledError } from '../core/errors.ts'

/** Waits; injected so that tests own it. */
export type Sleep = (ms: number, options?: AbortOptions) => Promise<void>

/** @throws {CancelledError} `CANCELLED` if the signal is aborted meanwhile */
export const systemSleep: Sleep = async (ms, { signal } = {}) => {
  try {
    await timer(ms, undefined, signal === undefined ? {} : { signal })
  } catch (err) {
    throw new CancelledError('Cancelled', { cause: err })
  }
}

export interface PollInit {
  /** Gives up after this long, in milliseconds. */
  limitMs: number
  /** @default 150 */
  firstDelayMs?: number
  /** @default 2_000 */
  maxDelayMs?: number
}

const FIRST_DELAY_MS = 150
const MAX_DELAY_MS = 2_000
const BACKOFF = 1.5

/**
 * Asks `check` with growing pauses until it answers.
 *
 * @returns undefined if the limit passed without an answer
 * @throws {CancelledError} `CANCELLED`, and whatever `check` throws
 */
export async function poll<T>(
  check: () => Promise<T | undefined>,
  { limitMs, firstDelayMs = FIRST_DELAY_MS, maxDelayMs = MAX_DELAY_MS }: PollInit,
  sleep: Sleep,
  options: AbortOptions = {}
): Promise<T | undefined> {
  let delayMs = firstDelayMs
  for (let waitedMs = 0; waitedMs <= limitMs; waitedMs += delayMs) {
    throwIfAborted(options.signal)
    const answer = await check()
    if (answer !== undefined) {
      return answer
    }
    await sleep(delayMs, options)
    delayMs = Math.min(delayMs * BACKOFF, maxDelayMs)
  }
  return undefined
}
