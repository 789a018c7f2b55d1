import { readdir, readFile } from 'node:fs/promises'
import { identifyProcess, type ProcessIdentity } from '../../src/config/process-identity.ts'

/**
 * The processes that `pid` started, and those that they started. Empty where there is no `/proc`: an enclave then ends
 * with its provider all the same, nobody only checks it.
 */
export async function descendants(pid: number): Promise<ProcessIdentity[]> {
  const children = new Map<number, number[]>()
  for (const entry of await listProcesses()) {
    const parent = await parentOf(entry)
    if (parent !== undefined) {
      children.set(parent, [...(children.get(parent) ?? []), entry])
    }
  }
  const found: number[] = [pid]
  for (const parent of found) {
    found.push(...(children.get(parent) ?? []).filter(child => !found.includes(child)))
  }
  return await Promise.all(found.slice(1).map(identifyProcess))
}

/** Ids of the processes that are seen here; none where there is no `/proc`. */
export async function listProcesses(): Promise<number[]> {
  try {
    return (await readdir('/proc')).filter(name => /^\d+$/.test(name)).map(Number)
  } catch {
    return []
  }
}

/** proc_pid_stat(5): field 4. The name before it may hold spaces and brackets itself. */
async function parentOf(pid: number): Promise<number | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}
