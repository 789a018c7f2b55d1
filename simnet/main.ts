import { homedir } from 'node:os'
import { Command, CommanderError } from 'commander'
import { exitCodeOf, renderError, usageErrorOf } from '../src/cli/errors.ts'
import { Interrupt } from '../src/cli/interrupt.ts'
import { wholeNumber } from '../src/cli/option-values.ts'
import { Output } from '../src/cli/output.ts'
import { errorCode } from '../src/core/errors.ts'
import type { SimnetContext } from './context.ts'
import type { UpOptions } from './up.ts'

const MAX_PROVIDERS = 32
const DEFAULT_PROVIDERS = 3
const USAGE_EXIT = 2

/**
 * Runs `cocoon-node simnet <args>`.
 *
 * @returns the exit code: 0, or that of the error's class (`EXIT_CODES`)
 */
export async function main(args: string[]): Promise<number> {
  const output = new Output(process, beforeDoubleDash(args).includes('--json'))
  // The CLI that runs this ends the process at the second signal; here nothing does, so that everything is stopped.
  const interrupt = new Interrupt({ on: on, removeListener: off, exit: () => undefined }, () => undefined)
  const context: SimnetContext = { output, signal: interrupt.signal, env: process.env, userHome: homedir() }
  try {
    await buildProgram(context).parseAsync(args, { from: 'user' })
    return 0
  } catch (err) {
    return report(err, output)
  } finally {
    interrupt.dispose()
  }
}

function on(signal: NodeJS.Signals, listener: () => void): void {
  process.on(signal, listener)
}

function off(signal: NodeJS.Signals, listener: () => void): void {
  process.removeListener(signal, listener)
}

function report(err: unknown, output: Output): number {
  const failure = err instanceof CommanderError ? usageErrorOf(err, 'cocoon-node simnet') : err
  if (failure === undefined) {
    return 0
  }
  if (errorCode(err) === 'commander.help') {
    return USAGE_EXIT
  }
  process.stderr.write(renderError(failure, { json: output.json, debug: (process.env['DEBUG'] ?? '') !== '' }))
  return exitCodeOf(failure)
}

/** The command line of the simnet. Each verb is loaded when it runs, so that help answers at once. */
function buildProgram(context: SimnetContext): Command {
  const program = verb('cocoon-node simnet', 'A whole mesh on this machine, with play money', [
    ['cocoon-node simnet demo', 'one question, answered and paid; nothing stays'],
    ['cocoon-node simnet up -p 3', 'three providers, a funded client and a chain that stay'],
    ['cocoon-node simnet status', 'what runs, free slots, balances'],
    ['cocoon-node simnet down', 'stop and remove it']
  ])
  program
    .addCommand(upCommand(context))
    .addCommand(statusCommand(context))
    .addCommand(demoCommand(context))
    .addCommand(downCommand(context))
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ outputError: () => undefined })
  }
  program.hook('preAction', (_program, command) => {
    context.output.json = command.optsWithGlobals<{ json?: boolean }>().json === true
  })
  return program
}

function upCommand(context: SimnetContext): Command {
  const command = verb('up', 'Start a simulated network that stays until "simnet down"', [
    ['cocoon-node simnet up', 'three providers with the pocket model'],
    ['cocoon-node simnet up -p 1 --model m.gguf', 'one provider with a model of yours'],
    ['cocoon-node ask "What is Cocoon?"', 'then ask it, if there is no node of yours in ~/.cocoon']
  ])
  return shared(command)
    .option('--dir <folder>', 'where to keep it (default: $COCOON_SIMNET, or ~/.cocoon/simnet)')
    .action(async (options: UpOptions) => (await import('./up.ts')).up(options, context))
}

function statusCommand(context: SimnetContext): Command {
  return verb('status', 'What of the simulated network runs, its free slots and balances', [
    ['cocoon-node simnet status', ''],
    ['cocoon-node simnet status --json', 'the same for programs']
  ])
    .option('--dir <folder>', 'where it is kept (default: $COCOON_SIMNET, or ~/.cocoon/simnet)')
    .action(async (options: { dir?: string }) => (await import('./status.ts')).status(options, context))
}

function demoCommand(context: SimnetContext): Command {
  const command = verb('demo', 'Bring a network up, ask one question, pay for it, show the money, remove everything', [
    ['cocoon-node simnet demo', 'the built-in chat'],
    ['cocoon-node simnet demo "What is Cocoon?"', 'your question'],
    ['cocoon-node simnet demo -- "$(cat chat.txt)"', 'a chat: it is summarised']
  ])
  return shared(command)
    .argument(
      '[question...]',
      'what to ask (default: a built-in chat); lines "Name: text" get "Summarize this chat:" in front'
    )
    .action(async (words: string[], options: UpOptions) => (await import('./demo.ts')).demo(words, options, context))
}

function downCommand(context: SimnetContext): Command {
  return verb('down', 'Stop the simulated network and remove it', [
    ['cocoon-node simnet down', ''],
    ['cocoon-node simnet down --keep', "leave homes, logs and the chain's state on disk"]
  ])
    .option('--dir <folder>', 'where it is kept (default: $COCOON_SIMNET, or ~/.cocoon/simnet)')
    .option('--keep', 'do not delete its files')
    .action(async (options: { dir?: string; keep?: boolean }) => (await import('./down.ts')).down(options, context))
}

function shared(command: Command): Command {
  return command
    .option(
      '-p, --providers <n>',
      `how many providers, 1 to ${MAX_PROVIDERS}`,
      wholeNumber('--providers', 1, MAX_PROVIDERS),
      DEFAULT_PROVIDERS
    )
    .option('--model <file>', 'GGUF file that the providers serve (default: the pocket model)')
}

function verb(name: string, summary: string, examples: ReadonlyArray<readonly [string, string]>): Command {
  const width = Math.max(...examples.map(([example]) => example.length))
  const lines = examples.map(([example, what]) =>
    `  ${example.padEnd(width)}${what === '' ? '' : `  # ${what}`}`.trimEnd()
  )
  return new Command(name)
    .summary(summary)
    .description(`${summary}.`)
    .option('--json', 'results as JSON, one object a line; amounts in nanotons')
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
    .allowExcessArguments(false)
}

function beforeDoubleDash(args: readonly string[]): readonly string[] {
  const at = args.indexOf('--')
  return at < 0 ? args : args.slice(0, at)
}
