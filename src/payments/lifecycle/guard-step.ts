import { minNano, type NanoTon, subNanoFloor } from '../../core/nano-ton.ts'
import type { ChannelView } from '../chain.ts'

/** What guarding a channel with its latest voucher asks for. */
export type GuardStep =
  /** Nothing has to be done now; `due` is what the voucher would bring. */
  | { kind: 'wait'; due: NanoTon }
  | { kind: 'claim'; due: NanoTon; reason: 'closing' | 'amount' | 'now'; closeAtMs: number }
  /** The chain has paid as much, or more. */
  | { kind: 'paid' }
  /** The contract pays no voucher above the deposit. */
  | { kind: 'over-deposit'; deposit: NanoTon }
  /** This opening is gone from the chain. */
  | { kind: 'over' }
  /** The view is of an earlier opening: an endpoint that lags, or a voucher for one that is not there yet. */
  | { kind: 'not-there-yet' }

export interface GuardRules {
  /** Claims while the channel is open as soon as more than this is due; undefined for never. */
  claimAbove: NanoTon | undefined
  /** Claims whatever is due, now. */
  claimNow: boolean
}

/** Weighs a voucher whose signature was checked against what the chain says. */
export function nextGuardStep(
  voucher: { openedLt: bigint; cumulative: NanoTon },
  view: ChannelView,
  rules: GuardRules
): GuardStep {
  if (view.state === 'missing' || view.openedLt > voucher.openedLt) {
    return { kind: 'over' }
  }
  if (view.openedLt < voucher.openedLt) {
    return { kind: 'not-there-yet' }
  }
  // Storage fees of years may have left less than is owed.
  const due = minNano(subNanoFloor(voucher.cumulative, view.settled), view.balance)
  if (due === 0n) {
    return { kind: 'paid' }
  }
  if (voucher.cumulative > view.deposit) {
    return { kind: 'over-deposit', deposit: view.deposit }
  }
  const { closeAtMs } = view
  if (view.state === 'closing') {
    return { kind: 'claim', due, reason: 'closing', closeAtMs }
  }
  if (rules.claimNow) {
    return { kind: 'claim', due, reason: 'now', closeAtMs }
  }
  return rules.claimAbove !== undefined && due > rules.claimAbove
    ? { kind: 'claim', due, reason: 'amount', closeAtMs }
    : { kind: 'wait', due }
}
