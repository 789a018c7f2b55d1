import * as z from 'zod'
import { fromHex, sha256, toHex } from '../core/bytes.ts'
import { canonicalJson } from '../core/canonical-json.ts'
import { NONCE_BYTES, SALT_BYTES, type SealedSeed, TAG_BYTES } from './key-cipher.ts'

/** What a key is for: the libp2p peer, the TON wallet, or signing on payment channels. */
export type KeyKind = 'peer' | 'wallet' | 'channel'

export const KEY_KINDS: readonly KeyKind[] = ['peer', 'wallet', 'channel']

/** An Ed25519 seed (RFC 8032). */
export const SEED_BYTES = 32

/** A key file's content. */
export type KeyRecord = { kind: KeyKind; seed: Uint8Array } | { kind: KeyKind; sealed: SealedSeed }

const VERSION = 1

const bytes = (length: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${length * 2}}$`))
    .transform(hex => fromHex(hex, length))

const common = { version: z.literal(VERSION), kind: z.enum(['peer', 'wallet', 'channel']), check: z.string() }

const schema = z.discriminatedUnion('protection', [
  z.strictObject({ ...common, protection: z.literal('none'), seed: bytes(SEED_BYTES) }),
  z.strictObject({
    ...common,
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
    ciphertext: bytes(SEED_BYTES),
    tag: bytes(TAG_BYTES)
  })
])

/** Text of a key file. */
export function encodeKeyRecord(record: KeyRecord): string {
  const fields = { version: VERSION, kind: record.kind, ...protectionFields(record) }
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
      return { kind: record.kind, seed: record.seed }
    }
    const { kind, N, r, p, salt, nonce, ciphertext, tag } = record
    return { kind, sealed: { cost: { N, r, p }, salt, nonce, ciphertext, tag } }
  } catch {
    return undefined
  }
}

function protectionFields(record: KeyRecord) {
  if ('seed' in record) {
    return { protection: 'none', seed: toHex(record.seed) }
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
