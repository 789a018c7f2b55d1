import { UsageError } from '../core/errors.ts'
import { type PromptIo, readHidden } from './hidden-input.ts'

/** Far more than 24 words take. */
const MAX_BYTES = 4096
const WORDS = 24

/**
 * The words of a wallet, typed without being shown, or from a pipe. Never from an argument: those are seen by every
 * process of the machine and kept by the shell. Whether they are right is left to whoever takes them.
 *
 * @throws {UsageError} `MNEMONIC_INVALID` if there is nothing, or far too much
 * @throws {CancelledError} `CANCELLED`
 */
export async function readWords(io: PromptIo, signal: AbortSignal): Promise<string> {
  if (io.stdin.isTTY !== true) {
    return readPiped(io.stdin, signal)
  }
  return readHidden(io, {
    prompt: `The wallet's ${WORDS} words, with spaces or Enter between them (not shown): `,
    // Pasted lines are read to the last word, or the shell would get the others.
    isComplete: typed => countWords(typed) >= WORDS || typed.endsWith('  '),
    noTerminal: nothingToRead
  })
}

function countWords(typed: string): number {
  return typed.split(/\s+/).filter(part => /[a-z]/i.test(part)).length
}

async function readPiped(stdin: PromptIo['stdin'], signal: AbortSignal): Promise<string> {
  const end = (): void => void stdin.destroy(signal.reason as Error)
  signal.addEventListener('abort', end, { once: true })
  try {
    signal.throwIfAborted()
    const parts: Buffer[] = []
    let size = 0
    for await (const part of stdin) {
      const bytes = Buffer.from(part as Uint8Array)
      size += bytes.byteLength
      if (size > MAX_BYTES) {
        throw new UsageError('MNEMONIC_INVALID', `More than ${MAX_BYTES} bytes came: expected ${WORDS} words`)
      }
      parts.push(bytes)
    }
    if (size === 0) {
      throw nothingToRead()
    }
    return Buffer.concat(parts).toString('utf8')
  } finally {
    signal.removeEventListener('abort', end)
  }
}

function nothingToRead(): UsageError {
  return new UsageError(
    'MNEMONIC_INVALID',
    `No words came: type them at a terminal, or pipe them in, as in "cocoon-node wallet import < words.txt"`
  )
}
