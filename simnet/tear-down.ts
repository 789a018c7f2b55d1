import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isRunning } from '../src/config/process-identity.ts'
import { errorCode } from '../src/core/errors.ts'
import { type Journal, type NamedProcess, readJournal, removeJournal } from './journal.ts'
import { removeNetwork } from './network-file.ts'
import { stopProcess } from './process/stop.ts'
import { processesWorkingOn } from './process/working-on.ts'

/** What became of one process. */
export interface StoppedProcess {
  name: string
  pid: number
  outcome: 'stopped' | 'killed' | 'gone'
}

export interface TearDownOptions {
  /**
   * Keep homes, logs and the chain's state.
   * @default false
   */
  keep?: boolean
  /** How long each process may take to end by itself, in milliseconds. */
  graceMs?: number
}

/** The only names in a simnet's folder: nothing else there is ever deleted. */
const OWN_ENTRY = /^(chain|client|provider-\d{1,3}|(simnet|processes)\.json\..+\.tmp)$/

export function isOwnEntry(name: string): boolean {
  return OWN_ENTRY.test(name)
}

export const CHAIN_FOLDER = 'chain'
export const CLIENT_FOLDER = 'client'

export function providerName(index: number): string {
  return `provider-${index + 1}`
}

/**
 * Stops every process of the simnet in a folder, providers first and the chain they use last, and removes its files.
 * Does nothing where there is none.
 *
 * @throws {EnvironmentError} `SIMNET_STOP_FAILED`, `SIMNET_FILE_INVALID`; the journal stays, so that it can be tried again
 */
export async function tearDown(folder: string, options: TearDownOptions = {}): Promise<StoppedProcess[]> {
  const journal = await readJournal(folder)
  // First of all: other commands stop finding what is about to go.
  await removeNetwork(folder)
  const processes = journal === undefined ? [] : await allProcesses(folder, journal)
  const chain = processes.filter(({ name }) => name === CHAIN_FOLDER)
  const others = processes.filter(({ name }) => name !== CHAIN_FOLDER)
  const stopped = [...(await stopAll(others, options)), ...(await stopAll(chain, options))]
  if (options.keep !== true) {
    await removeOwnEntries(folder)
  }
  await removeJournal(folder)
  if (options.keep !== true) {
    await removeIfEmpty(folder)
  }
  return stopped
}

/** The processes of a journal that still run. */
export async function living(journal: Journal): Promise<NamedProcess[]> {
  const alive = await Promise.all(journal.processes.map(isRunning))
  return journal.processes.filter((_, index) => alive[index])
}

async function allProcesses(folder: string, journal: Journal): Promise<NamedProcess[]> {
  const known = new Set(journal.processes.map(({ pid, started }) => `${pid} ${started}`))
  const others = await processesWorkingOn(folder)
  return [...journal.processes, ...others.filter(({ pid, started }) => !known.has(`${pid} ${started}`))]
}

async function stopAll(processes: readonly NamedProcess[], { graceMs }: TearDownOptions): Promise<StoppedProcess[]> {
  return await Promise.all(
    processes.map(async process => ({
      name: process.name,
      pid: process.pid,
      outcome: await stopProcess(process, graceMs === undefined ? {} : { graceMs })
    }))
  )
}

async function removeOwnEntries(folder: string): Promise<void> {
  const entries = await readdir(folder).catch(ignoreMissing)
  await Promise.all(
    (entries ?? []).filter(isOwnEntry).map(name => rm(join(folder, name), { recursive: true, force: true }))
  )
}

async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder)
  } catch (err) {
    // The user keeps something else there.
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(errorCode(err) ?? '')) {
      throw err
    }
  }
}

function ignoreMissing(err: unknown): undefined {
  if (errorCode(err) !== 'ENOENT') {
    throw err
  }
}
