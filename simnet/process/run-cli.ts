import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AbortOptions, throwIfAborted } from '../../src/core/abort.ts'
import { CocoonError, type ErrorClass, EXIT_CODES } from '../../src/core/errors.ts'
import { type JsonEvent, lastLine, parseEvents } from './event-log.ts'

/** `bin/cocoon-node.js` of this package: what a user runs. */
export function cliPath(): string {
  // Compiled files lie at some depth below the package.
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'bin', 'cocoon-node.js'))) {
    const parent = dirname(folder)
    if (parent === folder) {
      throw new CocoonError(
        'internal',
        'PACKAGE_ROOT_NOT_FOUND',
        'bin/cocoon-node.js is missing: install the package again'
      )
    }
    folder = parent
  }
  return join(folder, 'bin', 'cocoon-node.js')
}

/**
 * Runs `cocoon-node …` to its end, as a user would.
 *
 * @returns every JSON object it printed
 * @throws {CocoonError} `SIMNET_COMMAND_FAILED` of its error class and with its error line if it fails
 * @throws {CancelledError} `CANCELLED`; it has ended then
 */
export async function runCli(args: readonly string[], { signal }: AbortOptions = {}): Promise<JsonEvent[]> {
  throwIfAborted(signal)
  const child = spawn(process.execPath, [cliPath(), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const cancel = (): void => void child.kill('SIGKILL')
  signal?.addEventListener('abort', cancel, { once: true })
  const ended = new Promise<string>((resolve, reject) => {
    child.on('error', reject).on('close', (status, by) => resolve(by ?? String(status)))
  })
  let errors = ''
  let printed = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  try {
    const ending = await ended
    throwIfAborted(signal)
    if (ending !== '0') {
      throw commandFailed(args, ending, errors)
    }
    return parseEvents(printed)
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

function commandFailed(args: readonly string[], ending: string, errors: string): CocoonError {
  const classes = Object.entries(EXIT_CODES) as Array<[ErrorClass, number]>
  const errorClass = classes.find(([, status]) => String(status) === ending)?.[0] ?? 'internal'
  // The verbs alone: what else stands there may be private.
  const command = args
    .slice(0, 2)
    .filter(arg => /^[a-z]+$/.test(arg))
    .join(' ')
  return new CocoonError(
    errorClass,
    'SIMNET_COMMAND_FAILED',
    `"cocoon-node ${command}" failed: ${lastLine(errors) ?? `it ended with ${ending}`}`,
    { details: { command, ending } }
  )
}
