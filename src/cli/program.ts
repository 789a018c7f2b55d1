import type { Command } from 'commander'
import { packageInfo } from '../core/package-info.ts'
import { askCommand } from './commands/ask.ts'
import { attestCommand } from './commands/attest.ts'
import { channelCommand } from './commands/channel.ts'
import { initCommand } from './commands/init.ts'
import { provideCommand } from './commands/provide.ts'
import { providersCommand } from './commands/providers.ts'
import { receiptCommand } from './commands/receipt.ts'
import { simnetCommand } from './commands/simnet.ts'
import { submitCommand } from './commands/submit.ts'
import { walletCommand } from './commands/wallet.ts'
import { watchCommand } from './commands/watch.ts'
import type { CommandContext } from './context.ts'
import { newCommand } from './new-command.ts'

const COMMANDS: Readonly<Record<string, (context: CommandContext) => Command>> = {
  init: initCommand,
  provide: provideCommand,
  ask: askCommand,
  submit: submitCommand,
  providers: providersCommand,
  wallet: walletCommand,
  channel: channelCommand,
  watch: watchCommand,
  attest: attestCommand,
  receipt: receiptCommand,
  simnet: simnetCommand
}

export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS)

/** The whole command line. Nothing runs before `parseAsync`. */
export function buildProgram(context: CommandContext): Command {
  const program = newCommand('cocoon-node', {
    summary: 'A peer-to-peer mesh for confidential AI compute, paid over TON channels',
    examples: [
      ['cocoon-node simnet demo', 'a whole mesh on this machine: one question, answered and paid'],
      ['cocoon-node init --network testnet', 'make a node in ~/.cocoon'],
      ['cocoon-node ask "What is Cocoon?"', 'ask the mesh'],
      ['cocoon-node provide --model model.gguf', 'answer for others and earn']
    ]
  })
    .version(packageInfo().version, '-V, --version', 'show the version')
    .enablePositionalOptions()
  for (const makeCommand of Object.values(COMMANDS)) {
    program.addCommand(makeCommand(context))
  }
  for (const command of allCommands(program)) {
    command.exitOverride().configureOutput({
      writeOut: text => void context.io.stdout.write(text),
      writeErr: text => void context.io.stderr.write(text),
      // Errors are thrown, and printed in one place.
      outputError: () => undefined
    })
  }
  program.hook('preAction', (_program, command) => {
    const { home, json } = command.optsWithGlobals<{ home?: string; json?: boolean }>()
    context.homeOption = home
    context.output.json = json === true
  })
  return program
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)]
}
