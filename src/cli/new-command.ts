import { Command } from 'commander'

/** What every command's help ends with. */
export interface CommandHelp {
  summary: string
  /** Lines after the usage, wrapped by hand. */
  description?: string
  /** Command lines with what each does, e.g. `['cocoon-node wallet', 'address and balance']`. */
  examples: ReadonlyArray<readonly [command: string, what: string]>
}

/** A command with the options that all of them have. */
export function newCommand(name: string, help: CommandHelp): Command {
  const width = Math.max(...help.examples.map(([command]) => command.length))
  const examples = help.examples.map(([command, what]) => `  ${command.padEnd(width)}  # ${what}`.trimEnd())
  return new Command(name)
    .summary(help.summary)
    .description(help.description ?? `${help.summary}.`)
    .option('--home <folder>', 'home folder of the node (default: $COCOON_HOME, or ~/.cocoon)')
    .option('--json', 'results as JSON, one object a line; amounts in nanotons')
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', `\nExamples:\n${examples.join('\n')}`)
    .allowExcessArguments(false)
}
