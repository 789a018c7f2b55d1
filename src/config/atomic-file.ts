import { randomUUID } from 'node:crypto'
import { link, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { AbortOptions } from '../core/abort.ts'

/** Readable and writable by the owner alone. */
export const PRIVATE_FILE_MODE = 0o600

/**
 * Replaces a file as a whole: a crash leaves the old content or the new one, and the new one is on disk when
 * the promise resolves. The file is readable by its owner alone.
 */
export async function replaceFile(path: string, content: string, options: AbortOptions = {}): Promise<void> {
  await viaScratch(path, content, options, scratch => rename(scratch, path))
}

/**
 * Makes a file that did not exist, with its whole content at once: nobody sees a part of it.
 *
 * @throws Node's `EEXIST` if there is one, which stays as it is
 */
export async function createFile(path: string, content: string, options: AbortOptions = {}): Promise<void> {
  // Unlike rename(2), link(2) refuses an existing target.
  await viaScratch(path, content, options, scratch => link(scratch, path))
}

async function viaScratch(
  path: string,
  content: string,
  options: AbortOptions,
  place: (scratch: string) => Promise<void>
): Promise<void> {
  const scratch = `${path}.${randomUUID()}.tmp`
  try {
    const file = await open(scratch, 'wx', PRIVATE_FILE_MODE)
    try {
      await file.writeFile(content, { encoding: 'utf8', ...options })
      await file.sync()
    } finally {
      await file.close()
    }
    await place(scratch)
  } finally {
    await rm(scratch, { force: true })
  }
  await syncFolder(dirname(path))
}

/** A new name is durable once its folder is. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') {
    return
  }
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
