import type { FileHandle } from 'node:fs/promises'
import { EnvironmentError, errorCode } from '../../core/errors.ts'
import { Turns } from '../../core/turns.ts'

/** The part of an open file that is needed. */
export type ResultFile = Pick<FileHandle, 'appendFile' | 'datasync' | 'truncate' | 'close'>

/** Adds results to a file so that each is on the disk, as a whole, before the next. */
export class ResultWriter {
  readonly #file: ResultFile
  readonly #path: string
  readonly #turns = new Turns()
  #sizeBytes: number

  /** @param sizeBytes of the file as it is */
  constructor(file: ResultFile, path: string, sizeBytes: number) {
    this.#file = file
    this.#path = path
    this.#sizeBytes = sizeBytes
  }

  /**
   * Adds a line that ends in a line feed. After a failure the file is as it was before.
   *
   * @throws {EnvironmentError} `DISK_FULL`, `BATCH_OUTPUT_NOT_WRITABLE`
   */
  append(line: string): Promise<void> {
    return this.#turns.take('append', async () => {
      const bytes = Buffer.from(line)
      try {
        await this.#file.appendFile(bytes)
        await this.#file.datasync()
        this.#sizeBytes += bytes.byteLength
      } catch (err) {
        // Where this fails too, the next run takes the torn line away.
        await this.#file.truncate(this.#sizeBytes).catch(() => undefined)
        throw notWritten(this.#path, err)
      }
    })
  }

  async close(): Promise<void> {
    await this.#turns.take('append', () => this.#file.close())
  }
}

/** What a failed write of results means to their owner. */
export function notWritten(path: string, cause: unknown): EnvironmentError {
  const reason = errorCode(cause) ?? 'unknown error'
  const details = { path, reason }
  if (reason === 'ENOSPC' || reason === 'EDQUOT') {
    return new EnvironmentError(
      'DISK_FULL',
      `There is no space left for ${path}: free some and run the same command again, finished answers are kept`,
      { cause, details }
    )
  }
  return new EnvironmentError(
    'BATCH_OUTPUT_NOT_WRITABLE',
    `${path} cannot be written (${reason}): name a file in a folder you may write to with -o`,
    { cause, details }
  )
}
