import { open, stat } from 'node:fs/promises'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { errorCode, UsageError } from '../core/errors.ts'
import { decodeWatchFile, WATCH_FILE_BYTES, type WatchVoucher } from '../payments/index.ts'

/** What was read from one file: a voucher, or why there is none. */
export interface ReadVoucher {
  file: string
  voucher?: WatchVoucher
  problem?: string
}

/** Voucher files of others, read again when they change. Whatever they hold, at most a few kilobytes of it are read. */
export class VoucherFiles {
  readonly #files: readonly string[]
  /** What each file looked like when it was last read. */
  readonly #seen = new Map<string, string>()

  constructor(files: readonly string[]) {
    this.#files = [...new Set(files)]
  }

  /** Reads the files that are new, or not what they were. Never rejects because of a file. */
  async changed(options: AbortOptions = {}): Promise<ReadVoucher[]> {
    const read: ReadVoucher[] = []
    for (const file of this.#files) {
      throwIfAborted(options.signal)
      const looks = await looksOf(file)
      if (looks !== this.#seen.get(file)) {
        this.#seen.set(file, looks)
        read.push(await readVoucherFile(file))
      }
    }
    return read
  }
}

async function looksOf(file: string): Promise<string> {
  try {
    const { mtimeNs, ino, size } = await stat(file, { bigint: true })
    return `${mtimeNs} ${ino} ${size}`
  } catch (err) {
    return errorCode(err) ?? 'unreadable'
  }
}

async function readVoucherFile(file: string): Promise<ReadVoucher> {
  try {
    return { file, voucher: decodeWatchFile(await readStart(file)) }
  } catch (err) {
    return {
      file,
      problem: err instanceof UsageError ? err.message : `it cannot be read (${errorCode(err) ?? 'failed'})`
    }
  }
}

/** @throws {UsageError} `VOUCHER_FILE_INVALID` if it is no file, or larger than any voucher's */
async function readStart(file: string): Promise<string> {
  // Opening a pipe would wait for its writer.
  if (!(await stat(file)).isFile()) {
    throw new UsageError('VOUCHER_FILE_INVALID', 'it is not a regular file')
  }
  const handle = await open(file, 'r')
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(WATCH_FILE_BYTES + 1), 0, WATCH_FILE_BYTES + 1, 0)
    if (bytesRead > WATCH_FILE_BYTES) {
      throw new UsageError('VOUCHER_FILE_INVALID', `it is larger than ${WATCH_FILE_BYTES} bytes: no voucher is`)
    }
    return buffer.toString('latin1', 0, bytesRead)
  } finally {
    await handle.close()
  }
}
