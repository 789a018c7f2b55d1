import { CocoonError } from '../core/errors.ts'
import type { HpkeKeyPair, Kem } from './kem.ts'
import { labeledHkdf } from './labeled-hkdf.ts'
import { wipe } from './wipe.ts'
import { generateX25519, importX25519, X25519_BYTES, type X25519Pair, x25519 } from './x25519.ts'

// RFC 9180 §7.1: DHKEM(X25519, HKDF-SHA256).
const KEM_ID = 0x0020

const NONE = new Uint8Array(0)
const hkdf = labeledHkdf(Buffer.from([0x4b, 0x45, 0x4d, KEM_ID >>> 8, KEM_ID & 0xff]))

/** RFC 9180 §4.1. */
export const X25519_KEM: Kem = {
  id: KEM_ID,
  publicKeyBytes: X25519_BYTES,
  encBytes: X25519_BYTES,
  seedBytes: X25519_BYTES,
  encapsulate: (publicKey, seed) => {
    const ephemeral = seed === undefined ? generateX25519() : derivePair(seed)
    const dh = x25519(ephemeral.privateKey, 'Recipient key', publicKey)
    const enc = ephemeral.publicKey
    return { enc, sharedSecret: extractAndExpand(dh, enc, publicKey) }
  }
}

/** A fresh key pair from the system's randomness. */
export function generateHpkeKeyPair(): HpkeKeyPair {
  return new X25519KeyPair(generateX25519())
}

/**
 * RFC 9180 §7.1.3 DeriveKeyPair.
 *
 * @param ikm secret input keying material, at least 32 bytes
 * @throws {RangeError} if `ikm` is shorter
 */
export function deriveHpkeKeyPair(ikm: Uint8Array): HpkeKeyPair {
  return new X25519KeyPair(derivePair(ikm))
}

class X25519KeyPair implements HpkeKeyPair {
  readonly suite = 'x25519'
  readonly publicKey: Uint8Array
  #privateKey: X25519Pair['privateKey'] | undefined

  constructor({ publicKey, privateKey }: X25519Pair) {
    this.publicKey = publicKey
    this.#privateKey = privateKey
  }

  decapsulate(enc: Uint8Array): Uint8Array {
    if (this.#privateKey === undefined) {
      throw new CocoonError('internal', 'SEAL_KEY_WIPED', 'This key pair was wiped')
    }
    return extractAndExpand(x25519(this.#privateKey, 'Encapsulated key', enc), enc, this.publicKey)
  }

  wipe(): void {
    // OpenSSL cleanses the key when the object is collected; nothing reaches its memory before.
    this.#privateKey = undefined
  }
}

function derivePair(ikm: Uint8Array): X25519Pair {
  if (ikm.byteLength < X25519_BYTES) {
    throw new RangeError(`Input keying material has ${ikm.byteLength} bytes: expected at least ${X25519_BYTES}`)
  }
  const prk = hkdf.extract(NONE, 'dkp_prk', ikm)
  const secretKey = hkdf.expand(prk, 'sk', NONE, X25519_BYTES)
  try {
    return importX25519(secretKey)
  } finally {
    wipe(prk, secretKey)
  }
}

function extractAndExpand(dh: Uint8Array, enc: Uint8Array, recipientKey: Uint8Array): Uint8Array {
  const prk = hkdf.extract(NONE, 'eae_prk', dh)
  try {
    return hkdf.expand(prk, 'shared_secret', Buffer.concat([enc, recipientKey]), X25519_BYTES)
  } finally {
    wipe(dh, prk)
  }
}
