import type { CliIo } from './io.ts'
import type { NodeModule } from './node-port.ts'
import type { Output } from './output.ts'

/** What every command works with. */
export interface CommandContext {
  readonly io: CliIo
  readonly output: Output
  /** Aborted by Ctrl-C, and when nobody reads the output any more. */
  readonly signal: AbortSignal
  /** `--home`, once the arguments are read. */
  homeOption: string | undefined
  /** What the process exits with if nothing is thrown. */
  exitCode: number
  /** Waits, in milliseconds; rejects when the signal aborts. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>
  /** Loads the node, which takes longer than everything else here. */
  readonly loadNode: () => Promise<NodeModule>
  /** Loads the simnet's own command line. */
  readonly loadSimnet: () => Promise<{ main: (args: string[]) => Promise<number> }>
}
