import { randomUUID } from 'node:crypto'
import { readFile, rename, rm } from 'node:fs/promises'
import * as z from 'zod'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { EnvironmentError, errorCode } from '../core/errors.ts'
import { createFile } from './atomic-file.ts'
import { type HomeFolder, notWritable } from './home.ts'
import { identifyProcess, isRunning } from './process-identity.ts'

/** One process's hold of a home folder. */
export interface HomeLock {
  /** Lets another process use the folder. Further calls do nothing. */
  release(): Promise<void>
}

const recordSchema = z.object({ pid: z.int().min(1), started: z.string(), token: z.uuid() })

type LockRecord = z.infer<typeof recordSchema>

/** How often the lock may change hands under a contender before it gives up. */
const ATTEMPTS = 100

/**
 * Takes the home folder for this process. The lock of a process that died is taken over.
 *
 * Processes that cannot see each other's ids (containers that share a folder) are not kept apart by it;
 * LevelDB's own lock then is.
 *
 * @throws {EnvironmentError} `HOME_LOCKED` naming the process that has it, this one included
 * @throws {EnvironmentError} `HOME_LOCK_CORRUPT` if the lock file is not one of ours
 * @throws {EnvironmentError} `HOME_NOT_WRITABLE`
 */
export async function lockHome(home: HomeFolder, options: AbortOptions = {}): Promise<HomeLock> {
  const record: LockRecord = { ...(await identifyProcess(process.pid)), token: randomUUID() }
  await acquire(home.lockFile, record, home, options)
  return { release: () => release(home.lockFile, record.token) }
}

/**
 * Puts `mine` at `path`, which nobody else can do while its process runs.
 *
 * A dead owner's file must not simply be removed: two contenders may have seen it, and the slower one would
 * remove the faster one's new lock. So the right to replace the file with token T is a lock itself, `path.T`.
 * Its owner checks that T is still there, and renames `path.T` over `path`: the old lock goes, the new one
 * comes and the right ends in one step. Should it die before that, its own file is taken over likewise.
 */
async function acquire(path: string, mine: LockRecord, home: HomeFolder, options: AbortOptions): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    throwIfAborted(options.signal)
    if (await tryCreate(path, mine, options)) {
      return
    }
    const owner = await readRecord(path)
    if (owner === undefined) {
      continue
    }
    if (await isRunning(owner)) {
      throw locked(home, owner.pid)
    }
    const right = `${path}.${owner.token}`
    await acquire(right, mine, home, options)
    if ((await readRecord(path))?.token === owner.token) {
      await rename(right, path)
      return
    }
    await rm(right, { force: true })
  }
  throw locked(home, undefined)
}

async function tryCreate(path: string, record: LockRecord, options: AbortOptions): Promise<boolean> {
  try {
    await createFile(path, `${JSON.stringify(record)}\n`, options)
    return true
  } catch (err) {
    throwIfAborted(options.signal)
    if (errorCode(err) === 'EEXIST') {
      return false
    }
    throw notWritable(path, err)
  }
}

async function release(path: string, token: string): Promise<void> {
  if ((await readRecord(path))?.token === token) {
    await rm(path, { force: true })
  }
}

/** @throws {EnvironmentError} `HOME_LOCK_CORRUPT` */
async function readRecord(path: string): Promise<LockRecord | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (err) {
    if (errorCode(err) === 'ENOENT') {
      return undefined
    }
    throw notWritable(path, err)
  }
  try {
    return recordSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new EnvironmentError(
      'HOME_LOCK_CORRUPT',
      `${path} is not a lock file of cocoon-node: delete it if no cocoon-node runs on this folder`,
      { cause, details: { path } }
    )
  }
}

function locked(home: HomeFolder, pid: number | undefined): EnvironmentError {
  const owner = pid === process.pid ? `this process (${pid})` : pid === undefined ? 'another process' : `process ${pid}`
  return new EnvironmentError(
    'HOME_LOCKED',
    `${home.path} is in use by ${owner}: stop it, or use another folder with --home`,
    { details: { home: home.path, pid } }
  )
}
