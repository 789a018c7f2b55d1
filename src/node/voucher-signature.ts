import type { FinalVoucher } from '../attest/index.ts'
import { fromHex } from '../core/bytes.ts'
import { ed25519PublicKey } from '../core/ed25519.ts'
import { nanoTon } from '../core/nano-ton.ts'
import { verifyVoucher } from '../payments/index.ts'
import { channelAddress } from '../ton/index.ts'

/** Whether the payer signed a receipt's voucher: its key is the one that the channel's own address is made of. */
export function verifyVoucherSignature({ channel, openedLt, cumulative, signature, terms }: FinalVoucher): boolean {
  const payerKey = fromHex(terms.payerKey, 32)
  const salt = BigInt(terms.salt)
  if (channelAddress({ ...terms, payerKey, payeeKey: fromHex(terms.payeeKey, 32), salt }) !== channel) {
    return false
  }
  const voucher = { channel, openedLt: BigInt(openedLt), cumulative: nanoTon(BigInt(cumulative)), signature }
  return verifyVoucher(ed25519PublicKey(payerKey), terms.globalId, voucher)
}
