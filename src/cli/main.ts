import { homedir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { CommanderError } from 'commander'
import { CancelledError, CocoonError } from '../core/errors.ts'
import type { CommandContext } from './context.ts'
import { exitCodeOf, renderError, usageErrorOf } from './errors.ts'
import { Interrupt, type SignalSource } from './interrupt.ts'
import type { CliIo } from './io.ts'
import { Output } from './output.ts'
import { buildProgram, COMMAND_NAMES } from './program.ts'
import { watchReader } from './reader.ts'

const USAGE_EXIT = 2

/** What `main` takes from the process unless a test brings its own. */
export interface MainInit extends Pick<CommandContext, 'pause' | 'loadNode' | 'loadSimnet'> {
  io: CliIo
  signals: SignalSource
}

/**
 * Runs `cocoon-node <argv>`.
 *
 * @param argv without the names of Node.js and of the script
 * @returns the exit code: 0, or that of the error's class (`EXIT_CODES`)
 */
export async function main(argv: string[], init: MainInit = processInit()): Promise<number> {
  const { io } = init
  const output = new Output(io, beforeDoubleDash(argv).includes('--json'))
  const interrupt = new Interrupt(init.signals, () => output.note('Ending… (Ctrl-C again ends at once)'))
  const reader = watchReader(io, reason => interrupt.abort(reason))
  const context: CommandContext = {
    io,
    output,
    signal: interrupt.signal,
    homeOption: undefined,
    exitCode: 0,
    pause: init.pause,
    loadNode: init.loadNode,
    loadSimnet: init.loadSimnet
  }
  try {
    await buildProgram(context).parseAsync(argv, { from: 'user' })
    await reader.flush()
    return context.exitCode
  } catch (err) {
    // `cocoon-node … | head`: the reader has what it wanted.
    return reader.isGone ? 0 : report(reader.failure ?? orInterrupted(err, interrupt.signal), context, argv)
  } finally {
    interrupt.dispose()
  }
}

/** After Ctrl-C, whatever broke on the way out was broken by it. */
function orInterrupted(err: unknown, { aborted, reason }: AbortSignal): unknown {
  if (!aborted || (err instanceof CocoonError && err.errorClass === 'cancelled')) {
    return err
  }
  return reason instanceof CancelledError && err instanceof CocoonError
    ? new CancelledError(`${reason.message}: ${err.message}`, { cause: err, details: err.details })
    : reason
}

function report(err: unknown, { io, output }: CommandContext, argv: string[]): number {
  if (err instanceof CommanderError && err.code === 'commander.help') {
    // A command that needs another word has shown its help.
    return USAGE_EXIT
  }
  const failure = err instanceof CommanderError ? usageErrorOf(err, commandName(argv)) : err
  if (failure === undefined) {
    return 0
  }
  io.stderr.write(renderError(failure, { json: output.json, debug: (io.env['DEBUG'] ?? '') !== '' }))
  return exitCodeOf(failure)
}

/** `cocoon-node ask`: whose help to point at. */
function commandName(argv: readonly string[]): string {
  const word = argv.find(arg => COMMAND_NAMES.includes(arg))
  return word === undefined ? 'cocoon-node' : `cocoon-node ${word}`
}

function beforeDoubleDash(argv: readonly string[]): readonly string[] {
  const at = argv.indexOf('--')
  return at < 0 ? argv : argv.slice(0, at)
}

function processInit(): MainInit {
  return {
    io: { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: process.env, userHome: homedir() },
    signals: process,
    pause: (ms, signal) => delay(ms, undefined, { signal }),
    loadNode: async () => import('../node/index.ts'),
    loadSimnet: async () => import('../../simnet/main.ts')
  }
}
