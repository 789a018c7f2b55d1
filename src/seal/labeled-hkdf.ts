import { createHmac } from 'node:crypto'

/** Bytes of an HKDF-SHA256 pseudorandom key (RFC 9180 Nh). */
export const HASH_BYTES = 32

/** Longest output of one expansion (RFC 5869 §2.3). */
export const MAX_EXPAND_BYTES = 255 * HASH_BYTES

const VERSION = Buffer.from('HPKE-v1')

/** HKDF-SHA256 with the labels of RFC 9180 §4 for one suite id. */
export interface LabeledHkdf {
  /** `LabeledExtract(salt, label, ikm)`: 32 bytes. */
  extract(salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array
  /** `LabeledExpand(prk, label, info, length)`. */
  expand(prk: Uint8Array, label: string, info: Uint8Array, length: number): Uint8Array
}

export function labeledHkdf(suiteId: Uint8Array): LabeledHkdf {
  return {
    extract: (salt, label, ikm) => hmac(salt, VERSION, suiteId, Buffer.from(label), ikm),
    expand: (prk, label, info, length) =>
      hkdfExpand(prk, Buffer.concat([uint16(length), VERSION, suiteId, Buffer.from(label), info]), length)
  }
}

/** I2OSP(value, 2). */
export function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value & 0xff)
}

// RFC 5869 §2.3
function hkdfExpand(prk: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  const output = new Uint8Array(length)
  let block: Uint8Array = new Uint8Array(0)
  for (let at = 0, index = 1; at < length; at += HASH_BYTES, index++) {
    block = hmac(prk, block, info, Uint8Array.of(index))
    output.set(block.subarray(0, length - at), at)
  }
  block.fill(0)
  return output
}

function hmac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  const mac = createHmac('sha256', key)
  for (const part of parts) {
    mac.update(part)
  }
  return new Uint8Array(mac.digest())
}
