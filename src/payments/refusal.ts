import { type CocoonErrorOptions, WireError } from '../core/errors.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import type { Voucher } from './voucher.ts'

/** The payee says no to a channel or a voucher. It names amounts and addresses only: safe to send to the payer. */
export class PaymentRefusal extends WireError {
  constructor(code: string, message: string, options?: CocoonErrorOptions) {
    super('money', code, message, options)
  }
}

/** `VOUCHER_STALE`: a higher amount of this channel is known already. */
export class VoucherStaleError extends PaymentRefusal {
  /** The payer's own signature on that amount; undefined if only the chain told us of it. */
  readonly highest: Voucher | undefined

  constructor(voucher: Voucher, accepted: NanoTon, highest: Voucher | undefined) {
    super(
      'VOUCHER_STALE',
      `Voucher over ${voucher.cumulative} is below the ${accepted} nanotons already signed for ${voucher.channel}`,
      { details: { cumulative: voucher.cumulative, highest: accepted } }
    )
    this.highest = highest
  }
}

/** `CHANNEL_EXHAUSTED` in the words both sides use. */
export function exhaustedText(channel: string, needed: bigint, deposit: bigint): string {
  return `Channel ${channel} holds ${deposit} nanotons and ${needed} are needed: top it up by ${needed - deposit}`
}
