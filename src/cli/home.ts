import { access } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { EnvironmentError } from '../core/errors.ts'
import type { CliIo } from './io.ts'
import { readSimnetFile } from './simnet-file.ts'

/** Where a home folder came from. */
export interface ChosenHome {
  path: string
  from: 'option' | 'environment' | 'default' | 'simnet'
}

export interface ChooseHomeInit {
  /** `--home` */
  option?: string | undefined
  io: Pick<CliIo, 'env' | 'userHome'>
  /** Whether the client home of a running local simnet will do. */
  simnet: boolean
}

/** The folder that was named, else `~/.cocoon`; nothing is looked up. */
export function namedHome({ option, io }: Pick<ChooseHomeInit, 'option' | 'io'>): ChosenHome {
  if (option !== undefined) {
    return { path: resolve(option), from: 'option' }
  }
  const fromEnv = io.env['COCOON_HOME']
  return fromEnv === undefined || fromEnv === ''
    ? { path: join(io.userHome, '.cocoon'), from: 'default' }
    : { path: resolve(fromEnv), from: 'environment' }
}

/**
 * The home folder a command works on: `--home`, `$COCOON_HOME`, `~/.cocoon` if `init` was run there, else the client
 * home of a running local simnet.
 *
 * @throws {EnvironmentError} `HOME_MISSING`
 */
export async function chooseHome(init: ChooseHomeInit): Promise<ChosenHome> {
  const named = namedHome(init)
  if (await holdsNode(named.path)) {
    return named
  }
  const simnet = named.from === 'default' && init.simnet ? await readSimnetFile(init.io) : undefined
  if (simnet?.running === true && (await holdsNode(simnet.clientHome))) {
    return { path: simnet.clientHome, from: 'simnet' }
  }
  const hint =
    simnet === undefined ? '' : `; the simnet of ${simnet.path} is not running: "cocoon-node simnet up" starts it`
  throw new EnvironmentError(
    'HOME_MISSING',
    `There is no node in ${named.path} (no config.json): run "cocoon-node init", or name another folder with --home${hint}`,
    { details: { home: named.path } }
  )
}

/** Whether `cocoon-node init` was run there. */
export async function holdsNode(home: string): Promise<boolean> {
  try {
    await access(join(home, 'config.json'))
    return true
  } catch {
    return false
  }
}
