import { PeerError } from '../core/errors.ts'
import { MAX_NANO_TON, type NanoTon } from '../core/nano-ton.ts'

/**
 * Decodes a message from a peer: size first, then shape.
 *
 * @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED`, naming the message and never its content
 */
export function decodeWire<T>(name: string, bytes: Uint8Array, maxBytes: number, decode: (bytes: Uint8Array) => T): T {
  if (bytes.byteLength > maxBytes) {
    throw new PeerError('MESSAGE_TOO_LARGE', `${name} has ${bytes.byteLength} bytes: at most ${maxBytes} are accepted`)
  }
  try {
    return decode(bytes)
  } catch (cause) {
    throw new PeerError('MESSAGE_MALFORMED', `${name} is not a valid message`, { cause })
  }
}

/** A check of one field, `MESSAGE_MALFORMED` unless it holds. */
export function requireField(name: string, field: string, holds: boolean, expected: string): asserts holds {
  if (!holds) {
    throw new PeerError('MESSAGE_MALFORMED', `${name}: ${field} must be ${expected}`)
  }
}

export function requireBytes(name: string, field: string, value: Uint8Array, length: number): void {
  requireField(name, field, value.byteLength === length, `${length} bytes, not ${value.byteLength}`)
}

export function requireText(name: string, field: string, value: string, maxLength: number): void {
  requireField(name, field, value.length <= maxLength, `at most ${maxLength} characters`)
  // The reader of Protocol Buffers lets halves of surrogate pairs through, which are no text.
  requireField(name, field, !/\p{Surrogate}/u.test(value), 'text in UTF-8')
}

/** An amount as it travels: big-endian without leading zeros, empty for zero. */
export function encodeAmount(amount: NanoTon): Uint8Array {
  const hex = amount === 0n ? '' : amount.toString(16)
  return new Uint8Array(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'))
}

/** @throws {PeerError} `MESSAGE_MALFORMED` if it has leading zeros or does not fit `Coins` */
export function decodeAmount(name: string, field: string, bytes: Uint8Array): NanoTon {
  requireField(name, field, bytes.byteLength <= 15 && bytes[0] !== 0, 'a canonical amount of at most 15 bytes')
  const amount = bytes.byteLength === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  requireField(name, field, amount <= MAX_NANO_TON, 'within Coins')
  return amount as NanoTon
}
