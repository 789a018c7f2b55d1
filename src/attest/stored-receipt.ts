import { fromHex, toBase64, toHex } from '../core/bytes.ts'
import { AttestationError, errorMessage } from '../core/errors.ts'
import { MAX_NANO_TON } from '../core/nano-ton.ts'
import { LIMITS } from '../wire/limits.ts'
import {
  anyObject,
  base64,
  canonicalBytes,
  DocumentFault,
  decimal,
  hex,
  integer,
  MAX_UINT64,
  object,
  oneOf,
  optional,
  parseJson,
  type Reader,
  text
} from './document.ts'
import { decodeReceipt, decodeReceiptDocument } from './receipt.ts'
import { decodeStatement } from './statement.ts'

/** The last voucher a client signed to the provider in this job. */
export interface FinalVoucher {
  channel: string
  /** Decimal. */
  openedLt: string
  /** Nanotons over the channel's whole life, decimal. */
  cumulative: string
  /** 64 bytes. */
  signature: Uint8Array
  /** What the channel's address is made of: says whose key signs its vouchers. */
  terms: VoucherTerms
}

/** A channel's terms as text. */
export interface VoucherTerms {
  globalId: number
  /** 32 bytes hex. */
  payerKey: string
  /** Raw address. */
  payerAddress: string
  /** 32 bytes hex. */
  payeeKey: string
  /** Raw address. */
  payeeAddress: string
  /** Decimal. */
  salt: string
  challengeSeconds: number
}

/** All that is needed to check a receipt offline, for good. */
export interface StoredReceipt {
  /** RFC 8785 JSON of the receipt. */
  receipt: Uint8Array
  /** Of the receipt, 64 bytes. */
  signature: Uint8Array
  /** RFC 8785 JSON of the enclave's statement. */
  statement: Uint8Array
  evidence: Uint8Array
  /** Co-signature of the statement by the provider's peer, 64 bytes. */
  peerSignature: Uint8Array
  /** The challenge that the evidence binds, 32 bytes; absent if it binds the statement's beacon. */
  challenge?: Uint8Array
  /** Absent where nothing was paid. */
  finalVoucher?: FinalVoucher
}

const VERSION = 'cocoon/stored-receipt/2'
// Evidence in base64, receipt and statement indented, and the rest.
const MAX_FILE_BYTES = 2 * (LIMITS.evidenceBytes + LIMITS.receiptBytes + LIMITS.statementBytes) + 4096

/** A year: no channel has a longer period, and terms without a channel have no address to compare. */
const MAX_CHALLENGE_SECONDS = 31_536_000

interface StoredVoucherFile {
  channel: string
  openedLt: string
  cumulative: string
  signature: string
  terms: VoucherTerms
}

interface StoredReceiptFile {
  version: typeof VERSION
  receipt: object
  signature: string
  statement: object
  evidence: string
  peerSignature: string
  challenge?: string
  finalVoucher?: StoredVoucherFile
}

const rawAddress = text(/^0:[0-9a-f]{64}$/, 'a raw address of the basechain')

const readFile = object<StoredReceiptFile>({
  version: oneOf([VERSION]),
  receipt: anyObject,
  signature: hex(64),
  statement: anyObject,
  evidence: base64(),
  peerSignature: hex(64),
  challenge: optional(hex(32)) as Reader<string>,
  finalVoucher: optional(
    object<StoredVoucherFile>({
      channel: text(/^[0-9A-Za-z:_+/-]{1,80}$/, 'the address of a channel'),
      openedLt: decimal(MAX_UINT64),
      cumulative: decimal(MAX_NANO_TON),
      signature: hex(64),
      terms: object<VoucherTerms>({
        globalId: integer(-0x8000_0000, 0x7fff_ffff),
        payerKey: hex(32),
        payerAddress: rawAddress,
        payeeKey: hex(32),
        payeeAddress: rawAddress,
        salt: decimal(MAX_UINT64),
        challengeSeconds: integer(1, MAX_CHALLENGE_SECONDS)
      })
    })
  ) as Reader<StoredVoucherFile>
})

/**
 * Text of a receipt file: JSON that people can read, indented by two spaces. Receipt and statement stand in it as
 * objects, because their canonical form gives back the very bytes that were signed.
 *
 * @throws {AttestationError} if receipt or statement are not canonical documents
 */
export function encodeStoredReceipt(stored: StoredReceipt): string {
  const { challenge, finalVoucher } = stored
  const file: StoredReceiptFile = {
    version: VERSION,
    receipt: decodeReceiptDocument(stored.receipt),
    signature: toHex(stored.signature),
    statement: decodeStatement(stored.statement),
    evidence: toBase64(stored.evidence),
    peerSignature: toHex(stored.peerSignature),
    ...(challenge === undefined ? {} : { challenge: toHex(challenge) }),
    ...(finalVoucher === undefined
      ? {}
      : { finalVoucher: { ...finalVoucher, signature: toHex(finalVoucher.signature) } })
  }
  return `${JSON.stringify(file, null, 2)}\n`
}

/**
 * Reads a receipt file. Shape only: `verifyStoredReceipt` says whether it is true.
 *
 * @throws {AttestationError} `RECEIPT_FILE_INVALID`, and those of {@link decodeReceipt} and {@link decodeStatement}
 */
export function decodeStoredReceipt(file: string): StoredReceipt {
  const { challenge, finalVoucher, ...rest } = parseFile(file)
  const receipt = canonicalOf(rest.receipt)
  const statement = canonicalOf(rest.statement)
  decodeReceipt(receipt)
  decodeStatement(statement)
  return {
    receipt,
    signature: fromHex(rest.signature, 64),
    statement,
    evidence: new Uint8Array(Buffer.from(rest.evidence, 'base64')),
    peerSignature: fromHex(rest.peerSignature, 64),
    ...(challenge === undefined ? {} : { challenge: fromHex(challenge, 32) }),
    ...(finalVoucher === undefined
      ? {}
      : { finalVoucher: { ...finalVoucher, signature: fromHex(finalVoucher.signature, 64) } })
  }
}

function parseFile(file: string): StoredReceiptFile {
  try {
    if (file.length > MAX_FILE_BYTES) {
      throw new DocumentFault(`The file has ${file.length} characters: expected at most ${MAX_FILE_BYTES}`)
    }
    return readFile(parseJson(Buffer.from(file)), 'Receipt file')
  } catch (cause) {
    throw fileInvalid(cause)
  }
}

// Floats and lone surrogates have no canonical form.
function canonicalOf(value: object): Uint8Array {
  try {
    return canonicalBytes(value)
  } catch (cause) {
    throw fileInvalid(cause)
  }
}

function fileInvalid(cause: unknown): AttestationError {
  return new AttestationError('RECEIPT_FILE_INVALID', `Not a receipt file: ${errorMessage(cause)}`, { cause })
}
