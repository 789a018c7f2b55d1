import { ml_kem768 } from '@noble/post-quantum/ml-kem.js'
import { PeerError } from '../core/errors.ts'

// Node.js has ML-KEM from 24.7 on; the supported range begins at 20.19.

/** FIPS 203 table 3, in bytes. */
export const ML_KEM_768 = { publicKey: 1_184, ciphertext: 1_088, keySeed: 64, encapsulationSeed: 32 } as const

/**
 * FIPS 203 §7.1 from its seed `d ‖ z`.
 *
 * @param seed 64 bytes; the caller wipes it
 */
export function mlKemKeyPair(seed: Uint8Array): { publicKey: Uint8Array; secretKey: Uint8Array } {
  return ml_kem768.keygen(seed)
}

/**
 * FIPS 203 §7.2, its check of the public key included.
 *
 * @param publicKey 1,184 bytes
 * @param seed 32 bytes; the caller wipes it
 * @throws {PeerError} `SEAL_KEY_INVALID`
 */
export function mlKemEncapsulate(
  publicKey: Uint8Array,
  seed: Uint8Array
): { ciphertext: Uint8Array; sharedSecret: Uint8Array } {
  try {
    const { cipherText, sharedSecret } = ml_kem768.encapsulate(publicKey, seed)
    return { ciphertext: cipherText, sharedSecret }
  } catch (cause) {
    throw new PeerError('SEAL_KEY_INVALID', 'Recipient key is not an ML-KEM-768 key', { cause })
  }
}

/**
 * FIPS 203 §7.3. A ciphertext that was changed gives another secret, never an error.
 *
 * @param ciphertext 1,088 bytes
 */
export function mlKemDecapsulate(ciphertext: Uint8Array, secretKey: Uint8Array): Uint8Array {
  return ml_kem768.decapsulate(ciphertext, secretKey)
}
