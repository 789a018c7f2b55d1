import { type ParseArgsConfig, parseArgs } from 'node:util'
import { wholeNumber } from '../src/cli/option-values.ts'
import { errorMessage } from '../src/core/errors.ts'

type Parsed<T extends ParseArgsConfig> = ReturnType<typeof parseArgs<T>>

/** What was typed behind a command of the development, such as `npm run weeks`. */
export type CommandOptions<T extends ParseArgsConfig> = Parsed<T> & {
  /** The number that an option has. Ends the process with 2, as for an unknown option, where it is none in the range. */
  whole: (name: keyof Parsed<T>['values'] & string, min: number, max?: number) => number
  /** Says in one line what is wrong, then the usage, and ends the process with 2. */
  refuse: (reason: string) => never
}

/**
 * The options of this process. One it does not know, or without its value, ends it with one line, the usage and 2.
 *
 * @param usage one line or more: how the command is called
 * @param config as of `parseArgs`; numbers are strings with a default
 */
export function commandOptions<const T extends ParseArgsConfig>(usage: string, config: T): CommandOptions<T> {
  const refuse = (reason: string): never => {
    console.error(`${reason}\n${usage}`)
    process.exit(2)
  }
  const orRefuse = <V>(read: () => V): V => {
    try {
      return read()
    } catch (err) {
      return refuse(errorMessage(err))
    }
  }
  const parsed = orRefuse(() => parseArgs(config))
  return {
    ...parsed,
    whole: (name, min, max = Number.MAX_SAFE_INTEGER) =>
      orRefuse(() => wholeNumber(`--${name}`, min, max)(String(parsed.values[name]))),
    refuse
  }
}
