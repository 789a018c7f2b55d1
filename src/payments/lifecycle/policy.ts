import type { NanoTon } from '../../core/nano-ton.ts'

/** How a node manages its channels by itself. Times in milliseconds. */
export interface ChannelPolicy {
  /** A payee claims as soon as more than this waits. */
  claimAbove: NanoTon
  /** A payee claims what has waited this long. */
  claimAfterMs: number
  /** Most that a fee may be of what it brings, in per cent; a final step only has to bring more than it costs. */
  maxFeePercent: number
  /** A payer closes a channel that nobody has used for this long. */
  closeIdleMs: number
  /** A payer closes alone if the provider has not agreed for this long. */
  forceCloseAfterMs: number
  /** A channel in use is topped up when less than this is left; zero for never. */
  topUpBelow: NanoTon
  /** What a top-up adds. */
  topUpAmount: NanoTon
  /** The most locked in one channel at any time. */
  maxDeposit: NanoTon
  /** A channel is in use until this long after its last job. */
  inUseMs: number
  /** Tries of a step that cost a fee and failed, before it is given up. */
  maxTries: number
}

/** Whether a fee is small enough beside what it brings. */
export function fitsShare(
  fee: NanoTon,
  gain: NanoTon,
  { maxFeePercent }: Pick<ChannelPolicy, 'maxFeePercent'>
): boolean {
  return fee < gain && fee * 100n <= gain * BigInt(maxFeePercent)
}
