import { crc32 } from 'node:zlib'
import { fromHex, toHex } from '../../core/bytes.ts'
import { EnvironmentError } from '../../core/errors.ts'
import { MAX_NANO_TON, type NanoTon } from '../../core/nano-ton.ts'

/** Version, space, eight digits of checksum, space. */
const HEAD_CHARACTERS = 11

/** How one value stands in a record. `write` makes JSON text; `read` throws on any JSON value that `write` does not make. */
export interface FieldCodec<T> {
  write: (value: T) => string
  read: (json: unknown) => T
}

export const textField: FieldCodec<string> = {
  write: value => JSON.stringify(value),
  read: json => (typeof json === 'string' ? json : fail('a string'))
}

/** Whole numbers of any sign. */
export const integerField: FieldCodec<number> = {
  write: String,
  read: json => (typeof json === 'number' && Number.isSafeInteger(json) ? json : fail('an integer'))
}

export const flagField: FieldCodec<boolean> = {
  write: String,
  read: json => (typeof json === 'boolean' ? json : fail('true or false'))
}

/** Unsigned 64 bits, as decimal text. */
export const uint64Field: FieldCodec<bigint> = {
  write: value => `"${value}"`,
  read: json => readDecimal(json, (1n << 64n) - 1n)
}

export const amountField: FieldCodec<NanoTon> = {
  write: value => `"${value}"`,
  read: json => readDecimal(json, MAX_NANO_TON) as NanoTon
}

/** Bytes as hex, of `length` if given. */
export function bytesField(length?: number): FieldCodec<Uint8Array> {
  return {
    write: value => `"${toHex(value)}"`,
    read: json => fromHex(textField.read(json), length)
  }
}

export function choiceField<const T extends string>(...choices: T[]): FieldCodec<T> {
  return {
    write: value => `"${value}"`,
    read: json => choices.find(choice => choice === json) ?? fail(choices.join(' or '))
  }
}

export function listField<T>(item: FieldCodec<T>): FieldCodec<T[]> {
  return {
    write: value => `[${value.map(one => item.write(one)).join(',')}]`,
    read: json => (Array.isArray(json) ? json.map(one => item.read(one)) : fail('a list'))
  }
}

type Fields<T> = { [K in keyof T]-?: FieldCodec<Exclude<T[K], undefined>> }

/** An object with exactly these members; those named in `optional` may be missing. */
export function objectField<T extends object>(
  fields: Fields<T>,
  optional: ReadonlyArray<keyof T & string> = []
): FieldCodec<T> {
  const entries = Object.entries(fields) as Array<[keyof T & string, FieldCodec<unknown>]>
  const writers = entries.map(([name, { write }]) => ({ name, label: `${JSON.stringify(name)}:`, write }))
  return {
    write: value => {
      let text = ''
      for (const { name, label, write } of writers) {
        if (value[name] !== undefined) {
          text += `${text === '' ? '{' : ','}${label}${write(value[name])}`
        }
      }
      return `${text === '' ? '{' : text}}`
    },
    read: json => {
      if (typeof json !== 'object' || json === null || Array.isArray(json)) {
        return fail('an object')
      }
      const stranger = Object.keys(json).find(name => !Object.hasOwn(fields, name))
      if (stranger !== undefined) {
        return fail(`no member "${stranger}"`)
      }
      const members = json as Record<string, unknown>
      const value: Partial<T> = {}
      for (const [name, field] of entries) {
        if (Object.hasOwn(members, name)) {
          value[name] = field.read(members[name]) as T[keyof T & string]
        } else if (!optional.includes(name)) {
          return fail(`a member "${name}"`)
        }
      }
      return value as T
    }
  }
}

/** Remembers what it wrote of an object that never changes, as long as the object lives. */
export function unchangingField<T extends object>(field: FieldCodec<T>): FieldCodec<T> {
  const written = new WeakMap<T, string>()
  return {
    write: value => {
      let text = written.get(value)
      if (text === undefined) {
        text = field.write(value)
        written.set(value, text)
      }
      return text
    },
    read: field.read
  }
}

/** Fills in members that were added after a record was written; `fields` must name them optional. */
export function withDefaults<T extends object>(fields: FieldCodec<T>, defaults: Partial<T>): FieldCodec<T> {
  const names = Object.keys(defaults) as Array<keyof T>
  return {
    write: fields.write,
    read: json => {
      const value = fields.read(json)
      // Rarely any: copying every record would take as long as reading it.
      for (const name of names) {
        if (value[name] === undefined) {
          value[name] = defaults[name] as T[keyof T]
        }
      }
      return value
    }
  }
}

/**
 * A record as stored: version, CRC-32 over version, key and body, body. The key is part of the checksum, so a record that
 * ended up under another key is found out too. Version 1, whose checksum is over key and body, is of ledgers without a seal.
 */
export function encodeRecord<T>(key: string, codec: FieldCodec<T>, value: T): string {
  const body = codec.write(value)
  return `2 ${checksum('2', key, body)} ${body}`
}

/** @throws {EnvironmentError} `LEDGER_CORRUPT` naming the key, if anything in it is not as it was written */
export function decodeRecord<T>(key: string, codec: FieldCodec<T>, stored: string): T {
  return decodeBody(key, codec, checkRecord(key, stored).body)
}

/** The body of a record whose checksum is right. */
export function decodeBody<T>(key: string, codec: FieldCodec<T>, body: string): T {
  try {
    return codec.read(JSON.parse(body))
  } catch (cause) {
    throw unreadable(key, cause)
  }
}

/** A stored record whose checksum is right. */
export interface CheckedRecord {
  /** The checksum. */
  digest: number
  body: string
  /** Whether it was written by a version that seals its ledger. */
  isSealed: boolean
}

/** @throws {EnvironmentError} `LEDGER_CORRUPT` naming the key */
export function checkRecord(key: string, stored: string): CheckedRecord {
  const [, version, sum] = /^([12]) ([0-9a-f]{8}) /.exec(stored) ?? []
  const body = stored.slice(HEAD_CHARACTERS)
  if (version === undefined || sum === undefined) {
    throw unreadable(key, new TypeError('expected a record of version 1 or 2'))
  }
  if (sum !== checksum(version, key, body)) {
    throw unreadable(key, new TypeError('expected a matching checksum'))
  }
  return { digest: Number.parseInt(sum, 16), body, isSealed: version === '2' }
}

/** The checksum of what `encodeRecord` just made: not checked again. */
export function writtenDigest(encoded: string): number {
  return Number.parseInt(encoded.slice(2, HEAD_CHARACTERS), 16)
}

function unreadable(key: string, cause: unknown): EnvironmentError {
  return new EnvironmentError(
    'LEDGER_CORRUPT',
    `The ledger's record ${key} cannot be read: restore the home folder from a copy, or move its ledger away and recover the channels from the other side`,
    { cause, details: { key } }
  )
}

function checksum(version: string, key: string, body: string): string {
  return crc32(`${version === '1' ? '' : `${version}\n`}${key}\n${body}`)
    .toString(16)
    .padStart(8, '0')
}

function readDecimal(json: unknown, max: bigint): bigint {
  const text = textField.read(json)
  if (!/^(?:0|[1-9]\d{0,39})$/.test(text) || BigInt(text) > max) {
    return fail('a decimal number in range')
  }
  return BigInt(text)
}

function fail(expected: string): never {
  throw new TypeError(`expected ${expected}`)
}
