import type { NanoTon } from '../core/nano-ton.ts'

/** A voucher as the contract takes it. */
export interface ClaimVoucher {
  openedLt: bigint
  cumulative: NanoTon
  /** Of the payer, 64 bytes. */
  signature: Uint8Array
}

/** The payee's agreement to close now with `cumulative` paid in all; more than is settled only if the payer sends it. */
export interface CoopCloseOrder {
  openedLt: bigint
  cumulative: NanoTon
  /** Last second in which the agreement counts, Unix seconds of the chain. */
  validUntil: number
  /** 64 bytes. */
  payeeSignature: Uint8Array
}

/** What a message to a channel came to. */
export interface ChainReceipt {
  /**
   * Hash of the channel's transaction, hex. After a close some servers no longer show a channel's history: then it is
   * the hash of the transaction in which our wallet got its share.
   */
  transaction: string
}
