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
