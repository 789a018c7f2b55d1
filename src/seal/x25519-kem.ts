import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { PeerError } from '../core/errors.ts'
import { labeledHkdf } from './labeled-hkdf.ts'
import { expectLength } from './length.ts'
import { wipe } from './wipe.ts'

/** Bytes of a public key, of a private key and of an encapsulated key (RFC 9180 §7.1: Npk, Nsk, Nenc). */
export const X25519_BYTES = 32

/** RFC 9180 §7.1: DHKEM(X25519, HKDF-SHA256). */
export const KEM_ID = 0x0020

// RFC 8410 §7: fixed DER prefix of an X25519 private key (PKCS#8).
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')

const NONE = new Uint8Array(0)
const hkdf = labeledHkdf(Buffer.from([0x4b, 0x45, 0x4d, KEM_ID >>> 8, KEM_ID & 0xff]))

/** A recipient's key pair. The private half stays inside a `KeyObject`, out of reach of a stray log or dump of our own. */
export interface HpkeKeyPair {
  /** Raw X25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly privateKey: KeyObject
}

/** What `encapsulate` yields. */
export interface Encapsulation {
  /** 32 bytes; the caller wipes it. */
  readonly sharedSecret: Uint8Array
  /** Encapsulated key, 32 bytes, public. */
  readonly enc: Uint8Array
}

/** A fresh key pair from the system's randomness. */
export function generateHpkeKeyPair(): HpkeKeyPair {
  return keyPairOf(generateKeyPairSync('x25519').privateKey)
}

/**
 * RFC 9180 §7.1.3 DeriveKeyPair.
 *
 * @param ikm secret input keying material, at least 32 bytes
 * @throws {RangeError} if `ikm` is shorter
 */
export function deriveHpkeKeyPair(ikm: Uint8Array): HpkeKeyPair {
  if (ikm.byteLength < X25519_BYTES) {
    throw new RangeError(`Input keying material has ${ikm.byteLength} bytes: expected at least ${X25519_BYTES}`)
  }
  const prk = hkdf.extract(NONE, 'dkp_prk', ikm)
  const secretKey = hkdf.expand(prk, 'sk', NONE, X25519_BYTES)
  const der = Buffer.concat([PKCS8_PREFIX, secretKey])
  try {
    return keyPairOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
  } finally {
    wipe(prk, secretKey, der)
  }
}

/**
 * RFC 9180 §4.1 Encap with a given ephemeral key pair.
 *
 * @throws {PeerError} `SEAL_LENGTH_INVALID`, `SEAL_KEY_INVALID`
 */
export function encapsulate(ephemeral: HpkeKeyPair, recipientKey: Uint8Array): Encapsulation {
  const dh = sharedPoint(ephemeral.privateKey, 'Recipient key', recipientKey)
  const enc = ephemeral.publicKey
  return { enc, sharedSecret: extractAndExpand(dh, enc, recipientKey) }
}

/**
 * RFC 9180 §4.1 Decap: the 32-byte shared secret; the caller wipes it.
 *
 * @throws {PeerError} `SEAL_LENGTH_INVALID`, `SEAL_KEY_INVALID`
 */
export function decapsulate(enc: Uint8Array, keyPair: HpkeKeyPair): Uint8Array {
  const dh = sharedPoint(keyPair.privateKey, 'Encapsulated key', enc)
  return extractAndExpand(dh, enc, keyPair.publicKey)
}

function extractAndExpand(dh: Uint8Array, enc: Uint8Array, recipientKey: Uint8Array): Uint8Array {
  const prk = hkdf.extract(NONE, 'eae_prk', dh)
  try {
    return hkdf.expand(prk, 'shared_secret', Buffer.concat([enc, recipientKey]), X25519_BYTES)
  } finally {
    wipe(dh, prk)
  }
}

// RFC 9180 §7.1.4: the all-zero result of a low-order point must be refused.
function sharedPoint(privateKey: KeyObject, name: string, rawPublicKey: Uint8Array): Uint8Array {
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

function keyPairOf(privateKey: KeyObject): HpkeKeyPair {
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
