import { createCipheriv, createDecipheriv } from 'node:crypto'

/** Bytes of an AES-256 key (RFC 9180 Nk). */
export const KEY_BYTES = 32
/** Bytes that sealing adds (RFC 9180 Nt). */
export const TAG_BYTES = 16

const CIPHER = 'aes-256-gcm'

/** AES-256-GCM: ciphertext followed by its 16-byte tag. A nonce must never repeat under one key. */
export function aesGcmSeal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(plaintext.byteLength + TAG_BYTES)
  aesGcmSealInto(sealed, key, nonce, aad, plaintext)
  return sealed
}

/** {@link aesGcmSeal} into bytes that are there: 16 more than the plaintext has. */
export function aesGcmSealInto(
  sealed: Uint8Array,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array
): void {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(aad)
  sealed.set(cipher.update(plaintext))
  cipher.final()
  sealed.set(cipher.getAuthTag(), plaintext.byteLength)
}

/** The plaintext, or undefined if the key, the nonce, the AAD or a bit of `sealed` is not what was sealed. */
export function aesGcmOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array
): Uint8Array | undefined {
  const bodyBytes = sealed.byteLength - TAG_BYTES
  if (bodyBytes < 0) {
    return undefined
  }
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(bodyBytes))
  const plaintext = decipher.update(sealed.subarray(0, bodyBytes))
  try {
    decipher.final()
  } catch {
    // node:crypto hands out the text before the tag is checked: unverified bytes must not outlive a failed check.
    plaintext.fill(0)
    return undefined
  }
  return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength)
}
