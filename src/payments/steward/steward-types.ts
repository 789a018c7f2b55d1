import type { AbortOptions } from '../../core/abort.ts'
import type { NanoTon } from '../../core/nano-ton.ts'
import type { ChainFees } from '../chain.ts'
import type { JobRole } from '../ledger/job-line.ts'
import type { NextStep, StepAction, StepReason } from '../lifecycle/next-step.ts'
import type { ChannelPolicy } from '../lifecycle/policy.ts'
import type { StepTries } from '../lifecycle/tries.ts'

/** What a decision about any channel depends on besides the channel. */
export interface StewardFacts {
  policy: ChannelPolicy
  fees: ChainFees
  /** Whether our wallet can send a message and pay its fee. */
  walletPays: boolean
  nowMs: number
}

/** A channel that is not over, as it is known now. */
export interface KeptChannel {
  channel: string
  openedLt: bigint
  /** libp2p peer id of the other side. */
  peerId: string
}

/** With the decision about it. */
export interface KeptStanding extends KeptChannel {
  /** The part of what a step would bring that is guessed: the next look at the chain tells. */
  guessed: NanoTon
  /** The next step; earlier failures are not considered but for since when the other side did not answer. */
  next(tries: StepTries, facts: StewardFacts): NextStep
}

/** One role's channels as the steward manages them. */
export interface Keeper {
  readonly role: JobRole
  list(): KeptStanding[]
  /** Reads a channel from the chain. Returns undefined if it is over. */
  refresh(channel: string, options?: AbortOptions): Promise<KeptStanding | undefined>
  /** Whether the step can be taken from here: some need the mesh. */
  can(channel: string, action: StepAction): boolean
  /** Takes a step. Its signal ends only the wait. */
  run(channel: string, action: StepAction, options?: AbortOptions): Promise<StepOutcome>
}

export interface StepOutcome {
  /** What was done in the end: a provider that answers after all makes a close alone one together. */
  action: StepAction
  /** Hash, hex; empty if nothing had to be sent. */
  transaction: string
}

/** A channel with its next step. */
export interface PlannedStep extends KeptChannel {
  role: JobRole
  step: NextStep
}

/** What a step came to. */
export interface StepReport extends KeptChannel {
  role: JobRole
  action: StepAction
  reason: StepReason
  fee: NanoTon
  gain: NanoTon
  /** Hash, hex; empty if it failed or nothing had to be sent. */
  transaction: string
  /** Why it failed: a stable code and one line. */
  failure?: { code: string; message: string }
}
