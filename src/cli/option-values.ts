import { parseRawAddress } from '../core/address.ts'
import { UsageError } from '../core/errors.ts'
import { type NanoTon, parseTon } from '../core/nano-ton.ts'
import { safeLine } from './terminal-text.ts'

/**
 * Readers of what a user typed. Each takes the name of the option or argument, and makes a reader whose error
 * names that, the value, what was expected and where to look.
 */
export type ValueReader<T> = (text: string) => T

const PEER_ID = /^[1-9A-HJ-NP-Za-km-z]{32,64}$/
const SHOWN_CHARACTERS = 80

/** @throws {UsageError} `OPTION_INVALID` */
export function wholeNumber(name: string, min: number, max: number): ValueReader<number> {
  return text => {
    const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= min && value <= max)) {
      throw invalidValue(name, text, `a whole number from ${min} to ${max}`)
    }
    return value
  }
}

/** @throws {UsageError} `OPTION_INVALID` */
export function decimalNumber(name: string, min: number, max: number): ValueReader<number> {
  return text => {
    const value = /^\d{1,9}(?:\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= min && value <= max)) {
      throw invalidValue(name, text, `a number from ${min} to ${max}, like 0.7`)
    }
    return value
  }
}

/** An amount above zero. @throws {UsageError} `AMOUNT_INVALID`, `AMOUNT_OUT_OF_RANGE` */
export function amount(name: string): ValueReader<NanoTon> {
  return text => {
    const value = readAmount(name, text)
    if (value === 0n) {
      throw new UsageError('AMOUNT_OUT_OF_RANGE', `${name} is ${shown(text)}: expected more than nothing, like 0.25`)
    }
    return value
  }
}

function readAmount(name: string, text: string): NanoTon {
  try {
    return parseTon(text)
  } catch (err) {
    if (err instanceof UsageError) {
      throw new UsageError(err.code, `${name}: ${err.message}`, { cause: err })
    }
    throw err
  }
}

/** @throws {UsageError} `PEER_ID_INVALID` */
export function peerId(name: string): ValueReader<string> {
  return text => {
    if (!PEER_ID.test(text)) {
      throw new UsageError(
        'PEER_ID_INVALID',
        `${name} ${shown(text)} is not a peer id: expected one like 12D3KooW…, as "cocoon-node providers" lists them`
      )
    }
    return text
  }
}

/** A raw address, whatever the case of its digits. @throws {UsageError} `ADDRESS_INVALID` */
export function rawAddress(name: string): ValueReader<string> {
  return text => {
    const address = text.toLowerCase()
    try {
      parseRawAddress(address)
    } catch (cause) {
      throw new UsageError(
        'ADDRESS_INVALID',
        `${name} ${shown(text)} is not an address: expected 0: and 64 hex digits, as "cocoon-node wallet" prints its own`,
        { cause }
      )
    }
    return address
  }
}

/** @throws {UsageError} `OPTION_INVALID` */
export function oneOf<const T extends readonly string[]>(name: string, values: T): ValueReader<T[number]> {
  return text => {
    if (!values.includes(text)) {
      throw invalidValue(name, text, `one of ${values.join(', ')}`)
    }
    return text
  }
}

/** @throws {UsageError} `URL_INVALID` */
export function httpUrl(name: string): ValueReader<string> {
  return text => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
      throw new UsageError(
        'URL_INVALID',
        `${name} ${shown(text)} is not a URL: expected one like http://127.0.0.1:8081`
      )
    }
    return text
  }
}

/** Collects a repeated option. */
export function each<T>(read: ValueReader<T>): (text: string, before: T[] | undefined) => T[] {
  return (text, before = []) => [...before, read(text)]
}

export function invalidValue(name: string, text: string, expected: string): UsageError {
  return new UsageError('OPTION_INVALID', `${name} is ${shown(text)}: expected ${expected}`)
}

function shown(text: string): string {
  return `"${safeLine(text, SHOWN_CHARACTERS)}"`
}
