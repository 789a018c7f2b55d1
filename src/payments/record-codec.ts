import { crc32 } from 'node:zlib'
import { fromHex, toHex } from '../core/bytes.ts'
import { EnvironmentError } from '../core/errors.ts'
import { MAX_NANO_TON, type NanoTon } from '../core/nano-ton.ts'

/** How one value stands in a record's JSON. `read` throws on anything that `write` does not make. */
export interface FieldCodec<T> {
  write: (value: T) => unknown
  read: (json: unknown) => T
}

export const textField: FieldCodec<string> = {
  write: value => value,
  read: json => (typeof json === 'string' ? json : fail('a string'))
}

/** Whole numbers of any sign. */
export const integerField: FieldCodec<number> = {
  write: value => value,
  read: json => (typeof json === 'number' && Number.isSafeInteger(json) ? json : fail('an integer'))
}

export const flagField: FieldCodec<boolean> = {
  write: value => value,
  read: json => (typeof json === 'boolean' ? json : fail('true or false'))
}

/** Unsigned 64 bits, as decimal text. */
export const uint64Field: FieldCodec<bigint> = {
  write: value => value.toString(),
  read: json => readDecimal(json, (1n << 64n) - 1n)
}

export const amountField: FieldCodec<NanoTon> = {
  write: value => value.toString(),
  read: json => readDecimal(json, MAX_NANO_TON) as NanoTon
}

/** Bytes as hex, of `length` if given. */
export function bytesField(length?: number): FieldCodec<Uint8Array> {
  return {
    write: toHex,
    read: json => fromHex(textField.read(json), length)
  }
}

export function choiceField<const T extends string>(...choices: T[]): FieldCodec<T> {
  return {
    write: value => value,
    read: json => choices.find(choice => choice === json) ?? fail(choices.join(' or '))
  }
}

export function listField<T>(item: FieldCodec<T>): FieldCodec<T[]> {
  return {
    write: value => value.map(one => item.write(one)),
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
  return {
    write: value => {
      const json: Record<string, unknown> = {}
      for (const [name, field] of entries) {
        if (value[name] !== undefined) {
          json[name] = field.write(value[name])
        }
      }
      return json
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
  const body = JSON.stringify(codec.write(value))
  return `2 ${checksum('2', key, body)} ${body}`
}

/** @throws {EnvironmentError} `LEDGER_CORRUPT` naming the key, if anything in it is not as it was written */
export function decodeRecord<T>(key: string, codec: FieldCodec<T>, stored: string): T {
  try {
    return codec.read(JSON.parse(checkedRecord(key, stored).body))
  } catch (cause) {
    throw unreadable(key, cause)
  }
}

/**
 * The checksum of a stored record as a number, once it is checked.
 *
 * @throws {EnvironmentError} `LEDGER_CORRUPT` naming the key
 */
export function recordDigest(key: string, stored: string): number {
  try {
    return Number.parseInt(checkedRecord(key, stored).sum, 16)
  } catch (cause) {
    throw unreadable(key, cause)
  }
}

/** Whether a record was written by a version that seals its ledger. */
export function isSealedRecord(stored: string): boolean {
  return stored.startsWith('2 ')
}

function checkedRecord(key: string, stored: string): { sum: string; body: string } {
  const [, version, sum, body] = /^([12]) ([0-9a-f]{8}) (.*)$/s.exec(stored) ?? []
  if (version === undefined || sum === undefined || body === undefined) {
    return fail('a record of version 1 or 2')
  }
  return sum === checksum(version, key, body) ? { sum, body } : fail('a matching checksum')
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
