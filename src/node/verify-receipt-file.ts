import { type VerifiedReceipt, verifyStoredReceipt } from '../attest/index.ts'
import { PeerKeys } from '../mesh/index.ts'
import { loadAttestationPolicy } from './attestation-policy.ts'
import { receiptStore } from './receipt-store.ts'
import { verifyVoucherSignature } from './voucher-signature.ts'

export interface VerifyReceiptInit {
  /** Folder that job ids are looked up in. */
  receiptsFolder: string
  /** Whether receipts of simulated enclaves pass: they prove who signed, not where it ran. */
  allowSimulated: boolean
  /**
   * Policy file.
   * @default the default policy
   */
  policyFile?: string
}

/**
 * Checks a receipt offline: by job id (or its beginning) from the receipts folder, or by path.
 *
 * @throws {UsageError} `RECEIPT_UNKNOWN`, `RECEIPT_AMBIGUOUS`
 * @throws {AttestationError} with the code of the check that failed
 */
export async function verifyReceiptFile(
  idOrPath: string,
  init: VerifyReceiptInit
): Promise<VerifiedReceipt & { path: string }> {
  const { path, stored } = await receiptStore(init.receiptsFolder).get(idOrPath)
  const { allowSimulated, policyFile: file } = init
  const policy = await loadAttestationPolicy({ file, homePath: '', allowSimulated })
  const keys = new PeerKeys()
  const verified = await verifyStoredReceipt({
    stored,
    policy,
    verifyPeerSignature: (peerId, message, signature) => keys.verify(peerId, message, signature),
    verifyVoucherSignature
  })
  return { ...verified, path }
}
