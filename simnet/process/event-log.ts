import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { type AbortOptions, throwIfAborted } from '../../src/core/abort.ts'
import { EnvironmentError } from '../../src/core/errors.ts'
import type { Launched } from './launch.ts'

/** One line a process printed with `--json`. */
export type JsonEvent = Readonly<Record<string, unknown>>

export interface WaitOptions extends AbortOptions {
  /** How long to wait, in milliseconds. */
  timeoutMs: number
}

const POLL_MS = 20

/**
 * Waits until a process has printed an event for which `choose` gives something.
 *
 * @throws {EnvironmentError} `SIMNET_PROCESS_FAILED` with its last error line if it ends first,
 * `SIMNET_PROCESS_SLOW` if the time is over
 * @throws {CancelledError} `CANCELLED`
 */
export async function waitForEvent<T>(
  launched: Launched,
  choose: (event: JsonEvent) => T | undefined,
  { timeoutMs, signal }: WaitOptions
): Promise<T> {
  const limit = performance.now() + timeoutMs
  for (;;) {
    throwIfAborted(signal)
    // Asked first: whatever it printed before it ended is in the file then.
    const ending = launched.ending()
    for (const event of await readEvents(launched.eventFile)) {
      const chosen = choose(event)
      if (chosen !== undefined) {
        return chosen
      }
    }
    if (ending !== undefined) {
      throw await processFailed(launched, ending)
    }
    if (performance.now() > limit) {
      throw new EnvironmentError(
        'SIMNET_PROCESS_SLOW',
        `${launched.name} was not ready within ${timeoutMs / 1000} s${await lastWords(launched)}: try again when the machine is less busy`,
        { details: { name: launched.name, timeoutMs } }
      )
    }
    await delay(POLL_MS)
  }
}

async function processFailed(launched: Launched, ending: string): Promise<EnvironmentError> {
  const { name } = launched
  return new EnvironmentError(
    'SIMNET_PROCESS_FAILED',
    `${name} ended by itself (${ending})${await lastWords(launched)}`,
    {
      details: { name, ending }
    }
  )
}

async function lastWords({ errorFile }: Launched): Promise<string> {
  const line = lastLine(await readFile(errorFile, 'utf8'))
  return line === undefined ? '' : `: ${line}`
}

/** The last line that says something: a process's error is one line. */
export function lastLine(text: string): string | undefined {
  const line = text.trimEnd().split('\n').at(-1)?.trim() ?? ''
  return line === '' ? undefined : errorText(line)
}

/** With `--json`, an error is an object with its message. */
function errorText(line: string): string {
  const event = parseEvent(line)
  const error = event?.['error']
  const holder = typeof error === 'object' && error !== null ? (error as JsonEvent) : event
  return typeof holder?.['message'] === 'string' ? holder['message'] : line
}

async function readEvents(file: string): Promise<JsonEvent[]> {
  const text = await readFile(file, 'utf8')
  // What follows the last line break is still being written.
  return parseEvents(text.slice(0, text.lastIndexOf('\n') + 1))
}

/** The JSON objects among the lines of `text`. */
export function parseEvents(text: string): JsonEvent[] {
  return text
    .split('\n')
    .map(parseEvent)
    .filter(event => event !== undefined)
}

function parseEvent(line: string): JsonEvent | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as JsonEvent) : undefined
  } catch {
    return undefined
  }
}
