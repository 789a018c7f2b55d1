import { CommanderError } from 'commander'
import { CocoonError, type ErrorClass, EXIT_CODES, errorMessage, UsageError } from '../core/errors.ts'
import { type JsonObject, jsonLine } from './output.ts'
import { safeLine } from './terminal-text.ts'

/** What a user sees of an error. */
export interface ShownError {
  code: string
  class: ErrorClass
  /** One line. */
  message: string
  details: JsonObject
}

/** Our codes of what commander refuses. */
const COMMANDER_CODES: Readonly<Record<string, string>> = {
  'commander.unknownOption': 'OPTION_UNKNOWN',
  'commander.unknownCommand': 'COMMAND_UNKNOWN',
  'commander.optionMissingArgument': 'OPTION_VALUE_MISSING',
  'commander.missingMandatoryOptionValue': 'OPTION_MISSING',
  'commander.conflictingOption': 'OPTION_CONFLICT',
  'commander.missingArgument': 'ARGUMENT_MISSING',
  'commander.excessArguments': 'ARGUMENT_UNEXPECTED'
}

/** Any thrown value as its user sees it; what is not ours is our bug. */
export function showError(err: unknown): ShownError {
  if (err instanceof CocoonError) {
    return { code: err.code, class: err.errorClass, message: safeLine(err.message), details: err.details }
  }
  return {
    code: 'INTERNAL',
    class: 'internal',
    message: `${safeLine(errorMessage(err))} (a bug of cocoon-node: run it again with DEBUG=1 and report what it prints)`,
    details: {}
  }
}

/** `error CODE: message`, or one object with `--json`; the stack and its causes only if `debug`. */
export function renderError(err: unknown, options: { json: boolean; debug: boolean }): string {
  const shown = showError(err)
  const line = options.json ? jsonLine({ error: { ...shown } }) : `error ${shown.code}: ${shown.message}\n`
  return options.debug ? `${line}${stackOf(err)}\n` : line
}

export function exitCodeOf(err: unknown): number {
  return EXIT_CODES[showError(err).class]
}

/** What commander threw as an error of ours; undefined if it only printed help or the version. */
export function usageErrorOf(err: CommanderError, command: string): UsageError | undefined {
  if (err.exitCode === 0) {
    return undefined
  }
  const what = safeLine(err.message).replace(/^error: /, '')
  return new UsageError(COMMANDER_CODES[err.code] ?? 'USAGE', `${what}: see "${command} --help"`)
}

function stackOf(err: unknown): string {
  const stack = err instanceof Error ? (err.stack ?? String(err)) : String(err)
  const cause = err instanceof Error && err.cause !== undefined ? `\ncaused by ${stackOf(err.cause)}` : ''
  return `${stack}${cause}`
}
