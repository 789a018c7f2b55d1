import { Command } from 'commander'
import type { CommandContext } from '../context.ts'

/** `cocoon-node simnet …`: the simnet reads its own arguments, `--help` included. */
export function simnetCommand(context: CommandContext): Command {
  return new Command('simnet')
    .summary('A whole mesh on this machine, with play money: up, status, demo, down')
    .helpOption(false)
    .argument('[words...]')
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (words: string[]) => {
      const { main } = await context.loadSimnet()
      // `cocoon-node --json simnet …` says the same as `cocoon-node simnet … --json`.
      context.exitCode = await main(context.output.json && !words.includes('--json') ? ['--json', ...words] : words)
    })
}
