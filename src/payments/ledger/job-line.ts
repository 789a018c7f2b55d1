import type { NanoTon } from '../../core/nano-ton.ts'

export type JobRole = 'payer' | 'payee'

/** `interrupted`: the process ended before the job did. */
export type JobOutcome = 'running' | 'ended' | 'interrupted'

/** One job in the books: who, over which channel, how much. Never what was asked or answered. */
export interface JobLine {
  role: JobRole
  /** Hex. */
  jobId: string
  channel: string
  /** libp2p peer id of the other side. */
  peerId: string
  startedAtMs: number
  outcome: JobOutcome
  promptTokens: number
  cachedPromptTokens: number
  completionTokens: number
  /** What the tokens cost. */
  cost: NanoTon
  /** What the payer promised for this job; on the payee's side, what was charged. */
  paid: NanoTon
}

/** Ledger key of a job's line: sorts by role, then by start. */
export function jobKey(line: Pick<JobLine, 'role' | 'jobId' | 'startedAtMs'>): string {
  return `job/${line.role}/${String(line.startedAtMs).padStart(15, '0')}/${line.jobId}`
}
