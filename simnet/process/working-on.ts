import { readFile } from 'node:fs/promises'
import { sep } from 'node:path'
import { identifyProcess } from '../../src/config/process-identity.ts'
import type { NamedProcess } from '../journal.ts'
import { listProcesses } from './process-tree.ts'

/** Options that name a node's home and the chain's file. */
const FOLDER_OPTIONS = ['--home', '--state']

/**
 * Processes that were told to work inside a folder: those whose launcher died before it could note them, and nodes that
 * their user started by hand on a home in it. Empty where there is no `/proc`.
 */
export async function processesWorkingOn(folder: string): Promise<NamedProcess[]> {
  const found: NamedProcess[] = []
  for (const pid of await listProcesses()) {
    const path = workPath(await commandLine(pid))
    if (pid !== process.pid && path?.startsWith(folder + sep) === true) {
      const name = path.slice(folder.length + 1).split(sep)[0] ?? ''
      found.push({ name, ...(await identifyProcess(pid)) })
    }
  }
  return found
}

function workPath(args: readonly string[]): string | undefined {
  const at = args.findIndex(arg => FOLDER_OPTIONS.includes(arg))
  return at < 0 ? undefined : args[at + 1]
}

async function commandLine(pid: number): Promise<string[]> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
  } catch {
    // It ended, or is hidden from this user.
    return []
  }
}
