import { nanoTon } from '../../../../src/core/nano-ton.ts'
import type { ChainFees } from '../../../../src/payments/chain.ts'
import type { PayeeStanding } from '../../../../src/payments/lifecycle/payee-step.ts'
import type { PayerStanding } from '../../../../src/payments/lifecycle/payer-step.ts'
import type { ChannelPolicy } from '../../../../src/payments/lifecycle/policy.ts'
import { amount } from '../../../support/payment-pair.ts'

export const HOUR = 3_600_000
export const NOW = 1_800_000_000_000

export const POLICY: ChannelPolicy = {
  claimAbove: amount(1_000),
  claimAfterMs: 24 * HOUR,
  maxFeePercent: 5,
  closeIdleMs: 168 * HOUR,
  forceCloseAfterMs: 72 * HOUR,
  topUpBelow: amount(100),
  topUpAmount: amount(500),
  maxDeposit: amount(5_000),
  inUseMs: HOUR,
  maxTries: 5
}

export const FEES: ChainFees = {
  open: amount(10),
  topUp: amount(10),
  claim: amount(10),
  externalClaim: amount(12),
  coopClose: amount(13),
  startClose: amount(8),
  finish: amount(7)
}

export function payee(changes: Partial<PayeeStanding> = {}): PayeeStanding {
  return {
    state: 'open',
    claimable: amount(500),
    closeAtMs: 0,
    unclaimedSinceMs: NOW - HOUR,
    lastUsedAtMs: NOW - HOUR,
    agreedUntilMs: 0,
    walletPays: true,
    ...changes
  }
}

export function payer(changes: Partial<PayerStanding> = {}): PayerStanding {
  const { deposit = amount(1_000), settled = amount(0), signed = amount(400) } = changes
  return {
    state: 'open',
    deposit,
    settled,
    signed,
    room: nanoTon(deposit - signed),
    balance: nanoTon(deposit - settled + 20n),
    closeAtMs: 0,
    openedAtMs: NOW - 1_000 * HOUR,
    lastUsedAtMs: NOW - 2 * HOUR,
    runningJobs: 0,
    pendingDeposit: false,
    outOfReachSinceMs: 0,
    ...changes
  }
}
