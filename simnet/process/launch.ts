import { spawn } from 'node:child_process'
import { type FileHandle, open } from 'node:fs/promises'
import { identifyProcess, type ProcessIdentity } from '../../src/config/process-identity.ts'
import { EnvironmentError, errorCode } from '../../src/core/errors.ts'

export interface LaunchInit {
  /** What people call it, e.g. `provider-1`. */
  name: string
  /** Arguments of `node`. */
  args: readonly string[]
  /** Takes its standard output: one JSON object a line. */
  eventFile: string
  /** Takes its standard error. */
  errorFile: string
}

/** A process of the simnet, in a process group of its own: it outlives the one that launched it. */
export interface Launched {
  readonly name: string
  readonly identity: ProcessIdentity
  readonly eventFile: string
  readonly errorFile: string
  /** How it ended, once it has: undefined while it runs. */
  readonly ending: () => string | undefined
}

/**
 * Starts a process whose output goes to files.
 *
 * @throws {EnvironmentError} `SIMNET_LAUNCH_FAILED` if the system does not let it start
 */
export async function launch(init: LaunchInit): Promise<Launched> {
  const files: FileHandle[] = []
  try {
    for (const path of [init.eventFile, init.errorFile]) {
      files.push(await open(path, 'a', 0o600))
    }
    const [events, errors] = files.map(file => file.fd)
    const child = spawn(process.execPath, init.args, { detached: true, stdio: ['ignore', events, errors] })
    let ending: string | undefined
    child.on('exit', (status, signal) => {
      ending = signal ?? `exit code ${status}`
    })
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    child.unref()
    const identity = await identifyProcess(child.pid ?? 0)
    const { name, eventFile, errorFile } = init
    return { name, identity, eventFile, errorFile, ending: () => ending }
  } catch (cause) {
    const reason = errorCode(cause) ?? 'unknown error'
    throw new EnvironmentError(
      'SIMNET_LAUNCH_FAILED',
      `${init.name} could not be started (${reason}): free some memory and disk space`,
      {
        cause,
        details: { name: init.name, reason }
      }
    )
  } finally {
    await Promise.all(files.map(file => file.close()))
  }
}
