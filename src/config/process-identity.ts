import { readFile } from 'node:fs/promises'
import { errorCode } from '../core/errors.ts'

/** Names one process for good. A process id alone does not: ids are used again. */
export interface ProcessIdentity {
  readonly pid: number
  /**
   * Boot id and start time in clock ticks since then, on Linux; '' elsewhere, where a living process with the
   * same id is taken for the same process.
   */
  readonly started: string
}

export async function identifyProcess(pid: number): Promise<ProcessIdentity> {
  return { pid, started: (await readProc(pid))?.started ?? '' }
}

/** Whether the process that `identity` named still runs. In doubt it does. */
export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  const found = await readProc(identity.pid)
  // A zombie has ended and only waits for its parent to notice; X is a dead one.
  if (found !== undefined && /^[ZX]/.test(found.state)) {
    return false
  }
  if (found !== undefined && identity.started !== '') {
    return found.started === identity.started
  }
  // Asked last: it may have ended since.
  try {
    process.kill(identity.pid, 0)
    return true
  } catch (err) {
    // EPERM: it is another user's, and runs.
    return errorCode(err) !== 'ESRCH'
  }
}

interface ProcEntry {
  /** One letter, proc_pid_stat(5). */
  state: string
  started: string
}

async function readProc(pid: number): Promise<ProcEntry | undefined> {
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8')
    ])
    // Field 2, the name in brackets, may hold spaces and brackets itself; state is field 3, starttime field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state = '', ticks = ''] = [fields[0], fields[22 - 3]]
    return ticks === '' ? undefined : { state, started: `${boot.trim()}/${ticks}` }
  } catch {
    return undefined
  }
}
