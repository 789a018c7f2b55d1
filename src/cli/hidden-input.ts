import { CancelledError } from '../core/errors.ts'
import type { CliIo } from './io.ts'

export type PromptIo = Pick<CliIo, 'stdin' | 'stderr' | 'env'>

export interface HiddenInputInit {
  prompt: string
  /** What is thrown where there is no terminal to type in. */
  noTerminal: () => Error
  /**
   * Whether Enter ends what was typed so far; else it is a space.
   * @default always
   */
  isComplete?: (typed: string) => boolean
}

/** Keys as a terminal in raw mode sends them. */
const ENTER = ['\r', '\n']
const ERASE = ['\b', '\u007f']
const ERASE_LINE = '\u0015'
const CANCEL = ['\u0003', '\u0004']

/** Reads from the terminal; nothing of it is shown. @throws {CancelledError} `CANCELLED` */
export async function readHidden({ stdin, stderr }: PromptIo, init: HiddenInputInit): Promise<string> {
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) {
    throw init.noTerminal()
  }
  stderr.write(init.prompt)
  stdin.setRawMode(true)
  try {
    return await readTyped(stdin, init.isComplete ?? (() => true))
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    stderr.write('\n')
  }
}

function readTyped(stdin: PromptIo['stdin'], isComplete: (typed: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const decoder = new TextDecoder()
    const typed: string[] = []
    const finish = (end: () => void): void => {
      stdin.removeListener('data', onData)
      stdin.removeListener('end', onEnd)
      end()
    }
    const onEnd = (): void => finish(() => reject(new CancelledError('Nothing was typed')))
    const onData = (bytes: Buffer): void => {
      for (const character of decoder.decode(bytes, { stream: true })) {
        if (ENTER.includes(character) && isComplete(typed.join(''))) {
          finish(() => resolve(typed.join('')))
          return
        }
        if (CANCEL.includes(character)) {
          onEnd()
          return
        }
        take(typed, ENTER.includes(character) ? ' ' : character)
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
