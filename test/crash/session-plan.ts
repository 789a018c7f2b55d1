import type { KillPlan } from './kill-points.ts'
import type { Role } from './side.ts'

/** A death while one operation of the script is under way. */
export interface PlannedKill {
  operation: string
  role: Role
  /** `*` with the phase `sent` and so on is any step; `anywhere` kills from outside, `afterMs` after the operation began. */
  at: KillPlan | { anywhere: true; afterMs: number }
  /** The other side dies with it. */
  both?: boolean
  /** A side that dies on its way back. */
  again?: KillPlan
  againRole?: Role
}

/** One session: which deaths happen in it. */
export interface SessionPlan {
  seed: string
  kills: readonly PlannedKill[]
}

/** A death that happened. */
export interface KillRecord {
  operation: string
  role: Role
  step: string
  phase: string
  /** Whether the session went on afterwards and everything held. */
  recovered: boolean
  /** What was prepaid and not delivered when it happened, in windows per job. */
  exposure: number
}

/** Steps that one role took in a row, and what had happened before. */
export interface TakenSteps {
  operation: string
  role: Role
  /** How often each `<step>|<phase>` was reached. */
  taken: Map<string, number>
  /** The death after which the operation was done once more. */
  after: PlannedKill | undefined
  /** Whether the role took them on its way back. */
  recovering: boolean
}

export interface SessionResult {
  plan: SessionPlan
  kills: KillRecord[]
  violations: string[]
  steps: TakenSteps[]
  /** The most that either side ever had at stake, in parts of one window for each job that ran at once. */
  worst: { payer: number; payee: number }
}
