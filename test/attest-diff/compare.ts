import { knownReason } from './known-disagreements.ts'
import type { Question } from './mutated-case.ts'
import { isRefusal, ourVerdict } from './our-verdict.ts'
import { type PhalaVerdict, phalaVerdict } from './phala-verdict.ts'

/** One case put to both. */
export interface Comparison {
  readonly name: string
  readonly ours: string
  readonly theirs: PhalaVerdict
  readonly agree: boolean
  /** Why they disagree; undefined where nobody knows, which is a finding. */
  readonly reason: string | undefined
}

/** Puts a case to both verifiers. They agree if both refuse, or both accept with the same TCB status. */
export function compare({ name, piece, given }: Question): Comparison {
  const ours = ourVerdict(given)
  const theirs = phalaVerdict(given)
  const agree = isRefusal(ours) ? !theirs.accepted : theirs.accepted && theirs.text === ours
  const reason = isRefusal(ours) && theirs.accepted ? knownReason(ours, piece) : undefined
  return { name, ours, theirs, agree, reason }
}
