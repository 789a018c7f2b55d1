import type { PayeeChannelInfo, PayerChannelInfo } from '../../src/payments/index.ts'

/** One channel as a side's books have it. */
export interface ChannelFacts {
  channel: string
  openedLt: bigint
  state: string
  deposit: bigint
  settled: bigint
  /** The payer's: highest signed. The payee's: highest accepted. */
  promised: bigint
  /** Cost of all jobs. */
  used: bigint
  /** The part of `used` that the other side may not know of. */
  uncertain: bigint
}

export function payerFacts(c: PayerChannelInfo): ChannelFacts {
  const { channel, openedLt, state, deposit, settled, signed, used, uncertain } = c
  return { channel, openedLt, state, deposit, settled, promised: signed, used, uncertain }
}

export function payeeFacts(c: PayeeChannelInfo): ChannelFacts {
  const { channel, openedLt, state, locked, settled, promised, delivered } = c
  return { channel, openedLt, state, deposit: locked, settled, promised, used: delivered, uncertain: 0n }
}
