import { errorCode, UsageError } from '../core/errors.ts'
import { type PromptIo, readHidden } from './hidden-input.ts'
import type { CliIo } from './io.ts'

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

async function promptHidden(io: PromptIo, prompt: string): Promise<string> {
  const noTerminal = (): UsageError =>
    new UsageError(
      'KEY_NEEDS_PASSPHRASE',
      'The passphrase of the keys is needed and there is no terminal to type it in: set $COCOON_PASSPHRASE'
    )
  return readHidden(io, { prompt, noTerminal })
}
