import type { KeyObject } from 'node:crypto'
import { toHex } from '../core/bytes.ts'
import { ed25519PublicKey, ed25519Sign, ed25519Verify } from '../core/ed25519.ts'
import { AttestationError } from '../core/errors.ts'
import { LIMITS } from '../wire/limits.ts'
import { type AciReceipt, fromAciReceipt, readAciReceipt, toAciReceipt } from './aci-receipt.ts'
import { canonicalBytes, decodeDocument } from './document.ts'

/** Signs receipts and nothing else. */
export interface ReceiptKey {
  readonly privateKey: KeyObject
  /** Raw Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
}

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

/** A receipt with its signature, as the wire carries them. */
export interface SignedReceipt {
  /** RFC 8785 JSON of an {@link AciReceipt}. */
  readonly bytes: Uint8Array
  /** Ed25519 over the bytes, 64 bytes. The receipt key signs nothing else. */
  readonly signature: Uint8Array
}

/**
 * Writes and signs a receipt.
 *
 * @param receiptKey the enclave's Ed25519 key pair
 * @throws {AttestationError} as {@link decodeReceipt}, if the fields are not what they should be
 */
export function makeReceipt(receipt: Receipt, receiptKey: ReceiptKey): SignedReceipt {
  const bytes = canonicalBytes(toAciReceipt(receipt, toHex(receiptKey.publicKey)))
  decodeReceipt(bytes)
  return { bytes, signature: ed25519Sign(receiptKey.privateKey, bytes) }
}

/** @throws {AttestationError} `RECEIPT_TOO_LARGE`, `RECEIPT_INVALID`, `RECEIPT_NOT_CANONICAL` */
export function decodeReceipt(bytes: Uint8Array): Receipt {
  return fromAciReceipt(decodeReceiptDocument(bytes))
}

/**
 * The document itself. What it says twice must be the same.
 *
 * @throws as {@link decodeReceipt}
 */
export function decodeReceiptDocument(bytes: Uint8Array): AciReceipt {
  const kind = { name: 'Receipt', codePrefix: 'RECEIPT', maxBytes: LIMITS.receiptBytes }
  const document = decodeDocument(kind, bytes, readAciReceipt)
  const again = canonicalBytes(toAciReceipt(fromAciReceipt(document), document.key_id))
  if (!Buffer.from(again).equals(bytes)) {
    throw new AttestationError('RECEIPT_INVALID', 'The receipt says two different things of its request or its time')
  }
  return document
}

/**
 * Checks who signed a receipt, and its shape.
 *
 * @param input `receiptKey`: raw Ed25519 public key out of the enclave's statement, 32 bytes
 * @throws {AttestationError} as {@link decodeReceipt}, and `RECEIPT_SIGNATURE_INVALID`
 */
export function verifyReceipt(input: SignedReceipt & { readonly receiptKey: Uint8Array }): Receipt {
  const document = decodeReceiptDocument(input.bytes)
  const genuine =
    document.key_id === toHex(input.receiptKey) &&
    ed25519Verify(ed25519PublicKey(input.receiptKey), input.bytes, input.signature)
  if (!genuine) {
    throw new AttestationError(
      'RECEIPT_SIGNATURE_INVALID',
      'The receipt was not signed by the enclave of its statement'
    )
  }
  return fromAciReceipt(document)
}
