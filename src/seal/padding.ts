import { PeerError, UsageError } from '../core/errors.ts'
import { uint16 } from './labeled-hkdf.ts'

/** Smallest sealed request, in bytes; larger ones double it. */
export const REQUEST_UNIT_BYTES = 1024
/** Largest sealed request, in bytes. */
export const MAX_SEALED_REQUEST_BYTES = 4 * 1024 * 1024

/** Plaintext bytes of every response frame, padding included. */
export const FRAME_PLAINTEXT_BYTES = 512
const FRAME_PREFIX_BYTES = 2
/** Most payload bytes one response frame can carry. */
export const FRAME_PAYLOAD_BYTES = FRAME_PLAINTEXT_BYTES - FRAME_PREFIX_BYTES

const REQUEST_PREFIX_BYTES = 4

/** Whether a sealed request has one of the allowed sizes: 1 KiB times a power of two, up to 4 MiB. */
export function isRequestSize(sealedBytes: number): boolean {
  const units = sealedBytes / REQUEST_UNIT_BYTES
  return Number.isInteger(Math.log2(units)) && units >= 1 && sealedBytes <= MAX_SEALED_REQUEST_BYTES
}

/**
 * `length:uint32 (big-endian) ‖ plaintext ‖ zeros`, so long that the sealed request is 1 KiB times a power of two.
 *
 * @param overheadBytes what sealing adds; counting it in keeps a sealed request inside round limits
 * @throws {UsageError} `SEAL_REQUEST_TOO_LARGE` if it would not fit 4 MiB sealed
 */
export function padRequest(plaintext: Uint8Array, overheadBytes: number): Uint8Array {
  const padded = new Uint8Array(paddedRequestBytes(plaintext.byteLength, overheadBytes))
  new DataView(padded.buffer).setUint32(0, plaintext.byteLength)
  padded.set(plaintext, REQUEST_PREFIX_BYTES)
  return padded
}

/**
 * Takes the padding off again. Strict, so that a request has one encoding only: smallest size that fits, zeros only.
 *
 * @throws {PeerError} `SEAL_PADDING_INVALID`
 */
export function unpadRequest(padded: Uint8Array, overheadBytes: number): Uint8Array {
  if (padded.byteLength < REQUEST_PREFIX_BYTES) {
    throw badPadding('request')
  }
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0)
  const end = REQUEST_PREFIX_BYTES + length
  if (
    end > padded.byteLength ||
    paddedRequestBytes(length, overheadBytes) !== padded.byteLength ||
    !isZero(padded.subarray(end))
  ) {
    throw badPadding('request')
  }
  // Not `slice`, which on a Buffer would share memory that the caller wipes.
  return Uint8Array.from(padded.subarray(REQUEST_PREFIX_BYTES, end))
}

/**
 * `length:uint16 (big-endian) ‖ payload ‖ zeros`: always 512 bytes.
 *
 * @param payload at most 510 bytes
 * @param frame 512 zeros to write into. @default new ones
 */
export function padFrame(payload: Uint8Array, frame: Uint8Array = new Uint8Array(FRAME_PLAINTEXT_BYTES)): Uint8Array {
  frame.set(uint16(payload.byteLength))
  frame.set(payload, FRAME_PREFIX_BYTES)
  return frame
}

/** @throws {PeerError} `SEAL_PADDING_INVALID` */
export function unpadFrame(frame: Uint8Array): Uint8Array {
  if (frame.byteLength !== FRAME_PLAINTEXT_BYTES) {
    throw badPadding('frame')
  }
  const end = FRAME_PREFIX_BYTES + new DataView(frame.buffer, frame.byteOffset).getUint16(0)
  if (end > FRAME_PLAINTEXT_BYTES || !isZero(frame.subarray(end))) {
    throw badPadding('frame')
  }
  return Uint8Array.from(frame.subarray(FRAME_PREFIX_BYTES, end))
}

function paddedRequestBytes(plaintextBytes: number, overheadBytes: number): number {
  const needed = overheadBytes + REQUEST_PREFIX_BYTES + plaintextBytes
  let sealed = REQUEST_UNIT_BYTES
  while (sealed < needed) {
    sealed *= 2
  }
  if (sealed > MAX_SEALED_REQUEST_BYTES) {
    const most = MAX_SEALED_REQUEST_BYTES - overheadBytes - REQUEST_PREFIX_BYTES
    throw new UsageError('SEAL_REQUEST_TOO_LARGE', `The request has ${plaintextBytes} bytes: expected at most ${most}`)
  }
  return sealed - overheadBytes
}

function isZero(bytes: Uint8Array): boolean {
  let bits = 0
  for (const byte of bytes) {
    bits |= byte
  }
  return bits === 0
}

function badPadding(what: string): PeerError {
  return new PeerError(
    'SEAL_PADDING_INVALID',
    `The ${what} opened, but its padding is not what this protocol version writes`
  )
}
