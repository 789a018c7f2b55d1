import { createCipheriv, createDecipheriv, type ScryptOptions, scrypt } from 'node:crypto'
import type { Random } from '../core/random.ts'

/** scrypt's cost (RFC 7914): memory is 128·N·r bytes. */
export interface ScryptCost {
  N: number
  r: number
  p: number
}

/** 128 MiB and about half a second on a core: what OWASP's password storage sheet asks for at least. */
export const DEFAULT_SCRYPT_COST: ScryptCost = { N: 2 ** 17, r: 8, p: 1 }

export interface SealedSeed {
  cost: ScryptCost
  salt: Uint8Array
  nonce: Uint8Array
  ciphertext: Uint8Array
  tag: Uint8Array
}

export const SALT_BYTES = 32
export const NONCE_BYTES = 12
export const TAG_BYTES = 16
const KEY_BYTES = 32

/** Encrypts a seed with AES-256-GCM under scrypt of a passphrase; `label` is authenticated, not stored. */
export async function sealSeed(
  seed: Uint8Array,
  passphrase: string,
  label: string,
  cost: ScryptCost,
  random: Random
): Promise<SealedSeed> {
  const salt = random.bytes(SALT_BYTES)
  const nonce = random.bytes(NONCE_BYTES)
  const key = await deriveKey(passphrase, salt, cost)
  try {
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(label))
    const ciphertext = new Uint8Array(Buffer.concat([cipher.update(seed), cipher.final()]))
    return { cost, salt, nonce, ciphertext, tag: new Uint8Array(cipher.getAuthTag()) }
  } finally {
    key.fill(0)
  }
}

/** The seed, or undefined if the passphrase (or anything else) is not the one it was sealed with. */
export async function openSeed(sealed: SealedSeed, passphrase: string, label: string): Promise<Uint8Array | undefined> {
  const key = await deriveKey(passphrase, sealed.salt, sealed.cost)
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(label))
      .setAuthTag(sealed.tag)
    const seed = decipher.update(sealed.ciphertext)
    decipher.final()
    return new Uint8Array(seed)
  } catch {
    return undefined
  } finally {
    key.fill(0)
  }
}

function deriveKey(passphrase: string, salt: Uint8Array, { N, r, p }: ScryptCost): Promise<Buffer> {
  const options: ScryptOptions = { N, r, p, maxmem: 128 * N * r + 1024 * 1024 * (1 + p) }
  return new Promise((resolve, reject) => {
    // The same passphrase typed on two systems may differ in its code points.
    scrypt(passphrase.normalize('NFKC'), salt, KEY_BYTES, options, (err, key) => {
      if (err === null) {
        resolve(key)
      } else {
        reject(err)
      }
    })
  })
}
