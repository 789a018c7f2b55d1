import { readFile } from 'node:fs/promises'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { errorCode, UsageError } from '../core/errors.ts'
import { replaceFile } from './atomic-file.ts'
import { type HomeFolder, homeMissing, notReadable, notWritable } from './home.ts'
import { parseConfig } from './parse.ts'
import type { Config, ConfigFile } from './schema.ts'

/**
 * Reads `config.json` of a home folder.
 *
 * @throws {EnvironmentError} `HOME_MISSING` if there is none
 * @throws {EnvironmentError} `HOME_NOT_READABLE` if this user may not read it
 * @throws {UsageError} `CONFIG_UNKNOWN_KEY` or `CONFIG_INVALID`, see {@link parseConfig}
 */
export async function loadConfig(home: HomeFolder, options: AbortOptions = {}): Promise<Config> {
  let text: string
  try {
    text = await readFile(home.configFile, { encoding: 'utf8', ...options })
  } catch (err) {
    throwIfAborted(options.signal)
    throw errorCode(err) === 'ENOENT' ? homeMissing(home) : notReadable(home.configFile, err)
  }
  return parseConfig(parseJson(text, home.configFile), home.configFile)
}

/**
 * Writes `config.json` as a whole; a crash leaves the old one or the new one. Nothing is written unless
 * {@link loadConfig} would accept it. Returns it with defaults filled in.
 *
 * @param settings what differs from the defaults: those stay out of the file, so that better ones arrive with
 *   a new version
 * @throws {UsageError} `CONFIG_UNKNOWN_KEY` or `CONFIG_INVALID`
 * @throws {EnvironmentError} `HOME_NOT_WRITABLE`
 */
export async function writeConfig(home: HomeFolder, settings: ConfigFile, options: AbortOptions = {}): Promise<Config> {
  const config = parseConfig(settings, home.configFile)
  try {
    await replaceFile(home.configFile, `${JSON.stringify(settings, undefined, 2)}\n`, options)
  } catch (err) {
    throwIfAborted(options.signal)
    throw notWritable(home.configFile, err)
  }
  return config
}

function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text)
  } catch (err) {
    // The parser's own message quotes the text around the mistake, which may be the API key: only the place is told.
    const position = /position (\d+)/.exec(String(err))?.[1]
    const before = position === undefined ? undefined : text.slice(0, Number(position)).split('\n')
    const place = before === undefined ? '' : ` at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
    throw new UsageError('CONFIG_INVALID', `${source}: not valid JSON${place}: expected an object of settings`, {
      details: { source, path: '' }
    })
  }
}
