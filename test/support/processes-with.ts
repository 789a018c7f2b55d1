import { readdir, readFile } from 'node:fs/promises'

/** Ids of the running processes whose environment holds `entry`, like `TMPDIR=/tmp/x`; children inherit it. Linux only. */
export async function processesWith(entry: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(pids.map(async pid => ((await environmentOf(pid)).includes(entry) ? [pid] : [])))
  return found.flat()
}

async function environmentOf(pid: number): Promise<string[]> {
  try {
    return (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0')
  } catch {
    // It ended, or is another user's.
    return []
  }
}

/** Their command lines, for a message that tells which they are. */
export async function commandsWith(entry: string): Promise<string[]> {
  const pids = await processesWith(entry)
  return Promise.all(
    pids.map(async pid => `${pid}: ${(await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ')}`)
  )
}

/** Ends whatever a failed test left running. */
export async function killProcessesWith(entry: string): Promise<void> {
  for (const pid of await processesWith(entry)) {
    process.kill(pid, 'SIGKILL')
  }
}
