import { AttestationError, errorMessage } from '../../core/errors.ts'
import { DocumentFault, integer, list, object, optional, type Reader, text } from '../document.ts'

const MAX_LEVELS = 256
const MAX_ADVISORIES = 128

/** When a signed document of Intel's is valid: from its issue up to, not including, its next update. */
export interface IssueDates {
  readonly issueDate: number
  readonly nextUpdate: number
}

/** A level of the quoting enclave or the TDX module, by its security version. */
export interface IsvLevel {
  readonly tcb: { readonly isvsvn: number }
  readonly tcbDate: string
  readonly tcbStatus: string
  readonly advisoryIDs?: readonly string[]
}

/** Hex of `bytes` bytes in either case, read as lower case: Intel writes both. */
export function anyHex(bytes: number): Reader<string> {
  const read = text(new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`), `${bytes} bytes in hex`)
  return (value, name) => read(value, name).toLowerCase()
}

const dateText = text(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'a time like 2026-01-31T12:00:00Z')

/** An ISO 8601 time in UTC with seconds, as Unix milliseconds. */
export const date: Reader<number> = (value, name) => {
  const written = dateText(value, name)
  const timeMs = Date.parse(written)
  if (Number.isNaN(timeMs) || new Date(timeMs).toISOString() !== written.replace('Z', '.000Z')) {
    throw new DocumentFault(`${name} is a date that does not exist`)
  }
  return timeMs
}

/** At least one item. */
export function someOf<T>(read: Reader<T>, maxItems: number = MAX_LEVELS): Reader<T[]> {
  const readList = list(read, maxItems)
  return (value, name) => {
    const items = readList(value, name)
    if (items.length === 0) {
      throw new DocumentFault(`${name} is empty`)
    }
    return items
  }
}

export const svn: Reader<number> = integer(0, 0xffff)

/** What every level says besides its versions; whether the status is a known one is asked of the level that counts. */
export const levelFields = {
  tcbDate: dateText,
  tcbStatus: text(/^\w{1,64}$/, 'a TCB status'),
  advisoryIDs: optional(list(text(/^[\w-]{1,32}$/, 'an advisory'), MAX_ADVISORIES))
}

export const isvLevels: Reader<IsvLevel[]> = someOf(object<IsvLevel>({ tcb: object({ isvsvn: svn }), ...levelFields }))

/**
 * Reads JSON as Intel signs it: compact, so that writing it again gives the same text. That refuses repeated keys.
 *
 * @throws {AttestationError} `ATTESTATION_COLLATERAL_INVALID`
 */
export function readSignedJson<T>(json: string, name: string, read: Reader<T>): T {
  try {
    const value: unknown = JSON.parse(json)
    const document = read(value, name)
    // After its shape: what is nested without end cannot be written.
    if (JSON.stringify(value) !== json) {
      throw new DocumentFault(`${name} is not in the form that Intel writes`)
    }
    return document
  } catch (cause) {
    // The parser's own message quotes the input.
    const why = cause instanceof DocumentFault ? errorMessage(cause) : `${name} is not JSON`
    throw new AttestationError('ATTESTATION_COLLATERAL_INVALID', why, { cause })
  }
}
