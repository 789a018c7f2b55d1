import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { AbortOptions } from '../../core/abort.ts'
import { CocoonError, errorCode, UsageError } from '../../core/errors.ts'
import { notWritten, ResultWriter } from './result-writer.ts'
import { planResume, type ResumePlan } from './resume.ts'
import { readTextLines } from './text-lines.ts'

/** An output file, ready for more. */
export interface OpenResults {
  writer: ResultWriter
  /** Ids that earlier runs finished. */
  finished: ReadonlySet<string>
  /** How those of this batch travelled, in words, and how many each. */
  sealings: ReadonlyMap<string, number>
  /** Failed lines taken away to be tried again. */
  retried: number
  /** Whether a line that a crash cut short was taken away. */
  repaired: boolean
}

const MAX_LINE_BYTES = 64 * 1024 * 1024

/** @throws {UsageError} `BATCH_SAME_FILE` if both names lead to one file */
export async function requireDifferentFiles(input: string, output: string): Promise<void> {
  // What cannot be looked at is named when it is opened.
  const [from, to] = await Promise.all([input, output].map(path => stat(path).catch(() => undefined)))
  if (from !== undefined && to !== undefined && from.dev === to.dev && from.ino === to.ino) {
    throw new UsageError('BATCH_SAME_FILE', `${input} and ${output} are the same file: name another one with -o`)
  }
}

/**
 * Opens an output file to go on with it: what a crash or a failure left is taken away first, in one step.
 *
 * @param isWanted ids of this batch
 * @throws {UsageError} `BATCH_OUTPUT_INVALID`
 * @throws {EnvironmentError} `DISK_FULL`, `BATCH_OUTPUT_NOT_WRITABLE`
 */
export async function openResults(
  path: string,
  isWanted: (customId: string) => boolean,
  options: AbortOptions = {}
): Promise<OpenResults> {
  try {
    return await openOrCreate(path, isWanted, options)
  } catch (err) {
    options.signal?.throwIfAborted()
    throw err instanceof CocoonError || errorCode(err) === undefined ? err : notWritten(path, err)
  }
}

async function openOrCreate(
  path: string,
  isWanted: (customId: string) => boolean,
  options: AbortOptions
): Promise<OpenResults> {
  const present = await statOf(path)
  if (present === undefined) {
    // Answers are private.
    const file = await open(path, 'ax', 0o600)
    await syncFolder(path)
    return {
      writer: new ResultWriter(file, path, 0),
      finished: new Set(),
      sealings: new Map(),
      retried: 0,
      repaired: false
    }
  }
  if (!present.isFile()) {
    throw new UsageError('BATCH_OUTPUT_INVALID', `${path} is not a plain file: name one with -o`)
  }
  const target = await realpath(path)
  const plan = await planResume(target, isWanted, options)
  await repair(target, plan, present.mode, options)
  const file = await open(target, 'a')
  const { size } = await file.stat()
  const { finished, sealings, retried, tornAt } = plan
  return { writer: new ResultWriter(file, path, size), finished, sealings, retried, repaired: tornAt !== undefined }
}

async function repair(path: string, plan: ResumePlan, mode: number, options: AbortOptions): Promise<void> {
  if (plan.keep !== undefined) {
    await keepLines(path, plan.keep, mode, options)
    return
  }
  if (plan.tornAt === undefined && !plan.unended) {
    return
  }
  await withFile(await open(path, 'r+'), async file => {
    if (plan.tornAt !== undefined) {
      await file.truncate(plan.tornAt)
    } else {
      await file.write('\n', (await file.stat()).size)
    }
    await file.datasync()
  })
}

/** Replaces the file by one with only these lines; a crash leaves the old one or the new one. */
async function keepLines(path: string, keep: ReadonlySet<number>, mode: number, options: AbortOptions): Promise<void> {
  const scratch = `${path}.new`
  try {
    await withFile(await open(scratch, 'w', mode & 0o777), async file => {
      for await (const { number, text } of readTextLines(path, MAX_LINE_BYTES, options)) {
        if (keep.has(number)) {
          await file.appendFile(`${text ?? ''}\n`)
        }
      }
      await file.sync()
    })
    await rename(scratch, path)
    await syncFolder(path)
  } catch (err) {
    await rm(scratch, { force: true })
    throw err
  }
}

async function withFile(file: FileHandle, work: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await work(file)
  } finally {
    await file.close()
  }
}

/** A new name is durable only once its folder is. */
async function syncFolder(path: string): Promise<void> {
  // Windows cannot open folders.
  if (process.platform !== 'win32') {
    await withFile(await open(dirname(path), 'r'), folder => folder.sync())
  }
}

async function statOf(path: string) {
  try {
    return await stat(path)
  } catch (err) {
    if (errorCode(err) === 'ENOENT') {
      return undefined
    }
    throw err
  }
}
