import { UsageError } from '../../src/core/errors.ts'

/** What is broken on purpose. */
export interface Faults {
  /** The API cuts every connection. */
  down: boolean
  /** Every API answer waits this long, in milliseconds. */
  delayMs: number
  /** `sendBoc` answers ok and forgets the message. */
  dropSends: boolean
  /** No more blocks are made. */
  stall: boolean
  /** The history of deleted accounts is not served, as by servers that only know the present state. */
  pruned: boolean
}

export function noFaults(): Faults {
  return { down: false, delayMs: 0, dropSends: false, stall: false, pruned: false }
}

const MAX_DELAY_MS = 60_000

/**
 * Sets the switches named in `body`; others stay as they are.
 *
 * @throws {UsageError} `FAULTS_INVALID` for an unknown switch or a value of the wrong kind; nothing is changed
 */
export function setFaults(faults: Faults, body: unknown): void {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new UsageError('FAULTS_INVALID', 'Expected an object like {"down": true}')
  }
  const changes = Object.entries(body)
  for (const [name, value] of changes) {
    if (name === 'delayMs' ? !isDelay(value) : !Object.hasOwn(faults, name) || typeof value !== 'boolean') {
      throw new UsageError(
        'FAULTS_INVALID',
        `"${name.slice(0, 40)}": expected down, dropSends, stall or pruned with true or false, or delayMs up to ${MAX_DELAY_MS}`
      )
    }
  }
  Object.assign(faults, Object.fromEntries(changes))
}

function isDelay(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MAX_DELAY_MS
}
