import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { promisify } from 'node:util'

const verifyOnPool = promisify(verify)

// RFC 8410 §7 and §4: fixed DER prefixes of an Ed25519 private (PKCS#8) and public (SPKI) key.
const PKCS8_PREFIX = Uint8Array.from(Buffer.from('302e020100300506032b657004220420', 'hex'))
const SPKI_PREFIX = Uint8Array.from(Buffer.from('302a300506032b6570032100', 'hex'))

/** An Ed25519 key pair whose private half stays inside a `KeyObject`. */
export interface Ed25519KeyPair {
  readonly privateKey: KeyObject
  /** Raw public key, 32 bytes. */
  readonly publicKey: Uint8Array
}

/** Key pair of a 32-byte RFC 8032 seed. */
export function ed25519FromSeed(seed: Uint8Array): Ed25519KeyPair {
  if (seed.byteLength !== 32) {
    throw new RangeError(`Ed25519 seed has ${seed.byteLength} bytes: expected 32`)
  }
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  return { privateKey, publicKey: new Uint8Array(spki.subarray(SPKI_PREFIX.byteLength)) }
}

/** `KeyObject` of a raw 32-byte public key: build once, verify often (60 times faster than raw bytes each time). */
export function ed25519PublicKey(raw: Uint8Array): KeyObject {
  if (raw.byteLength !== 32) {
    throw new RangeError(`Ed25519 public key has ${raw.byteLength} bytes: expected 32`)
  }
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' })
}

/** 64-byte signature (RFC 8032, pure Ed25519). */
export function ed25519Sign(privateKey: KeyObject, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, message, privateKey))
}

export function ed25519Verify(publicKey: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  return signature.byteLength === 64 && verify(null, message, publicKey, signature)
}

/** The same on the thread pool: other work goes on meanwhile. Neither argument may be changed before it resolves. */
export function ed25519VerifyOnPool(
  publicKey: KeyObject,
  message: Uint8Array,
  signature: Uint8Array
): Promise<boolean> {
  return signature.byteLength === 64 ? verifyOnPool(null, message, publicKey, signature) : Promise.resolve(false)
}
