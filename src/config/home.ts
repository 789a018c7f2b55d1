import { constants } from 'node:fs'
import { access, mkdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { EnvironmentError, errorCode } from '../core/errors.ts'

/** Paths of everything a node keeps. One folder serves one process at a time (`lockHome`). */
export interface HomeFolder {
  readonly path: string
  readonly configFile: string
  readonly lockFile: string
  /** Key files, see `createKeyFile`. */
  readonly keysFolder: string
  /** LevelDB: the ledger and what libp2p remembers. */
  readonly dataFolder: string
  readonly receiptsFolder: string
  readonly logsFolder: string
}

export interface ResolveHomeInit {
  /** The `--home` option. */
  option?: string
  /** @default process.env */
  env?: Readonly<Record<string, string | undefined>>
}

/** The home folder to use: `--home`, else `$COCOON_HOME`, else `~/.cocoon`. Nothing is read or made. */
export function resolveHome(init: ResolveHomeInit = {}): HomeFolder {
  const fromEnv = (init.env ?? process.env)['COCOON_HOME']
  return homeFolder(init.option ?? (fromEnv === undefined || fromEnv === '' ? join(homedir(), '.cocoon') : fromEnv))
}

/** Paths of the home folder at `path`, made absolute. */
export function homeFolder(path: string): HomeFolder {
  const absolute = resolve(path)
  return {
    path: absolute,
    configFile: join(absolute, 'config.json'),
    lockFile: join(absolute, 'node.lock'),
    keysFolder: join(absolute, 'keys'),
    dataFolder: join(absolute, 'data'),
    receiptsFolder: join(absolute, 'receipts'),
    logsFolder: join(absolute, 'logs')
  }
}

/**
 * Makes the folder and those inside it, for its owner alone (mode 0700). What exists stays as it is.
 *
 * @throws {EnvironmentError} `HOME_NOT_WRITABLE` if one cannot be made or written to
 */
export async function createHome(home: HomeFolder, options: AbortOptions = {}): Promise<void> {
  for (const folder of [home.path, home.keysFolder, home.dataFolder, home.receiptsFolder, home.logsFolder]) {
    throwIfAborted(options.signal)
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
    } catch (err) {
      throw notWritable(folder, err)
    }
  }
  await requireWritable(home)
}

/**
 * Checks that the folder was made by `cocoon-node init` and can be written to.
 *
 * @throws {EnvironmentError} `HOME_MISSING` if there is no configuration in it
 * @throws {EnvironmentError} `HOME_NOT_READABLE` or `HOME_NOT_WRITABLE` if this user may not use it
 */
export async function openHome(home: HomeFolder, options: AbortOptions = {}): Promise<void> {
  throwIfAborted(options.signal)
  try {
    await stat(home.configFile)
  } catch (err) {
    throw errorCode(err) === 'ENOENT' ? homeMissing(home) : notReadable(home.path, err)
  }
  await requireWritable(home)
}

export function homeMissing(home: HomeFolder): EnvironmentError {
  return new EnvironmentError(
    'HOME_MISSING',
    `There is no node in ${home.path} (no config.json): run "cocoon-node init", or name another folder with --home`,
    { details: { home: home.path } }
  )
}

/** What a failed write in the home folder means to its owner. */
export function notWritable(path: string, cause: unknown): EnvironmentError {
  const code = errorCode(cause) ?? 'unknown error'
  return new EnvironmentError(
    'HOME_NOT_WRITABLE',
    `${path} cannot be written (${code}): give this user the right to, free some space, or name another folder with "cocoon-node init --home <folder>"`,
    { cause, details: { path, reason: code } }
  )
}

/** What a failed read in the home folder means to its owner. */
export function notReadable(path: string, cause: unknown): EnvironmentError {
  const code = errorCode(cause) ?? 'unknown error'
  return new EnvironmentError('HOME_NOT_READABLE', `${path} cannot be read (${code}): give this user the right to`, {
    cause,
    details: { path, reason: code }
  })
}

async function requireWritable(home: HomeFolder): Promise<void> {
  try {
    await access(home.path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (err) {
    throw notWritable(home.path, err)
  }
}
