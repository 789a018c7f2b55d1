import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EnvironmentError, errorCode, errorMessage, isMissingPath } from '../core/errors.ts'
import type { CliIo } from './io.ts'

/** What a running local simnet tells other commands. */
export interface SimnetFile {
  path: string
  /** What a node takes as `--chain`. */
  chainEndpoint: string
  chainPid: number
  /** Home folder of the client that the simnet made and funded. */
  clientHome: string
  /** Multiaddrs of its providers, each with its peer id. */
  bootstrap: string[]
  /** Whether its chain's process is there. */
  running: boolean
}

/** The file that `cocoon-node simnet up` writes: in `$COCOON_SIMNET`, else `~/.cocoon/simnet`. */
export function simnetFilePath(io: Pick<CliIo, 'env' | 'userHome'>): string {
  const folder = io.env['COCOON_SIMNET']
  return join(folder === undefined || folder === '' ? join(io.userHome, '.cocoon', 'simnet') : folder, 'simnet.json')
}

/**
 * The local simnet, or undefined if none was made.
 *
 * @throws {EnvironmentError} `SIMNET_FILE_INVALID`
 */
export async function readSimnetFile(
  io: Pick<CliIo, 'env' | 'userHome'>,
  isRunning: (pid: number) => boolean = processExists
): Promise<SimnetFile | undefined> {
  const path = simnetFilePath(io)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (err) {
    if (isMissingPath(err)) {
      return undefined
    }
    throw invalid(path, err)
  }
  try {
    return parseSimnetFile(path, JSON.parse(text), isRunning)
  } catch (err) {
    throw invalid(path, err)
  }
}

function parseSimnetFile(path: string, value: unknown, isRunning: (pid: number) => boolean): SimnetFile {
  const file = value as Partial<
    Record<'version' | 'chainEndpoint' | 'chainPid' | 'clientHome' | 'providers', unknown>
  > | null
  const { chainEndpoint, chainPid, clientHome, providers } = file ?? {}
  if (
    file?.version !== 1 ||
    typeof chainEndpoint !== 'string' ||
    typeof chainPid !== 'number' ||
    typeof clientHome !== 'string' ||
    !Array.isArray(providers)
  ) {
    throw new TypeError('expected version 1 with chainEndpoint, chainPid, clientHome and providers')
  }
  const bootstrap = (providers as Array<{ addresses?: unknown } | null>)
    .flatMap(provider => (Array.isArray(provider?.addresses) ? (provider.addresses as unknown[]) : []))
    .filter(address => typeof address === 'string')
  return { path, chainEndpoint, chainPid, clientHome, bootstrap, running: isRunning(chainPid) }
}

function processExists(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (err) {
    // Another user's process is there all the same.
    return errorCode(err) === 'EPERM'
  }
}

function invalid(path: string, cause: unknown): EnvironmentError {
  return new EnvironmentError(
    'SIMNET_FILE_INVALID',
    `${path} is not the file of a simnet (${errorMessage(cause)}): delete it, then run "cocoon-node simnet up"`,
    { cause, details: { path } }
  )
}
