import type { NanoTon } from '../../core/nano-ton.ts'

/** What a node does with a channel by itself. `claim-externally` takes its gas from the payout. */
export type StepAction = 'claim' | 'claim-externally' | 'top-up' | 'close-together' | 'start-close' | 'finish'

/** Why a step is due, or why there is none. */
export type StepReason =
  /** The amount that waits is past `claimAbove`. */
  | 'amount'
  /** What waits has waited for `claimAfterMs`. */
  | 'age'
  /** The payer is closing alone: a claim counts until it finishes. */
  | 'closing'
  /** We agreed to close and the payer has not done it. */
  | 'close-agreed'
  /** Nobody has used the channel for long. */
  | 'idle'
  /** A close was begun here and not ended. */
  | 'close-begun'
  /** The provider did not agree to close for long. */
  | 'provider-gone'
  /** The challenge period is over. */
  | 'challenge-over'
  /** A channel in use has little left. */
  | 'running-low'
  /** A step failed and is tried again. */
  | 'retry'
  | 'closed'
  | 'nothing-owed'
  /** What there is to collect is worth too little beside the fee, now. */
  | 'dust'
  /** What would come back is not worth the fees of closing. */
  | 'not-worth-closing'
  | 'in-use'
  /** A deposit is on its way, or never came. */
  | 'not-funded'
  /** It failed too often, or cost too much already. */
  | 'gave-up'

/** The next step of a channel by itself, or why there is none. */
export interface NextStep {
  action: StepAction | 'none'
  reason: StepReason
  /** When it is due, Unix milliseconds, not before now; undefined if there is none. */
  atMs?: number
  /** After this it may be too late, Unix milliseconds. */
  deadlineMs?: number
  /** When the channel is closed alone if the other side goes on not to answer, Unix milliseconds. */
  aloneAtMs?: number
  /** What it costs us, fees of steps that have to follow included. */
  fee: NanoTon
  /** What it brings us at least. */
  gain: NanoTon
  /** The last chance to get `gain`: worth it as soon as it is more than the fee. */
  final: boolean
}
