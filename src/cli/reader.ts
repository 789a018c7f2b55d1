import { EnvironmentError, errorCode, errorMessage } from '../core/errors.ts'
import type { CliIo } from './io.ts'

/** Whoever reads stdout: a terminal, a file, another program. */
export interface OutputReader {
  /** It has closed its end, as `head` does when it has seen enough. */
  readonly isGone: boolean
  /** What else went wrong with stdout. */
  readonly failure: EnvironmentError | undefined
  /** Waits until everything is written. @throws {EnvironmentError} `OUTPUT_NOT_WRITABLE` */
  flush(): Promise<void>
}

/**
 * Watches the output for errors, which would otherwise end the process with a stack. The listeners stay for good:
 * an error can come after the command's end.
 *
 * @param abort called once when nothing more can be written
 */
export function watchReader(
  { stdout, stderr }: Pick<CliIo, 'stdout' | 'stderr'>,
  abort: (reason: Error) => void
): OutputReader {
  let isGone = false
  let failure: EnvironmentError | undefined
  const fail = (err: Error): void => {
    if (isGone || failure !== undefined) {
      return
    }
    if (errorCode(err) === 'EPIPE') {
      isGone = true
      abort(err)
      return
    }
    failure = new EnvironmentError(
      'OUTPUT_NOT_WRITABLE',
      `The output cannot be written (${errorCode(err) ?? errorMessage(err)}): free some space, or write it elsewhere`,
      { cause: err }
    )
    abort(failure)
  }
  stdout.on('error', fail)
  // Nobody is left to tell.
  stderr.on('error', () => undefined)
  return {
    get isGone() {
      return isGone
    },
    get failure() {
      return failure
    },
    async flush() {
      await new Promise<void>(resolve => {
        stdout.write('', err => {
          if (err !== null && err !== undefined) {
            fail(err)
          }
          resolve()
        })
      })
      if (failure !== undefined) {
        throw failure
      }
    }
  }
}
