import { sha256 } from '../core/bytes.ts'
import { LIMITS } from '../wire/limits.ts'
import {
  canonicalBytes,
  decodeDocument,
  hex,
  integer,
  list,
  object,
  oneOf,
  optional,
  peerIdText,
  type Reader,
  text
} from './document.ts'
import { TIERS, type Tier } from './tier.ts'

/** The peer key signs this text followed by the statement's bytes. */
export const STATEMENT_COSIGN_DOMAIN = 'cocoon/statement/v1'

/** A recent block: proves that the statement was not made before it. */
export interface Beacon {
  /** TON `global_id`: -239 mainnet, -3 testnet. */
  globalId: number
  /** Masterchain sequence number. */
  height: number
  /** Root hash of that block, 32 bytes hex. */
  hash: string
}

/** What an enclave says of itself and its evidence binds (design §6). All hex is lower-case. */
export interface Statement {
  version: 1
  tier: Tier
  /** Raw X25519 key, 32 bytes hex. */
  hpkeKey: string
  /** SHA-256 of the raw X-Wing key, hex, where the enclave offers that suite. The key itself travels beside the statement. */
  xwingKeyId?: string
  /** Raw Ed25519 key that signs receipts, 32 bytes hex. */
  receiptKey: string
  /** The libp2p peer that relays for this enclave and co-signs, base58. */
  peerId: string
  /** SHA-256 of each GGUF file loaded, hex. */
  modelDigests: string[]
  /** SHA-256 of each GPU's report, hex; only in the tier `tdx+gpu`. They answer `gpuNonce` of the rest. */
  gpuEvidence?: string[]
  /** SHA-256 of the enclave's settings, hex. */
  configDigest: string
  software: { version: string; bundleDigest: string }
  /** Random per start of the enclave program, 16 bytes hex. */
  bootId: string
  notBeforeMs: number
  notAfterMs: number
  beacon: Beacon
}

const readStatement: Reader<Statement> = object<Statement>({
  version: oneOf([1]),
  tier: oneOf(TIERS),
  hpkeKey: hex(32),
  xwingKeyId: optional(hex(32)) as Reader<string>,
  receiptKey: hex(32),
  peerId: peerIdText,
  modelDigests: list(hex(32), LIMITS.models),
  gpuEvidence: optional(list(hex(32), LIMITS.gpus)) as Reader<string[]>,
  configDigest: hex(32),
  software: object<Statement['software']>({
    version: text(/^[0-9A-Za-z.+-]{1,64}$/, 'a version of at most 64 characters'),
    bundleDigest: hex(32)
  }),
  bootId: hex(16),
  notBeforeMs: integer(0),
  notAfterMs: integer(0),
  beacon: object<Beacon>({
    globalId: integer(-0x8000_0000, 0x7fff_ffff),
    height: integer(0, 0xffff_ffff),
    hash: hex(32)
  })
})

/**
 * RFC 8785 bytes of a statement, read back before they are handed out.
 *
 * @throws {AttestationError} as {@link decodeStatement}
 */
export function encodeStatement(statement: Statement): Uint8Array {
  const bytes = canonicalBytes(statement)
  decodeStatement(bytes)
  return bytes
}

/** @throws {AttestationError} `ATTESTATION_STATEMENT_TOO_LARGE`, `ATTESTATION_STATEMENT_INVALID`, `ATTESTATION_STATEMENT_NOT_CANONICAL` */
export function decodeStatement(bytes: Uint8Array): Statement {
  const kind = { name: 'Statement', codePrefix: 'ATTESTATION_STATEMENT', maxBytes: LIMITS.statementBytes }
  return decodeDocument(kind, bytes, readStatement)
}

/** SHA-256 of the statement's bytes: names it in capacity records, seals and receipts. */
export function statementDigest(bytes: Uint8Array): Uint8Array {
  return sha256(bytes)
}

/** What the peer key signs. */
export function statementCosignMessage(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(STATEMENT_COSIGN_DOMAIN), bytes])
}
