import * as z from 'zod'
import { fromHex, sha256, toHex } from '../core/bytes.ts'
import { canonicalJson } from '../core/canonical-json.ts'
import { NONCE_BYTES, SALT_BYTES, type SealedSeed, TAG_BYTES } from './key-cipher.ts'

/** What a key is for: the libp2p peer, the TON wallet, or signing on payment channels. */
export type KeyKind = 'peer' | 'wallet' | 'channel'

export const KEY_KINDS: readonly KeyKind[] = ['peer', 'wallet', 'channel']

/** An Ed25519 seed (RFC 8032). */
export const SEED_BYTES = 32

/** A key, and the words it was made of if it was made of words: only a wallet's can be. */
export interface KeySecret {
  /** {@link SEED_BYTES} bytes. */
  seed: Uint8Array
  words?: readonly string[]
}

/** A key file's content. */
export type KeyRecord = { kind: KeyKind } & (KeySecret | { sealed: SealedSeed })

const WORDS = 24

/** Room for the longest words there are, so that a sealed file tells nothing of them. */
const WORDS_BYTES = WORDS * 9

const bytes = (length: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${length * 2}}$`))
    .transform(hex => fromHex(hex, length))

const words = z
  .string()
  .transform(text => text.split(' '))
  .refine(areWords)

const sealing = {
  protection: z.literal('scrypt-aes-256-gcm'),
  // Bounded, so that a file cannot make a reader take all memory (1 GiB at most) or hours.
  N: z
    .int()
    .min(2 ** 14)
    .max(2 ** 20)
    .refine(n => Number.isInteger(Math.log2(n))),
  r: z.literal(8),
  p: z.int().min(1).max(4),
  salt: bytes(SALT_BYTES),
  nonce: bytes(NONCE_BYTES),
  tag: bytes(TAG_BYTES)
}

const plain = { protection: z.literal('none'), seed: bytes(SEED_BYTES) }
const version1 = { version: z.literal(1), kind: z.enum(['peer', 'wallet', 'channel']), check: z.string() }
/** Since there are words. */
const version2 = { version: z.literal(2), kind: z.literal('wallet'), check: z.string() }

const schema = z.union([
  z.strictObject({ ...version1, ...plain }),
  z.strictObject({ ...version1, ...sealing, ciphertext: bytes(SEED_BYTES) }),
  z.strictObject({ ...version2, ...plain, words }),
  z.strictObject({ ...version2, ...sealing, ciphertext: bytes(SEED_BYTES + WORDS_BYTES) })
])

/** Whether these can be the words of a wallet, going by their form. */
export function areWords(list: readonly string[]): boolean {
  return list.length === WORDS && list.every(word => /^[a-z]{3,8}$/.test(word))
}

/** Whether a file with this content also holds words. */
export function holdsWords(record: KeyRecord): boolean {
  return 'sealed' in record ? record.sealed.ciphertext.byteLength > SEED_BYTES : record.words !== undefined
}

/** A secret as it is sealed: the seed, and words padded with spaces. */
export function packSecret({ seed, words: list }: KeySecret): Uint8Array {
  return list === undefined ? seed : Buffer.concat([seed, Buffer.from(list.join(' ').padEnd(WORDS_BYTES))])
}

/** What {@link packSecret} packed. */
export function unpackSecret(packed: Uint8Array): KeySecret | undefined {
  const seed = packed.slice(0, SEED_BYTES)
  if (packed.byteLength === SEED_BYTES) {
    return { seed }
  }
  const list = Buffer.from(packed.subarray(SEED_BYTES)).toString().trimEnd().split(' ')
  return areWords(list) ? { seed, words: list } : undefined
}

/** Text of a key file. */
export function encodeKeyRecord(record: KeyRecord): string {
  const fields = { version: holdsWords(record) ? 2 : 1, kind: record.kind, ...protectionFields(record) }
  return `${JSON.stringify({ ...fields, check: checkOf(fields) }, undefined, 2)}\n`
}

/** A key file's content, or undefined if it is not exactly what {@link encodeKeyRecord} wrote. */
export function decodeKeyRecord(text: string): KeyRecord | undefined {
  try {
    const json: unknown = JSON.parse(text)
    const record = schema.parse(json)
    const { check, ...fields } = json as Record<string, string | number>
    if (check !== checkOf(fields)) {
      return undefined
    }
    if (record.protection === 'none') {
      const { kind, seed } = record
      return { kind, seed, ...('words' in record ? { words: record.words } : {}) }
    }
    const { kind, N, r, p, salt, nonce, ciphertext, tag } = record
    return { kind, sealed: { cost: { N, r, p }, salt, nonce, ciphertext, tag } }
  } catch {
    return undefined
  }
}

function protectionFields(record: KeyRecord) {
  if ('seed' in record) {
    const { seed, words: list } = record
    return { protection: 'none', seed: toHex(seed), ...(list === undefined ? {} : { words: list.join(' ') }) }
  }
  const { cost, salt, nonce, ciphertext, tag } = record.sealed
  return {
    protection: 'scrypt-aes-256-gcm',
    ...cost,
    salt: toHex(salt),
    nonce: toHex(nonce),
    ciphertext: toHex(ciphertext),
    tag: toHex(tag)
  }
}

/** Tells a damaged file from a wrong passphrase. It is no protection: the tag is. */
function checkOf(fields: Readonly<Record<string, string | number>>): string {
  return toHex(sha256('cocoon/key-file/v1', canonicalJson(fields))).slice(0, 16)
}
