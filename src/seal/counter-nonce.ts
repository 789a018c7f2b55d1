import { CocoonError } from '../core/errors.ts'

/** Bytes of an AES-GCM nonce (RFC 9180 Nn). */
export const NONCE_BYTES = 12

/**
 * `base` XOR the counter as a big-endian integer (RFC 9180 §5.2 ComputeNonce). The counter fits 64 bits, so only the
 * last eight bytes change.
 *
 * @throws {CocoonError} `SEAL_COUNTER_EXHAUSTED` past 2^53 - 1, far before a nonce could repeat
 */
export function counterNonce(base: Uint8Array, counter: number): Uint8Array {
  if (!Number.isSafeInteger(counter) || counter < 0) {
    throw new CocoonError(
      'internal',
      'SEAL_COUNTER_EXHAUSTED',
      `Message counter ${counter} is out of range: use a new key`
    )
  }
  const nonce = Uint8Array.from(base)
  const high = Math.floor(counter / 2 ** 32)
  for (let byte = 0; byte < 4; byte++) {
    flip(nonce, NONCE_BYTES - 1 - byte, counter >>> (8 * byte))
    flip(nonce, NONCE_BYTES - 5 - byte, high >>> (8 * byte))
  }
  return nonce
}

function flip(bytes: Uint8Array, at: number, bits: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ (bits & 0xff)
}
