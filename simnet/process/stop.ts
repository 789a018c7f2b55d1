import { setTimeout as delay } from 'node:timers/promises'
import { isRunning, type ProcessIdentity } from '../../src/config/process-identity.ts'
import { EnvironmentError, errorCode } from '../../src/core/errors.ts'
import { descendants } from './process-tree.ts'

export interface StopOptions {
  /**
   * How long it has to end by itself after SIGTERM, in milliseconds.
   * @default 8_000
   */
  graceMs?: number
}

const DEFAULT_GRACE_MS = 8_000
/** An enclave ends when its pipe closes; what is still there after this is killed. */
const CHILD_GRACE_MS = 2_000
const KILL_MS = 5_000
const POLL_MS = 15

/**
 * Ends one process and everything it started. A process that merely has its id now is left alone.
 *
 * @returns `stopped` after SIGTERM, `killed` after SIGKILL, `gone` if it had ended before
 * @throws {EnvironmentError} `SIMNET_STOP_FAILED` if it survives SIGKILL or belongs to another user
 */
export async function stopProcess(
  identity: ProcessIdentity,
  options: StopOptions = {}
): Promise<'stopped' | 'killed' | 'gone'> {
  if (!(await isRunning(identity))) {
    return 'gone'
  }
  // Asked before: children of a dead process cannot be told from others.
  const children = await descendants(identity.pid)
  const graceMs = options.graceMs ?? DEFAULT_GRACE_MS
  const outcome = await endProcess(identity, graceMs)
  await Promise.all(children.map(child => endOrphan(child, Math.min(graceMs, CHILD_GRACE_MS))))
  return outcome
}

async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<'stopped' | 'killed'> {
  await signalProcess(identity, 'SIGTERM')
  if (await waitUntilGone(identity, graceMs)) {
    return 'stopped'
  }
  await kill(identity)
  return 'killed'
}

async function endOrphan(identity: ProcessIdentity, graceMs: number): Promise<void> {
  if (!(await waitUntilGone(identity, graceMs))) {
    await kill(identity)
  }
}

async function kill(identity: ProcessIdentity): Promise<void> {
  await signalProcess(identity, 'SIGKILL')
  if (!(await waitUntilGone(identity, KILL_MS))) {
    throw stopFailed(identity, 'it does not end')
  }
}

async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<void> {
  if (!(await isRunning(identity))) {
    return
  }
  try {
    process.kill(identity.pid, signal)
  } catch (err) {
    if (errorCode(err) !== 'ESRCH') {
      throw stopFailed(identity, errorCode(err) ?? 'unknown error')
    }
  }
}

async function waitUntilGone(identity: ProcessIdentity, limitMs: number): Promise<boolean> {
  const limit = performance.now() + limitMs
  while (await isRunning(identity)) {
    if (performance.now() > limit) {
      return false
    }
    await delay(POLL_MS)
  }
  return true
}

function stopFailed({ pid }: ProcessIdentity, reason: string): EnvironmentError {
  return new EnvironmentError(
    'SIMNET_STOP_FAILED',
    `Process ${pid} of the simnet could not be stopped (${reason}): stop it with "kill -9 ${pid}"`,
    {
      details: { pid, reason }
    }
  )
}
