import { expectReceiptFits, type Receipt, verifyReceipt } from '../attest/index.ts'
import { toHex } from '../core/bytes.ts'
import { AttestationError } from '../core/errors.ts'
import { type TokenPrices, type TokenUsage, tokenCost } from '../core/price.ts'
import type { AttestedPeer } from './attested-peers.ts'

/** What this client saw of a job, to hold against its receipt. */
export interface SeenJob {
  jobId: Uint8Array
  requestDigest: Uint8Array
  /** Final value of the answer chain over the frames that were opened. */
  answerDigest: Uint8Array
  modelDigestHex: string
  usage: TokenUsage
  prices: TokenPrices
  channel: string
  openedLt: bigint
  clientPeerId: string
}

const PRICES = ['promptPerMTokens', 'cachedPromptPerMTokens', 'completionPerMTokens'] as const

/**
 * Checks the enclave's signature and that the receipt says what this client saw, field by field.
 *
 * @throws {AttestationError} `RECEIPT_MISMATCH` naming the field, or the codes of `verifyReceipt` and `expectReceiptFits`
 */
export function checkReceipt(bytes: Uint8Array, signature: Uint8Array, peer: AttestedPeer, seen: SeenJob): Receipt {
  const receipt = verifyReceipt({ bytes, signature, receiptKey: peer.enclave.receiptKey })
  expectReceiptFits(receipt, peer.enclave)
  const expected: Partial<Record<keyof Receipt, string | number>> = {
    jobId: toHex(seen.jobId),
    requestDigest: toHex(seen.requestDigest),
    answerDigest: toHex(seen.answerDigest),
    modelDigest: seen.modelDigestHex,
    ...seen.usage,
    cost: tokenCost(seen.prices, seen.usage).toString(),
    channel: seen.channel,
    openedLt: seen.openedLt.toString(),
    providerPeerId: peer.peerId,
    clientPeerId: seen.clientPeerId
  }
  const mismatch = (field: string): AttestationError =>
    new AttestationError('RECEIPT_MISMATCH', `The receipt's ${field} is not what this client saw of the job`, {
      details: { field, provider: peer.peerId }
    })
  for (const [field, value] of Object.entries(expected)) {
    if (receipt[field as keyof Receipt] !== value) {
      throw mismatch(field)
    }
  }
  // Other prices can make the same sum.
  for (const price of PRICES) {
    if (receipt.prices[price] !== seen.prices[price].toString()) {
      throw mismatch(price)
    }
  }
  return receipt
}
