import { createHash } from 'node:crypto'
import { UsageError } from './errors.ts'

export function sha256(...parts: Array<Uint8Array | string>): Uint8Array {
  const hash = createHash('sha256')
  for (const part of parts) {
    hash.update(part)
  }
  return new Uint8Array(hash.digest())
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** @throws {UsageError} `HEX_INVALID` unless `text` is lower- or upper-case hex of `length` bytes (any length if omitted) */
export function fromHex(text: string, length?: number): Uint8Array {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text) || (length !== undefined && text.length !== length * 2)) {
    throw new UsageError(
      'HEX_INVALID',
      `Expected ${length === undefined ? 'hex' : `${length} bytes in hex`}, got ${text.length} characters`
    )
  }
  return new Uint8Array(Buffer.from(text, 'hex'))
}
