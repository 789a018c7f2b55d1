import {
  constants,
  createPublicKey,
  type JsonWebKeyInput,
  type KeyObject,
  type PublicKeyInput,
  verify
} from 'node:crypto'
import { toHex } from '../../core/bytes.ts'
import { DerFault, readWhole, TAG } from './der.ts'
import { readBitStringBytes, readInteger, readSmallInteger } from './der-values.ts'

/** Keys that the vendors' certificates use. */
export type KeyType = 'p256' | 'p384' | 'rsa'

/** Signature algorithms that the vendors' certificates use, each bound to one kind of key. */
export type SignatureAlgorithm = 'ecdsa-sha256' | 'ecdsa-sha384' | 'rsa-pss-sha384'

/** Whole AlgorithmIdentifiers, by their bytes: parameters are part of what is understood. */
const ALGORITHMS: Readonly<Record<string, SignatureAlgorithm>> = {
  // RFC 5758 §3.2: no parameters.
  '300a06082a8648ce3d040302': 'ecdsa-sha256',
  '300a06082a8648ce3d040303': 'ecdsa-sha384',
  // RFC 4055 §3.1: SHA-384, MGF1 with SHA-384, salt of 48 bytes; AMD writes the default trailer field out, or not.
  '304606092a864886f70d01010a3039a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130a303020101':
    'rsa-pss-sha384',
  '304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130':
    'rsa-pss-sha384'
}

const KEY_OF: Readonly<Record<SignatureAlgorithm, KeyType>> = {
  'ecdsa-sha256': 'p256',
  'ecdsa-sha384': 'p384',
  'rsa-pss-sha384': 'rsa'
}

/** What stands before the point `04 ‖ x ‖ y` of an EC key, RFC 5480 §2: a named curve, uncompressed. */
const P256_PREFIX = '3059301306072a8648ce3d020106082a8648ce3d030107034200'
const P384_PREFIX = '3076301006072a8648ce3d020106052b81040022036200'
const UNCOMPRESSED = '04'
const RSA_ALGORITHM = '300d06092a864886f70d0101010500'
const RSA_BYTES = { min: 256, max: 1024 }
const RSA_EXPONENT = 65_537

/** The algorithm an AlgorithmIdentifier names, or undefined if it is none of ours. */
export function signatureAlgorithm(identifier: Uint8Array): SignatureAlgorithm | undefined {
  return ALGORITHMS[toHex(identifier)]
}

/**
 * A SubjectPublicKeyInfo as a key, or undefined if its kind is none of ours.
 *
 * @throws {DerFault} if the key is of a known kind but malformed
 */
export function readPublicKey(spki: Uint8Array): { keyType: KeyType; publicKey: KeyObject } | undefined {
  const keyType = keyTypeOf(spki)
  if (keyType === undefined) {
    return undefined
  }
  try {
    return { keyType, publicKey: createPublicKey(keyType === 'rsa' ? rsaInput(spki) : pointInput(keyType, spki)) }
  } catch (cause) {
    throw new DerFault('The public key is not on its curve', { cause })
  }
}

/** A P-256 key from its 64 bytes `x ‖ y`. @throws {DerFault} if that is no point of the curve */
export function p256Key(point: Uint8Array): KeyObject {
  const key = readPublicKey(Buffer.concat([Buffer.from(P256_PREFIX + UNCOMPRESSED, 'hex'), point]))
  if (key?.keyType !== 'p256') {
    throw new DerFault(`A P-256 key has ${point.length} bytes: expected 64`)
  }
  return key.publicKey
}

/** @throws {DerFault} unless `signature` has the one form that `algorithm` gives it */
export function expectSignatureForm(algorithm: SignatureAlgorithm, signature: Uint8Array): void {
  if (algorithm !== 'rsa-pss-sha384') {
    readWhole(signature, TAG.sequence, 'The signature', pair => {
      for (const half of ['r', 's']) {
        const value = readInteger(pair, `The signature's ${half}`)
        if ((value[0] ?? 0) >= 0x80 || value.length > 49) {
          throw new DerFault(`The signature's ${half} is out of range`)
        }
      }
    })
  }
}

/** Whether `key` signed `message`; false too where key and algorithm do not belong together. */
export function signatureHolds(
  algorithm: SignatureAlgorithm,
  key: { keyType: KeyType; publicKey: KeyObject },
  message: Uint8Array,
  signature: Uint8Array
): boolean {
  if (KEY_OF[algorithm] !== key.keyType) {
    return false
  }
  const hash = algorithm === 'ecdsa-sha256' ? 'sha256' : 'sha384'
  return algorithm === 'rsa-pss-sha384'
    ? verify(hash, message, { key: key.publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }, signature)
    : verify(hash, message, { key: key.publicKey, dsaEncoding: 'der' }, signature)
}

function rsaInput(spki: Uint8Array): PublicKeyInput {
  return { key: Buffer.from(spki), format: 'der', type: 'spki' }
}

// Twice as fast as the same key in DER; both check that the point is on the curve.
function pointInput(curve: 'p256' | 'p384', spki: Uint8Array): JsonWebKeyInput {
  const size = curve === 'p256' ? 32 : 48
  const [x, y] = [spki.subarray(-2 * size, -size), spki.subarray(-size)].map(half => Buffer.from(half))
  return {
    key: {
      kty: 'EC',
      crv: curve === 'p256' ? 'P-256' : 'P-384',
      x: x?.toString('base64url') ?? '',
      y: y?.toString('base64url') ?? ''
    },
    format: 'jwk'
  }
}

function keyTypeOf(spki: Uint8Array): KeyType | undefined {
  const hex = toHex(spki)
  if (hex.startsWith(P256_PREFIX + UNCOMPRESSED) && spki.length === 91) {
    return 'p256'
  }
  if (hex.startsWith(P384_PREFIX + UNCOMPRESSED) && spki.length === 120) {
    return 'p384'
  }
  return readWhole(spki, TAG.sequence, 'The public key', info => {
    const algorithm = toHex(info.read(TAG.sequence, "The key's algorithm").raw)
    const key = readBitStringBytes(info, 'The public key')
    if (algorithm !== RSA_ALGORITHM) {
      return undefined
    }
    return readWhole(key, TAG.sequence, 'The RSA key', pair => {
      const modulus = readInteger(pair, 'The RSA modulus')
      const sizeBytes = modulus.length - 1
      const exponent = readSmallInteger(pair, 'The RSA exponent')
      const known = modulus[0] === 0 && sizeBytes >= RSA_BYTES.min && sizeBytes <= RSA_BYTES.max
      return known && exponent === RSA_EXPONENT ? 'rsa' : undefined
    })
  })
}
