import { addNano, type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { ChainFees } from '../chain.ts'
import type { NextStep, StepReason } from './next-step.ts'
import { type ChannelPolicy, fitsShare } from './policy.ts'

/** What a payer's next step depends on. Times in Unix milliseconds. */
export interface PayerStanding {
  /**
   * `closing`: seen on chain, or nothing more is signed because a close was begun here. `recovered`: found on the chain by
   * a node that lost its books.
   */
  state: 'opening' | 'recovered' | 'open' | 'closing' | 'closed'
  deposit: NanoTon
  settled: NanoTon
  /** What the payee may still claim up to. */
  signed: NanoTon
  /** What no job has used or been promised. */
  room: NanoTon
  /** What the contract holds, reserve included; `deposit - settled` where it is not known. */
  balance: NanoTon
  /** When our close alone may be finished; 0 unless the chain says that it is closing. */
  closeAtMs: number
  openedAtMs: number
  lastUsedAtMs: number
  runningJobs: number
  pendingDeposit: boolean
  /** Since when the provider was asked to close and did not agree; 0 if it was not asked, or agreed. */
  outOfReachSinceMs: number
}

type ClosePolicy = Omit<ChannelPolicy, 'claimAbove' | 'claimAfterMs' | 'maxTries'>
type CloseFees = Omit<ChainFees, 'open' | 'claim' | 'externalClaim'>

/**
 * The payer's next step by itself: keeps a channel in use filled, closes one that is idle together with the provider, or
 * alone if the provider does not answer for long. Nothing is closed that costs more than it brings back, even if the
 * payee claims everything it was promised.
 */
export function nextPayerStep(c: PayerStanding, policy: ClosePolicy, fees: CloseFees, nowMs: number): NextStep {
  switch (c.state) {
    case 'closed':
      return none('closed')
    case 'opening':
      return none('not-funded')
    case 'closing':
      return c.closeAtMs > 0 ? finish(c, fees, nowMs) : close(c, policy, fees, nowMs, nowMs, 'close-begun')
    case 'recovered':
      return closeIdle(c, policy, fees, nowMs)
    case 'open':
      return topUp(c, policy, fees, nowMs) ?? closeIdle(c, policy, fees, nowMs)
  }
}

/** What comes back if the channel ends now and the payee gets all it was promised. */
export function comesBack({
  balance,
  signed,
  settled
}: Pick<PayerStanding, 'balance' | 'signed' | 'settled'>): NanoTon {
  return subNanoFloor(balance, subNanoFloor(signed, settled))
}

/** The chain's clock decides, and it may be a little behind ours: too early costs a fee for nothing. */
const FINISH_MARGIN_MS = 15_000

function finish(c: PayerStanding, fees: CloseFees, nowMs: number): NextStep {
  const fee = fees.finish
  return fee < c.balance
    ? {
        action: 'finish',
        reason: 'challenge-over',
        atMs: Math.max(nowMs, c.closeAtMs + FINISH_MARGIN_MS),
        fee,
        gain: c.balance,
        final: true
      }
    : { ...none('not-worth-closing'), fee, gain: c.balance }
}

function closeIdle(c: PayerStanding, policy: ClosePolicy, fees: CloseFees, nowMs: number): NextStep {
  if (c.runningJobs > 0) {
    return none('in-use')
  }
  if (c.pendingDeposit) {
    return none('not-funded')
  }
  const idleAtMs = Math.max(c.lastUsedAtMs, c.openedAtMs) + policy.closeIdleMs
  return close(c, policy, fees, nowMs, idleAtMs, 'idle')
}

function close(
  c: PayerStanding,
  policy: ClosePolicy,
  fees: CloseFees,
  nowMs: number,
  dueMs: number,
  reason: StepReason
): NextStep {
  const gain = comesBack(c)
  const alone = addNano(fees.startClose, fees.finish)
  // A provider that served a job since then was not gone.
  const aloneAtMs = Math.max(dueMs, Math.max(c.outOfReachSinceMs, c.lastUsedAtMs) + policy.forceCloseAfterMs)
  const mayAlone = c.outOfReachSinceMs > 0 && alone < gain
  if (mayAlone && nowMs >= aloneAtMs) {
    return { action: 'start-close', reason: 'provider-gone', atMs: nowMs, fee: alone, gain, final: true }
  }
  const fee = fees.coopClose
  if (fee >= gain && alone < gain) {
    return { action: 'start-close', reason, atMs: Math.max(nowMs, dueMs), fee: alone, gain, final: true }
  }
  return fee < gain
    ? {
        action: 'close-together',
        reason,
        atMs: Math.max(nowMs, dueMs),
        ...(mayAlone ? { aloneAtMs } : {}),
        fee,
        gain,
        final: true
      }
    : { ...none('not-worth-closing'), fee, gain }
}

function topUp(c: PayerStanding, policy: ClosePolicy, fees: CloseFees, nowMs: number): NextStep | undefined {
  const inUse = c.runningJobs > 0 || nowMs - c.lastUsedAtMs < policy.inUseMs
  const wanted =
    inUse &&
    !c.pendingDeposit &&
    c.room < policy.topUpBelow &&
    c.room + policy.topUpAmount <= policy.maxDeposit &&
    fitsShare(fees.topUp, policy.topUpAmount, policy)
  return wanted
    ? { action: 'top-up', reason: 'running-low', atMs: nowMs, fee: fees.topUp, gain: ZERO_NANO_TON, final: false }
    : undefined
}

function none(reason: StepReason): NextStep {
  return { action: 'none', reason, fee: ZERO_NANO_TON, gain: ZERO_NANO_TON, final: false }
}
