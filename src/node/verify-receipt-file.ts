import { type FinalVoucher, type VerifiedReceipt, verifyStoredReceipt } from '../attest/index.ts'
import { fromHex } from '../core/bytes.ts'
import { ed25519PublicKey } from '../core/ed25519.ts'
import { nanoTon } from '../core/nano-ton.ts'
import { PeerKeys } from '../mesh/index.ts'
import { verifyVoucher } from '../payments/index.ts'
import { channelAddress } from '../ton/index.ts'
import { loadAttestationPolicy } from './attestation-policy.ts'
import { receiptStore } from './receipt-store.ts'

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

/** The payer's key is the one that the channel's own address is made of. */
function verifyVoucherSignature({ channel, openedLt, cumulative, signature, terms }: FinalVoucher): boolean {
  const payerKey = fromHex(terms.payerKey, 32)
  const salt = BigInt(terms.salt)
  if (channelAddress({ ...terms, payerKey, payeeKey: fromHex(terms.payeeKey, 32), salt }) !== channel) {
    return false
  }
  const voucher = { channel, openedLt: BigInt(openedLt), cumulative: nanoTon(BigInt(cumulative)), signature }
  return verifyVoucher(ed25519PublicKey(payerKey), terms.globalId, voucher)
}
