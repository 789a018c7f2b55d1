import { UsageError } from '../../src/core/errors.ts'
import { MAX_LAG_BLOCKS } from './chain-history.ts'
import { FORGERIES, type Forgery } from './forgery.ts'

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
  /** Accounts, transactions and the tip are shown as they were so many blocks ago. Get-methods and sends are not. */
  lagBlocks: number
  /** Says that it is testnet. */
  wrongNetwork: boolean
  /** Lies. */
  forge: Forgery | false
  /** HTTP 429 above so many requests a second; 0 for no limit. */
  rateLimit: number
  /** A message that was handed in before is refused with toncenter's "Duplicate msg_seqno". */
  duplicateSeqno: boolean
}

export function noFaults(): Faults {
  return {
    down: false,
    delayMs: 0,
    dropSends: false,
    stall: false,
    pruned: false,
    lagBlocks: 0,
    wrongNetwork: false,
    forge: false,
    rateLimit: 0,
    duplicateSeqno: false
  }
}

const NUMBERS: Readonly<Record<string, number>> = { delayMs: 60_000, lagBlocks: MAX_LAG_BLOCKS, rateLimit: 1_000_000 }

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
    const expected = Object.hasOwn(faults, name) ? expectation(name) : `one of ${Object.keys(faults).join(', ')}`
    if (!Object.hasOwn(faults, name) || !isValid(name, value)) {
      throw new UsageError('FAULTS_INVALID', `"${name.slice(0, 40)}": expected ${expected}`)
    }
  }
  Object.assign(faults, Object.fromEntries(changes))
}

function isValid(name: string, value: unknown): boolean {
  const max = NUMBERS[name]
  if (max !== undefined) {
    return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= max
  }
  return name === 'forge' ? value === false || FORGERIES.some(kind => kind === value) : typeof value === 'boolean'
}

function expectation(name: string): string {
  const max = NUMBERS[name]
  if (max !== undefined) {
    return `a whole number up to ${max}`
  }
  return name === 'forge' ? `false or one of ${FORGERIES.join(', ')}` : 'true or false'
}
