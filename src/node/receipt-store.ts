import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  decodeReceipt,
  decodeStoredReceipt,
  encodeStoredReceipt,
  type Receipt,
  type StoredReceipt
} from '../attest/index.ts'
import { EnvironmentError, errorCode, UsageError } from '../core/errors.ts'

/** A receipt on disk. */
export interface ReceiptEntry {
  /** Hex; the name of the receipt. */
  jobId: string
  path: string
  receipt: Receipt
}

/** Receipts of answers this node paid for, one file each: everything that is needed to check them offline. */
export interface ReceiptStore {
  save(receipt: StoredReceipt): Promise<void>
  /** Newest first. */
  list(): Promise<ReceiptEntry[]>
  /**
   * The receipt whose job id begins with `prefix`, or the one in the file of that path.
   *
   * @throws {UsageError} `RECEIPT_UNKNOWN` if there is none, `RECEIPT_AMBIGUOUS` if there are several
   */
  get(prefixOrPath: string): Promise<{ path: string; stored: StoredReceipt; receipt: Receipt }>
}

export function receiptStore(folder: string): ReceiptStore {
  return new FileReceiptStore(folder)
}

class FileReceiptStore implements ReceiptStore {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async save(receipt: StoredReceipt): Promise<void> {
    const { jobId } = decodeReceipt(receipt.receipt)
    const path = join(this.#folder, `${jobId}.json`)
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      await writeFile(`${path}.new`, encodeStoredReceipt(receipt), { mode: 0o600 })
      await rename(`${path}.new`, path)
    } catch (cause) {
      throw new EnvironmentError(
        'RECEIPT_NOT_SAVED',
        `${path} cannot be written (${errorCode(cause) ?? 'unknown error'}): the answer was paid for all the same`,
        { cause, details: { path } }
      )
    }
  }

  async list(): Promise<ReceiptEntry[]> {
    const entries: ReceiptEntry[] = []
    for (const path of await this.#paths('')) {
      const { receipt } = await this.#read(path)
      const decoded = decodeReceipt(receipt)
      entries.push({ jobId: decoded.jobId, path, receipt: decoded })
    }
    return entries.sort((a, b) => b.receipt.endedAtMs - a.receipt.endedAtMs)
  }

  async get(prefixOrPath: string): Promise<{ path: string; stored: StoredReceipt; receipt: Receipt }> {
    const path = /^[0-9a-f]{1,32}$/.test(prefixOrPath) ? await this.#find(prefixOrPath) : prefixOrPath
    const stored = await this.#read(path)
    return { path, stored, receipt: decodeReceipt(stored.receipt) }
  }

  async #find(prefix: string): Promise<string> {
    const [path, second] = await this.#paths(prefix)
    if (path === undefined) {
      throw new UsageError(
        'RECEIPT_UNKNOWN',
        `No receipt begins with ${prefix}: list them with "cocoon-node receipt list"`
      )
    }
    if (second !== undefined) {
      throw new UsageError('RECEIPT_AMBIGUOUS', `Several receipts begin with ${prefix}: give more digits`)
    }
    return path
  }

  async #paths(prefix: string): Promise<string[]> {
    let names: string[]
    try {
      names = await readdir(this.#folder)
    } catch (err) {
      if (errorCode(err) === 'ENOENT') {
        return []
      }
      throw err
    }
    return names
      .filter(name => /^[0-9a-f]{32}\.json$/.test(name) && name.startsWith(prefix))
      .map(name => join(this.#folder, name))
  }

  async #read(path: string): Promise<StoredReceipt> {
    let text: string
    try {
      text = await readFile(path, 'utf8')
    } catch (cause) {
      throw new UsageError(
        'RECEIPT_UNKNOWN',
        `No receipt can be read at ${path}: list them with "cocoon-node receipt list"`,
        {
          cause
        }
      )
    }
    return decodeStoredReceipt(text)
  }
}
