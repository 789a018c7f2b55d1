import { UsageError } from '../core/errors.ts'
import type { CliIo } from './io.ts'

/** Largest question, in bytes of UTF-8. */
export const MAX_QUESTION_BYTES = 1024 * 1024

/**
 * The question: the words given, or stdin for `-` and for a pipe without words.
 *
 * @throws {UsageError} `QUESTION_EMPTY`, `QUESTION_TOO_LARGE`, `QUESTION_NOT_TEXT`
 */
export async function readQuestion(
  words: readonly string[],
  stdin: CliIo['stdin'],
  signal: AbortSignal
): Promise<string> {
  const fromStdin = words.length === 1 && words[0] === '-'
  if (!fromStdin && words.length === 0 && stdin.isTTY === true) {
    throw empty('Nothing was asked')
  }
  const piped = fromStdin || words.length === 0
  const question = piped ? await readText(stdin, signal) : words.join(' ')
  if (Buffer.byteLength(question) > MAX_QUESTION_BYTES) {
    throw tooLarge()
  }
  if (question.trim() === '') {
    throw empty(piped ? 'The question read from stdin is empty' : 'The question is empty')
  }
  return question
}

async function readText(stdin: CliIo['stdin'], signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  // A read that waits for a key or a pipe ends only with its stream.
  const end = (): void => void stdin.destroy(signal.reason as Error)
  signal.addEventListener('abort', end, { once: true })
  try {
    signal.throwIfAborted()
    for await (const chunk of stdin) {
      const bytes = Buffer.from(chunk as Uint8Array)
      sizeBytes += bytes.byteLength
      if (sizeBytes > MAX_QUESTION_BYTES) {
        throw tooLarge()
      }
      chunks.push(bytes)
    }
  } finally {
    signal.removeEventListener('abort', end)
  }
  try {
    // A final line feed belongs to the pipe, not to the question.
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)).replace(/\r?\n$/, '')
  } catch {
    throw new UsageError(
      'QUESTION_NOT_TEXT',
      'What stdin holds is not text in UTF-8: convert it first, e.g. with iconv'
    )
  }
}

function empty(what: string): UsageError {
  return new UsageError(
    'QUESTION_EMPTY',
    `${what}: expected words, or a text on stdin, as in cocoon-node ask "What is Cocoon?"`
  )
}

function tooLarge(): UsageError {
  return new UsageError('QUESTION_TOO_LARGE', `The question has more than ${MAX_QUESTION_BYTES} bytes: shorten it`)
}
