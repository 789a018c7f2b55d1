import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  type X25519KeyPairKeyObjectOptions
} from 'node:crypto'
import { PeerError } from '../core/errors.ts'
import { expectLength } from './length.ts'
import { wipe } from './wipe.ts'

/** Bytes of a public key, of a private key and of a shared point (RFC 7748 §6.1). */
export const X25519_BYTES = 32

// RFC 8410 §7: fixed DER prefix of an X25519 private key (PKCS#8).
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')

// The type declarations do not know what the documentation says: the half without an encoding stays a KeyObject.
const SPKI_AND_KEY_OBJECT = {
  publicKeyEncoding: { type: 'spki', format: 'der' }
} as object as X25519KeyPairKeyObjectOptions

/** One X25519 key pair. The private half stays inside a `KeyObject`, out of reach of a stray log or dump of our own. */
export interface X25519Pair {
  /** Raw, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly privateKey: KeyObject
}

/** A fresh pair from the system's randomness. Ten times faster than importing a private key. */
export function generateX25519(): X25519Pair {
  // Written out while it is made. Node.js 20 holds a generated key's mutex while it exports it, and waits for it for ever
  // where the collector comes upon what made the key in that moment: once in some 100,000 keys.
  const { publicKey, privateKey } = generateKeyPairSync('x25519', SPKI_AND_KEY_OBJECT) as unknown as {
    publicKey: Buffer
    privateKey: KeyObject
  }
  return { privateKey, publicKey: Uint8Array.from(publicKey.subarray(-X25519_BYTES)) }
}

/** The pair of a raw private key, 32 bytes, which the caller wipes. */
export function importX25519(secretKey: Uint8Array): X25519Pair {
  const der = Buffer.concat([PKCS8_PREFIX, secretKey])
  try {
    return pairOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
  } finally {
    wipe(der)
  }
}

/**
 * RFC 7748 §6.1: 32 bytes; the caller wipes them. The all-zero result of a low-order point is refused (RFC 9180 §7.1.4).
 *
 * @param name of the public key, for the error
 * @throws {PeerError} `SEAL_LENGTH_INVALID`, `SEAL_KEY_INVALID`
 */
export function x25519(privateKey: KeyObject, name: string, rawPublicKey: Uint8Array): Uint8Array {
  expectLength(name, rawPublicKey, X25519_BYTES)
  const publicKey = importPublicKey(rawPublicKey)
  let dh: Uint8Array
  try {
    dh = diffieHellman({ privateKey, publicKey })
  } catch (cause) {
    throw lowOrderKey(name, cause)
  }
  // OpenSSL refuses these by itself; other TLS libraries that Node.js can be built with may not.
  if (dh.every(byte => byte === 0)) {
    throw lowOrderKey(name)
  }
  return dh
}

function lowOrderKey(name: string, cause?: unknown): PeerError {
  return new PeerError('SEAL_KEY_INVALID', `${name} is a low-order point, which would give everyone the same secret`, {
    cause
  })
}

function pairOf(privateKey: KeyObject): X25519Pair {
  return { privateKey, publicKey: exportPublicKey(createPublicKey(privateKey)) }
}

// RFC 8037 §2 (JWK) for public keys: OpenSSL's DER decoder takes a hundred times longer.
function importPublicKey(raw: Uint8Array): KeyObject {
  const x = Buffer.from(raw).toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' })
}

function exportPublicKey(key: KeyObject): Uint8Array {
  return new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url'))
}
