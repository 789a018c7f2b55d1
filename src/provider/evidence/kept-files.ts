import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { AbortOptions } from '../../core/abort.ts'

/** Small files of a folder, each replaced as a whole. What is in them is public, and checked by whoever reads it. */
export class KeptFiles {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** @returns undefined if there is none, or one that is larger than `maxBytes` */
  async read(name: string, maxBytes: number, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    const path = join(this.#folder, name)
    const found = await stat(path).catch(() => undefined)
    return found === undefined || found.size > maxBytes ? undefined : new Uint8Array(await readFile(path, options))
  }

  /** A crash leaves the old content or the new one. */
  async replace(name: string, content: Uint8Array, options: AbortOptions = {}): Promise<void> {
    const path = join(this.#folder, name)
    const scratch = `${path}.${randomUUID()}.new`
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    try {
      const file = await open(scratch, 'wx', 0o600)
      try {
        await file.writeFile(content, options)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(scratch, path)
    } finally {
      await rm(scratch, { force: true })
    }
  }
}
