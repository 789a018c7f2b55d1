import { addNano, type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { NextStep } from './next-step.ts'
import { type ChannelPolicy, fitsShare } from './policy.ts'

/**
 * What a channel's steps have cost without success: on disk before each try, so that neither a failing step nor a
 * process that dies again and again burns more than its budget.
 */
export interface StepTries {
  /** Which step the counts are of: see {@link stepKey}. */
  key: string
  /** Tries that may have cost a fee. */
  tries: number
  /** Tries in a row that surely cost nothing: the chain or the peer did not answer. */
  misses: number
  /** Fees of all tries of any step since one last succeeded, at the prices of their time. */
  spent: NanoTon
  lastAtMs: number
  /** Since when the other side did not agree to close; 0 if it was not asked, or agreed. */
  outOfReachSinceMs: number
}

export const NO_TRIES: StepTries = {
  key: '',
  tries: 0,
  misses: 0,
  spent: ZERO_NANO_TON,
  lastAtMs: 0,
  outOfReachSinceMs: 0
}

const FIRST_PAUSE_MS = 30_000
const LONGEST_PAUSE_MS = 3_600_000
const SHORTEST_PAUSE_MS = 2_000
/** With a deadline: never more than this part of the time left. */
const DEADLINE_PARTS = 8

/** Names a step for its counts: the two ways to claim are one, an ordinary step and the last chance are two. */
export function stepKey({ action, final }: NextStep, openedLt: bigint): string {
  const kind = action === 'claim-externally' ? 'claim' : action
  return `${kind}${final ? '!' : ''}@${openedLt}`
}

/**
 * The step as earlier failures allow it: later, or not at all once it failed too often or the fees it has burnt, with
 * the next one, would no longer be in proportion to what it brings.
 */
export function heldBack(
  step: NextStep,
  openedLt: bigint,
  before: StepTries,
  policy: Pick<ChannelPolicy, 'maxTries' | 'maxFeePercent'>,
  nowMs: number
): NextStep {
  if (step.action === 'none' || step.atMs === undefined) {
    return step
  }
  const { tries, misses, spent, lastAtMs } = sameStep(step, openedLt, before)
  const costs = addNano(spent, step.fee)
  // A top-up brings nothing in; its number of tries is what bounds it.
  const affordable =
    before.spent === 0n ||
    step.action === 'top-up' ||
    (step.final ? costs < step.gain : fitsShare(costs, step.gain, policy))
  if (tries >= policy.maxTries || !affordable) {
    return { action: 'none', reason: 'gave-up', fee: step.fee, gain: step.gain, final: step.final }
  }
  if (tries + misses === 0) {
    return step
  }
  // A clock that was set back must not hold a step for ever.
  const againMs = Math.min(lastAtMs, nowMs) + pauseMs(tries + misses, step.deadlineMs, nowMs)
  return againMs <= step.atMs ? step : { ...step, atMs: againMs, reason: step.atMs <= nowMs ? 'retry' : step.reason }
}

/** The counts to be stored before a step is tried: as if it cost its fee and failed. */
export function beginTry(step: NextStep, openedLt: bigint, before: StepTries, nowMs: number): StepTries {
  const same = sameStep(step, openedLt, before)
  return { ...same, tries: same.tries + 1, spent: addNano(same.spent, step.fee), lastAtMs: nowMs }
}

/** A try surely cost nothing: it is not counted, and only waited for. */
export function afterMiss(begun: StepTries, fee: NanoTon, nowMs: number): StepTries {
  return {
    ...begun,
    tries: Math.max(0, begun.tries - 1),
    misses: begun.misses + 1,
    spent: subNanoFloor(begun.spent, fee),
    lastAtMs: nowMs
  }
}

/** The other side was asked to close and did not agree. */
export function afterNoAnswer(missed: StepTries, nowMs: number): StepTries {
  return { ...missed, outOfReachSinceMs: missed.outOfReachSinceMs === 0 ? nowMs : missed.outOfReachSinceMs }
}

function sameStep(step: NextStep, openedLt: bigint, before: StepTries): StepTries {
  const key = stepKey(step, openedLt)
  if (before.key === key) {
    return before
  }
  // That a close can be finished proves that its start succeeded, even if nobody told us.
  const spent = step.action === 'finish' ? ZERO_NANO_TON : before.spent
  return { ...before, key, tries: 0, misses: 0, spent, lastAtMs: 0 }
}

function pauseMs(failures: number, deadlineMs: number | undefined, nowMs: number): number {
  const grown = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 20))
  if (deadlineMs === undefined) {
    return grown
  }
  return Math.max(SHORTEST_PAUSE_MS, Math.min(grown, (deadlineMs - nowMs) / DEADLINE_PARTS))
}
