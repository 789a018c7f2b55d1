import type { Output } from '../src/cli/output.ts'

/** What every verb of the simnet works with. */
export interface SimnetContext {
  readonly output: Output
  /** Aborted by Ctrl-C and by SIGTERM. */
  readonly signal: AbortSignal
  readonly env: Readonly<Record<string, string | undefined>>
  readonly userHome: string
}
