import { sha256 } from '../core/bytes.ts'

/** Bytes of a recipient hint. */
export const HINT_BYTES = 8

/** Names an enclave key: SHA-256 of its raw HPKE public key, 32 bytes. */
export function enclaveKeyId(hpkePublicKey: Uint8Array): Uint8Array {
  return sha256(hpkePublicKey)
}

/**
 * How an enclave recognises a job meant for it: the first 8 bytes of SHA-256(enclave key id ‖ job id). Every job has
 * other hints, so observers who do not hold the list of enclave keys learn nothing stable.
 *
 * @param keyId {@link enclaveKeyId}, 32 bytes
 */
export function recipientHint(keyId: Uint8Array, jobId: Uint8Array): Uint8Array {
  return sha256(keyId, jobId).slice(0, HINT_BYTES)
}
