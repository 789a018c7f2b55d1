import { toHex } from '../core/bytes.ts'
import { AttestationError } from '../core/errors.ts'
import { nanoTon } from '../core/nano-ton.ts'
import { tokenCost } from '../core/price.ts'
import type { AttestationPolicy } from './policy.ts'
import { decodeReceipt, type Receipt, verifyReceipt } from './receipt.ts'
import type { FinalVoucher, StoredReceipt } from './stored-receipt.ts'
import { type PeerSignatureCheck, type VerifiedEnclave, verifyAttestation } from './verify.ts'

export interface VerifyStoredReceiptInput {
  readonly stored: StoredReceipt
  /** Judged at the time the job started, by the receipt's own clock. */
  readonly policy: AttestationPolicy
  readonly verifyPeerSignature: PeerSignatureCheck
  /** Checks the payer's signature; payments know how. Without it the voucher's terms are compared, not its signature. */
  readonly verifyVoucherSignature?: (voucher: FinalVoucher) => boolean | Promise<boolean>
}

export interface VerifiedReceipt {
  readonly receipt: Receipt
  readonly enclave: VerifiedEnclave
  /** What of the payment was checked: nothing stored, the voucher's terms, or also its signature. */
  readonly voucher: 'none' | 'terms' | 'signature'
}

/**
 * Checks a stored receipt with nothing but the file: the enclave's signature, that its evidence and its peer stand
 * behind the statement, that all of it speaks of one job, and that the cost is what prices and tokens make.
 *
 * It cannot check the beacon against the chain, and all times are the enclave's.
 *
 * @throws {AttestationError} those of `verifyReceipt` and `verifyAttestation`, and `RECEIPT_STATEMENT_MISMATCH`,
 *   `RECEIPT_MODEL_MISMATCH`, `RECEIPT_TIMES_INVALID`, `RECEIPT_COST_MISMATCH`, `RECEIPT_VOUCHER_MISMATCH`,
 *   `RECEIPT_VOUCHER_SIGNATURE_INVALID`
 */
export async function verifyStoredReceipt(input: VerifyStoredReceiptInput): Promise<VerifiedReceipt> {
  const { stored, policy, verifyPeerSignature } = input
  const claimed = decodeReceipt(stored.receipt)
  const enclave = await verifyAttestation({
    statement: stored.statement,
    evidence: stored.evidence,
    peerSignature: stored.peerSignature,
    expectedPeerId: claimed.providerPeerId,
    ...(stored.challenge === undefined ? {} : { challenge: stored.challenge }),
    verifyPeerSignature,
    policy,
    nowMs: claimed.startedAtMs
  })
  const receipt = verifyReceipt({ bytes: stored.receipt, signature: stored.signature, receiptKey: enclave.receiptKey })
  expectReceiptFits(receipt, enclave)
  return { receipt, enclave, voucher: await checkVoucher(receipt, input) }
}

/**
 * Checks that a receipt speaks of this enclave and that its cost is right. The signature is `verifyReceipt`'s matter.
 *
 * @throws {AttestationError} `RECEIPT_STATEMENT_MISMATCH`, `RECEIPT_MODEL_MISMATCH`, `RECEIPT_TIMES_INVALID`,
 *   `RECEIPT_COST_MISMATCH`
 */
export function expectReceiptFits(receipt: Receipt, enclave: VerifiedEnclave): void {
  if (receipt.statementDigest !== toHex(enclave.statementDigest)) {
    throw new AttestationError(
      'RECEIPT_STATEMENT_MISMATCH',
      'The receipt names another statement than the enclave showed'
    )
  }
  if (!enclave.statement.modelDigests.includes(receipt.modelDigest)) {
    throw new AttestationError(
      'RECEIPT_MODEL_MISMATCH',
      `The receipt names model ${receipt.modelDigest}, which the statement does not list`
    )
  }
  if (receipt.endedAtMs < receipt.startedAtMs) {
    throw new AttestationError('RECEIPT_TIMES_INVALID', 'The receipt says that the answer ended before it started')
  }
  const cost = receiptCost(receipt)
  if (BigInt(receipt.cost) !== cost) {
    throw new AttestationError(
      'RECEIPT_COST_MISMATCH',
      `The receipt says ${receipt.cost} nanotons: its tokens make ${cost}`
    )
  }
}

/** Cost in nanotons that a receipt's own prices and tokens make. */
function receiptCost({ prices, promptTokens, cachedPromptTokens, completionTokens }: Receipt): bigint {
  return tokenCost(
    {
      promptPerMTokens: nanoTon(BigInt(prices.promptPerMTokens)),
      cachedPromptPerMTokens: nanoTon(BigInt(prices.cachedPromptPerMTokens)),
      completionPerMTokens: nanoTon(BigInt(prices.completionPerMTokens))
    },
    { promptTokens, cachedPromptTokens, completionTokens }
  )
}

async function checkVoucher(
  receipt: Receipt,
  { stored: { finalVoucher }, verifyVoucherSignature }: VerifyStoredReceiptInput
): Promise<VerifiedReceipt['voucher']> {
  if (finalVoucher === undefined) {
    return 'none'
  }
  const { channel, openedLt, cumulative } = finalVoucher
  if (channel !== receipt.channel || openedLt !== receipt.openedLt || BigInt(cumulative) < BigInt(receipt.cost)) {
    throw new AttestationError(
      'RECEIPT_VOUCHER_MISMATCH',
      'The voucher is of another channel than the receipt, or pays less than it cost'
    )
  }
  if (verifyVoucherSignature === undefined) {
    return 'terms'
  }
  if (!(await verifyVoucherSignature(finalVoucher))) {
    throw new AttestationError(
      'RECEIPT_VOUCHER_SIGNATURE_INVALID',
      'The voucher in the file was not signed by the payer'
    )
  }
  return 'signature'
}
