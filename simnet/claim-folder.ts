import { mkdir, readdir } from 'node:fs/promises'
import { isRunning } from '../src/config/process-identity.ts'
import { EnvironmentError, errorCode } from '../src/core/errors.ts'
import { JournalWriter, readJournal } from './journal.ts'
import { isOwnEntry, living, tearDown } from './tear-down.ts'

/**
 * Takes a folder for a new simnet. What a crashed one left is stopped and removed first.
 *
 * @param onLeftovers told what was cleaned up
 * @throws {EnvironmentError} `SIMNET_RUNNING` if there is one already, `SIMNET_FOLDER_NOT_EMPTY`, `SIMNET_FOLDER_NOT_WRITABLE`
 */
export async function claimFolder(folder: string, onLeftovers: (what: string) => void): Promise<JournalWriter> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await clearLeftovers(folder, onLeftovers)
    await requireEmpty(folder)
    const journal = await JournalWriter.create(folder)
    if (journal !== undefined) {
      return journal
    }
  } catch (err) {
    throw folderError(folder, err)
  }
  throw running(folder, 'was started at the same moment')
}

async function clearLeftovers(folder: string, onLeftovers: (what: string) => void): Promise<void> {
  const journal = await readJournal(folder)
  if (journal === undefined) {
    return
  }
  const alive = await living(journal)
  if (journal.outlivesOwner && alive.length > 0) {
    const dead = journal.processes.length - alive.length
    throw running(
      folder,
      dead === 0 ? 'is running' : `is running, though ${dead} of its ${journal.processes.length} processes ended`
    )
  }
  if (!journal.outlivesOwner && (await isRunning(journal.owner))) {
    throw running(folder, `is being started by process ${journal.owner.pid}`)
  }
  await tearDown(folder)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  onLeftovers(`Cleaned up after a simnet that had crashed (${alive.length} processes still ran)`)
}

async function requireEmpty(folder: string): Promise<void> {
  const kept = (await readdir(folder)).filter(isOwnEntry)
  if (kept.length > 0) {
    throw new EnvironmentError(
      'SIMNET_FOLDER_NOT_EMPTY',
      `${folder} holds the ${kept.sort().join(', ')} of an earlier simnet: delete them, or name another folder with --dir`,
      { details: { folder } }
    )
  }
}

function running(folder: string, how: string): EnvironmentError {
  return new EnvironmentError(
    'SIMNET_RUNNING',
    `A simnet ${how} in ${folder}: end it with "cocoon-node simnet down", or name another folder with --dir`,
    { details: { folder } }
  )
}

/** What a failed write in a simnet's folder means to its user. */
export function folderError(folder: string, err: unknown): unknown {
  const reason = errorCode(err) ?? ''
  return ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTDIR', 'ENOENT', 'EEXIST'].includes(reason)
    ? new EnvironmentError(
        'SIMNET_FOLDER_NOT_WRITABLE',
        `${folder} cannot be used (${reason}): name another folder with --dir`,
        {
          cause: err,
          details: { folder, reason }
        }
      )
    : err
}
