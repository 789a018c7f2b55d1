import { CancelledError, errorCode, UsageError } from '../core/errors.ts'
import type { CliIo } from './io.ts'

type PromptIo = Pick<CliIo, 'stdin' | 'stderr' | 'env'>

/** Keys as a terminal in raw mode sends them. */
const ENTER = ['\r', '\n']
const ERASE = ['\b', '\u007f']
const ERASE_LINE = '\u0015'
const CANCEL = ['\u0003', '\u0004']

/** `$COCOON_PASSPHRASE`; an empty one counts as none. */
export function passphraseFromEnvironment(io: Pick<CliIo, 'env'>): string | undefined {
  const value = io.env['COCOON_PASSPHRASE']
  return value === '' ? undefined : value
}

/**
 * Opens something that may be locked with a passphrase: first with `$COCOON_PASSPHRASE` or none, then, if it turns out
 * to need one, with what the user types.
 *
 * @throws {UsageError} `KEY_NEEDS_PASSPHRASE` if it needs one and nobody can be asked
 */
export async function withPassphrase<T>(
  io: PromptIo,
  open: (passphrase: string | undefined) => Promise<T>
): Promise<T> {
  try {
    return await open(passphraseFromEnvironment(io))
  } catch (err) {
    if (errorCode(err) !== 'KEY_NEEDS_PASSPHRASE') {
      throw err
    }
    return open(await promptHidden(io, 'Passphrase: '))
  }
}

/**
 * A new passphrase, typed twice or from `$COCOON_PASSPHRASE`.
 *
 * @throws {UsageError} `PASSPHRASE_MISMATCH`, `KEY_PASSPHRASE_EMPTY`, `KEY_NEEDS_PASSPHRASE` without a terminal
 */
export async function newPassphrase(io: PromptIo): Promise<string> {
  const given = passphraseFromEnvironment(io)
  if (given !== undefined) {
    return given
  }
  const first = await promptHidden(io, 'New passphrase: ')
  if (first === '') {
    throw new UsageError(
      'KEY_PASSPHRASE_EMPTY',
      'The passphrase is empty: type at least one character, or leave --passphrase out'
    )
  }
  if ((await promptHidden(io, 'The same again: ')) !== first) {
    throw new UsageError('PASSPHRASE_MISMATCH', 'The two passphrases differ: run the command again')
  }
  return first
}

/** Reads a line from the terminal; nothing of it is shown. */
async function promptHidden(io: PromptIo, prompt: string): Promise<string> {
  const { stdin, stderr } = io
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) {
    throw new UsageError(
      'KEY_NEEDS_PASSPHRASE',
      'The passphrase of the keys is needed and there is no terminal to type it in: set $COCOON_PASSPHRASE'
    )
  }
  stderr.write(prompt)
  stdin.setRawMode(true)
  try {
    return await readTyped(stdin)
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    stderr.write('\n')
  }
}

function readTyped(stdin: PromptIo['stdin']): Promise<string> {
  return new Promise((resolve, reject) => {
    const decoder = new TextDecoder()
    const typed: string[] = []
    const finish = (end: () => void): void => {
      stdin.removeListener('data', onData)
      stdin.removeListener('end', onEnd)
      end()
    }
    const onEnd = (): void => finish(() => reject(new CancelledError('No passphrase was given')))
    const onData = (bytes: Buffer): void => {
      for (const character of decoder.decode(bytes, { stream: true })) {
        if (ENTER.includes(character)) {
          finish(() => resolve(typed.join('')))
          return
        }
        if (CANCEL.includes(character)) {
          onEnd()
          return
        }
        take(typed, character)
      }
    }
    stdin.on('data', onData)
    stdin.once('end', onEnd)
    // An earlier prompt left it paused.
    stdin.resume()
  })
}

function take(typed: string[], character: string): void {
  if (ERASE.includes(character)) {
    typed.pop()
  } else if (character === ERASE_LINE) {
    typed.length = 0
  } else {
    typed.push(character)
  }
}
