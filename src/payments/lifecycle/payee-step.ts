import { type NanoTon, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { ChainFees } from '../chain.ts'
import type { NextStep, StepReason } from './next-step.ts'
import { type ChannelPolicy, fitsShare } from './policy.ts'

/** What a payee's next step depends on. Times in Unix milliseconds. */
export interface PayeeStanding {
  /** `closing`: seen on chain, or agreed to by us. */
  state: 'open' | 'closing' | 'closed'
  /** Promised and not on chain yet. */
  claimable: NanoTon
  /** When a close of the payer alone may be finished; 0 unless the chain says that it is closing. */
  closeAtMs: number
  /** When the oldest voucher that waits came; 0 if none does. */
  unclaimedSinceMs: number
  lastUsedAtMs: number
  /** Until when our agreement to close counts; 0 if there is none. */
  agreedUntilMs: number
  /** Whether our wallet can send a message; otherwise gas comes from the payout. */
  walletPays: boolean
}

type ClaimPolicy = Pick<ChannelPolicy, 'claimAbove' | 'claimAfterMs' | 'maxFeePercent' | 'closeIdleMs'>

/** The payer's message may still be on its way when the agreement ends. */
const AGREEMENT_MARGIN_MS = 60_000

/**
 * The payee's next step by itself. Claims past an amount or an age where the fee is a small share of it; whatever is
 * worth more than its fee is claimed when the channel ends: the payer closes, or nobody uses it any more.
 */
export function nextPayeeStep(
  c: PayeeStanding,
  policy: ClaimPolicy,
  fees: Pick<ChainFees, 'claim' | 'externalClaim'>,
  nowMs: number
): NextStep {
  if (c.state === 'closed' || c.claimable === 0n) {
    return { ...none(c.state === 'closed' ? 'closed' : 'nothing-owed'), gain: c.claimable }
  }
  if (c.state === 'closing') {
    return finalClaim(c, fees, nowMs)
  }
  const ordinary = cheapest(c, fees, fee => fitsShare(fee, c.claimable, policy))
  if (ordinary !== undefined) {
    const past = c.claimable > policy.claimAbove
    const atMs = past ? nowMs : Math.max(nowMs, c.unclaimedSinceMs + policy.claimAfterMs)
    return { ...ordinary, reason: past ? 'amount' : 'age', atMs, final: false }
  }
  const last = cheapest(c, fees, fee => fee < c.claimable)
  // A payer that closes an idle channel pays for the claim too: it goes first.
  const idleAtMs = c.lastUsedAtMs + policy.closeIdleMs + policy.claimAfterMs
  return last === undefined
    ? { ...none('dust'), gain: c.claimable, fee: fees.claim }
    : { ...last, reason: 'idle', atMs: Math.max(nowMs, idleAtMs), final: true }
}

/** Nothing more is accepted on the channel: this is the last claim. */
function finalClaim(c: PayeeStanding, fees: Pick<ChainFees, 'claim' | 'externalClaim'>, nowMs: number): NextStep {
  const last = cheapest(c, fees, fee => fee < c.claimable)
  if (last === undefined) {
    return { ...none('dust'), gain: c.claimable, fee: fees.claim }
  }
  if (c.closeAtMs === 0) {
    const atMs = Math.max(nowMs, c.agreedUntilMs + AGREEMENT_MARGIN_MS)
    return { ...last, reason: 'close-agreed', atMs, final: true }
  }
  // Also after the deadline: a claim counts until someone finishes the close.
  return { ...last, reason: 'closing', atMs: nowMs, deadlineMs: c.closeAtMs, final: true }
}

/** A claim that the wallet pays for, or, where it cannot or is too dear, one that the payout pays for. */
function cheapest(
  c: PayeeStanding,
  fees: Pick<ChainFees, 'claim' | 'externalClaim'>,
  fits: (fee: NanoTon) => boolean
): Pick<NextStep, 'action' | 'fee' | 'gain'> | undefined {
  if (c.walletPays && fits(fees.claim)) {
    return { action: 'claim', fee: fees.claim, gain: c.claimable }
  }
  return fits(fees.externalClaim)
    ? { action: 'claim-externally', fee: fees.externalClaim, gain: c.claimable }
    : undefined
}

function none(reason: StepReason): NextStep {
  return { action: 'none', reason, fee: ZERO_NANO_TON, gain: ZERO_NANO_TON, final: false }
}
