import { PeerError } from '../core/errors.ts'

/** @throws {PeerError} `SEAL_LENGTH_INVALID` unless `bytes` has exactly `expected` bytes */
export function expectLength(name: string, bytes: Uint8Array, expected: number): void {
  if (bytes.byteLength !== expected) {
    throw new PeerError('SEAL_LENGTH_INVALID', `${name} has ${bytes.byteLength} bytes: expected ${expected}`)
  }
}
