import { type CanonicalValue, canonicalJson } from '../core/canonical-json.ts'
import { AttestationError, errorMessage } from '../core/errors.ts'

/** Turns an untrusted JSON value into a `T`, or throws a {@link DocumentFault} that names the field. */
export type Reader<T> = (value: unknown, name: string) => T

/** Why a document was refused; `decodeDocument` turns it into a coded error. */
export class DocumentFault extends Error {}

/** No document has half as many levels; what is read later by whoever knows its fields may come with any number. */
const MAX_DEPTH = 16

/** How a signed document is named and limited. */
export interface DocumentKind {
  /** For messages, e.g. `Statement`. */
  readonly name: string
  /** Codes are `<prefix>_TOO_LARGE`, `<prefix>_INVALID` and `<prefix>_NOT_CANONICAL`. */
  readonly codePrefix: string
  readonly maxBytes: number
}

/**
 * Reads a signed document that must be RFC 8785 canonical JSON: one document has one encoding, so its digest names it.
 * Size first, then shape, then the comparison with its own re-encoding, which also refuses repeated keys and white
 * space.
 *
 * @throws {AttestationError} `<prefix>_TOO_LARGE`, `<prefix>_INVALID`, `<prefix>_NOT_CANONICAL`
 */
export function decodeDocument<T extends object>(kind: DocumentKind, bytes: Uint8Array, read: Reader<T>): T {
  const { name, codePrefix, maxBytes } = kind
  if (bytes.byteLength > maxBytes) {
    throw new AttestationError(
      `${codePrefix}_TOO_LARGE`,
      `${name} has ${bytes.byteLength} bytes: expected at most ${maxBytes}`
    )
  }
  let document: T
  try {
    document = read(parseJson(bytes), name)
  } catch (cause) {
    throw new AttestationError(`${codePrefix}_INVALID`, errorMessage(cause), { cause })
  }
  if (!Buffer.from(canonicalBytes(document)).equals(bytes)) {
    throw new AttestationError(`${codePrefix}_NOT_CANONICAL`, `${name} is not in canonical form (RFC 8785)`)
  }
  return document
}

/**
 * RFC 8785 bytes of a document; fields that are undefined are left out.
 *
 * @throws {DocumentFault} if it is nested too deep
 */
export function canonicalBytes(document: object): Uint8Array {
  return new Uint8Array(Buffer.from(canonicalJson(withoutUndefined(document))))
}

/** @throws {DocumentFault} unless `bytes` are UTF-8 JSON */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    // The parser's own message quotes the input.
    throw new DocumentFault('The document is not JSON in UTF-8')
  }
}

/** An object with exactly these fields; those read by {@link optional} may be absent. */
export function object<T extends object>(fields: { [K in keyof T]-?: Reader<T[K]> }): Reader<T> {
  const readers = Object.entries<Reader<unknown>>(fields)
  return (value, name) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw fault(name, value, 'an object')
    }
    const given = new Map(Object.entries(value))
    const unknown = [...given.keys()].find(key => !Object.hasOwn(fields, key))
    if (unknown !== undefined) {
      throw new DocumentFault(`${name} has the unknown field ${JSON.stringify(unknown.slice(0, 32))}`)
    }
    const entries = readers.map(([key, read]) => [key, read(given.get(key), `${name}.${key}`)] as const)
    return Object.fromEntries(entries.filter(([, field]) => field !== undefined)) as T
  }
}

/** The field may be absent. */
export function optional<T>(read: Reader<T>): Reader<T | undefined> {
  return (value, name) => (value === undefined ? undefined : read(value, name))
}

export function list<T>(read: Reader<T>, maxItems: number): Reader<T[]> {
  return (value, name) => {
    if (!Array.isArray(value) || value.length > maxItems) {
      throw fault(name, value, `a list of at most ${maxItems}`)
    }
    return value.map((item, index) => read(item, `${name}[${index}]`))
  }
}

/** A list of exactly these items, in this order. */
export function tuple<T extends unknown[]>(items: { [K in keyof T]: Reader<T[K]> }): Reader<T> {
  return (value, name) => {
    if (!Array.isArray(value) || value.length !== items.length) {
      throw fault(name, value, `a list of ${items.length}`)
    }
    return items.map((read, index) => read(value[index], `${name}[${index}]`)) as T
  }
}

export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Reader<number> {
  return (value, name) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw fault(name, value, `an integer from ${min} to ${max}`)
    }
    return value
  }
}

/** Text that matches as a whole; `expected` says what in words. */
export function text(pattern: RegExp, expected: string): Reader<string> {
  return (value, name) => {
    if (typeof value !== 'string' || !pattern.test(value)) {
      throw fault(name, value, expected)
    }
    return value
  }
}

/** Lower-case hex of exactly `bytes` bytes. */
export function hex(bytes: number): Reader<string> {
  return text(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `${bytes} bytes in lower-case hex`)
}

/** An object of whatever fields: read further by whoever knows them. */
export const anyObject: Reader<object> = (value, name) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DocumentFault(`${name} is not an object`)
  }
  return value
}

/** Base64 with padding, the one way to write its bytes. */
export function base64(): Reader<string> {
  return (value, name) => {
    if (typeof value !== 'string' || Buffer.from(value, 'base64').toString('base64') !== value) {
      throw new DocumentFault(`${name} is not base64`)
    }
    return value
  }
}

export function oneOf<const T extends string | number>(values: readonly T[]): Reader<T> {
  return (value, name) => {
    const found = values.find(allowed => allowed === value)
    if (found === undefined) {
      throw fault(name, value, values.map(allowed => JSON.stringify(allowed)).join(' or '))
    }
    return found
  }
}

/** A decimal number in a string, without leading zeros: amounts and logical times pass 2^53. */
export function decimal(max: bigint): Reader<string> {
  return (value, name) => {
    if (typeof value !== 'string' || !/^(?:0|[1-9]\d{0,39})$/.test(value) || BigInt(value) > max) {
      throw fault(name, value, `a decimal number in a string, at most ${max}`)
    }
    return value
  }
}

/** Largest value of the wire's uint64. */
export const MAX_UINT64 = (1n << 64n) - 1n

/** libp2p peer id in base58btc. */
export const peerIdText: Reader<string> = text(/^[1-9A-HJ-NP-Za-km-z]{10,128}$/, 'a peer id in base58')

function fault(name: string, value: unknown, expected: string): DocumentFault {
  return new DocumentFault(`${name} is ${shown(value)}: expected ${expected}`)
}

// A hostile document decides what stands here: short, and one line.
function shown(value: unknown): string {
  if (value === undefined) {
    return 'missing'
  }
  const json =
    typeof value === 'object' && value !== null
      ? Array.isArray(value)
        ? 'a list'
        : 'an object'
      : JSON.stringify(value)
  return json.length > 40 ? `${json.slice(0, 40)}…` : json
}

function withoutUndefined(value: unknown, depth = 0): CanonicalValue {
  if (depth > MAX_DEPTH) {
    throw new DocumentFault(`A document has more than ${MAX_DEPTH} levels`)
  }
  if (Array.isArray(value)) {
    return value.map(item => withoutUndefined(item, depth + 1))
  }
  if (typeof value === 'object' && value !== null) {
    const present = Object.entries(value).filter(([, field]) => field !== undefined)
    return Object.fromEntries(present.map(([key, field]) => [key, withoutUndefined(field, depth + 1)]))
  }
  return value as CanonicalValue
}
