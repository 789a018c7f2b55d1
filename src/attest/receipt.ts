import type { KeyObject } from 'node:crypto'
import { ed25519PublicKey, ed25519Sign, ed25519Verify } from '../core/ed25519.ts'
import { AttestationError } from '../core/errors.ts'
import { MAX_NANO_TON } from '../core/nano-ton.ts'
import { LIMITS } from '../wire/limits.ts'
import {
  canonicalBytes,
  decimal,
  decodeDocument,
  hex,
  integer,
  MAX_UINT64,
  object,
  oneOf,
  optional,
  peerIdText,
  type Reader,
  text
} from './document.ts'

/** The receipt key signs this text followed by the receipt's bytes. */
export const RECEIPT_DOMAIN = 'cocoon/receipt/v1'

/** Sampling settings in integers, so that no float formatting is in play; absent ones were the engine's default. */
export interface ReceiptSampling {
  /** Temperature × 1,000. */
  temperatureMilli?: number
  /** Top-p × 1,000. */
  topPMilli?: number
  topK?: number
  seed?: number
  maxTokens: number
}

/** Nanotons per million tokens, decimal. */
export interface ReceiptPrices {
  promptPerMTokens: string
  cachedPromptPerMTokens: string
  completionPerMTokens: string
}

/**
 * One document for request, weights, enclave, answer and payment. It holds digests of ciphertext only: the host that
 * relays it learns nothing of what was said. All hex is lower-case.
 */
export interface Receipt {
  version: 'cocoon/receipt/1'
  /** 16 bytes hex. */
  jobId: string
  /** SHA-256 of the sealed request, hex. */
  requestDigest: string
  /** Final value of the answer chain, hex. */
  answerDigest: string
  /** SHA-256 of the GGUF file, hex. */
  modelDigest: string
  /** SHA-256 of the enclave's statement, hex. */
  statementDigest: string
  sampling: ReceiptSampling
  promptTokens: number
  cachedPromptTokens: number
  completionTokens: number
  prices: ReceiptPrices
  /** Nanotons, decimal: `tokenCost` of prices and tokens. */
  cost: string
  /** Address of the payment channel. */
  channel: string
  /** Logical time of the channel's opening, decimal. */
  openedLt: string
  /** Why the answer ended, e.g. `stop`, `length`, `cancelled`. */
  finishReason: string
  startedAtMs: number
  endedAtMs: number
  /** base58. */
  providerPeerId: string
  /** base58. */
  clientPeerId: string
}

const count = integer(0, 0xffff_ffff)
const price = decimal(MAX_UINT64)

const readReceipt: Reader<Receipt> = object<Receipt>({
  version: oneOf(['cocoon/receipt/1']),
  jobId: hex(LIMITS.jobIdBytes),
  requestDigest: hex(32),
  answerDigest: hex(32),
  modelDigest: hex(32),
  statementDigest: hex(32),
  sampling: object<ReceiptSampling>({
    temperatureMilli: optional(count),
    topPMilli: optional(count),
    topK: optional(count),
    seed: optional(integer(Number.MIN_SAFE_INTEGER)),
    maxTokens: count
  }),
  promptTokens: count,
  cachedPromptTokens: count,
  completionTokens: count,
  prices: object<ReceiptPrices>({
    promptPerMTokens: price,
    cachedPromptPerMTokens: price,
    completionPerMTokens: price
  }),
  cost: decimal(MAX_NANO_TON),
  channel: text(/^[0-9A-Za-z:_+/-]{1,80}$/, 'the address of a channel'),
  openedLt: decimal(MAX_UINT64),
  finishReason: text(/^[a-z][a-z_-]{0,31}$/, 'a reason in lower-case letters'),
  startedAtMs: integer(1),
  endedAtMs: integer(1),
  providerPeerId: peerIdText,
  clientPeerId: peerIdText
})

/** A receipt with its signature, as the wire carries them. */
export interface SignedReceipt {
  /** RFC 8785 JSON. */
  readonly bytes: Uint8Array
  /** Ed25519 over `cocoon/receipt/v1` ‖ bytes, 64 bytes. */
  readonly signature: Uint8Array
}

/**
 * Writes and signs a receipt.
 *
 * @param receiptKey the enclave's Ed25519 private key
 * @throws {AttestationError} as {@link decodeReceipt}, if the fields are not what they should be
 */
export function makeReceipt(fields: Omit<Receipt, 'version'>, receiptKey: KeyObject): SignedReceipt {
  const bytes = canonicalBytes({ ...fields, version: 'cocoon/receipt/1' })
  decodeReceipt(bytes)
  return { bytes, signature: ed25519Sign(receiptKey, signedMessage(bytes)) }
}

/** @throws {AttestationError} `RECEIPT_TOO_LARGE`, `RECEIPT_INVALID`, `RECEIPT_NOT_CANONICAL` */
export function decodeReceipt(bytes: Uint8Array): Receipt {
  return decodeDocument({ name: 'Receipt', codePrefix: 'RECEIPT', maxBytes: LIMITS.receiptBytes }, bytes, readReceipt)
}

/**
 * Checks who signed a receipt, and its shape.
 *
 * @param input `receiptKey`: raw Ed25519 public key out of the enclave's statement, 32 bytes
 * @throws {AttestationError} as {@link decodeReceipt}, and `RECEIPT_SIGNATURE_INVALID`
 */
export function verifyReceipt(input: SignedReceipt & { readonly receiptKey: Uint8Array }): Receipt {
  const receipt = decodeReceipt(input.bytes)
  if (!ed25519Verify(ed25519PublicKey(input.receiptKey), signedMessage(input.bytes), input.signature)) {
    throw new AttestationError(
      'RECEIPT_SIGNATURE_INVALID',
      'The receipt was not signed by the enclave of its statement'
    )
  }
  return receipt
}

function signedMessage(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(RECEIPT_DOMAIN), bytes])
}
