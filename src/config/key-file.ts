import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { EnvironmentError, errorCode, UsageError } from '../core/errors.ts'
import { type Random, systemRandom } from '../core/random.ts'
import { createFile } from './atomic-file.ts'
import { type HomeFolder, notReadable, notWritable } from './home.ts'
import { DEFAULT_SCRYPT_COST, openSeed, type ScryptCost, sealSeed } from './key-cipher.ts'
import {
  areWords,
  decodeKeyRecord,
  encodeKeyRecord,
  holdsWords,
  type KeyKind,
  type KeyRecord,
  type KeySecret,
  packSecret,
  SEED_BYTES,
  unpackSecret
} from './key-record.ts'

export interface ReadKeyOptions extends AbortOptions {
  /** Not needed, and not used, where the file was written without one. */
  passphrase?: string
}

export interface CreateKeyOptions extends AbortOptions {
  /**
   * Encrypts the file.
   * @default none: the file is plain, kept from other users by its mode 0600 alone
   */
  passphrase?: string
  /** @default systemRandom */
  random?: Random
  /** @default DEFAULT_SCRYPT_COST */
  cost?: ScryptCost
}

/** A whole key file is under 1 KiB. */
const MAX_FILE_BYTES = 4096

/** Where the key of a kind lies. */
export function keyPath(home: HomeFolder, kind: KeyKind): string {
  return join(home.keysFolder, `${kind}.json`)
}

/**
 * Stores a key, with mode 0600, as a whole or not at all. An existing file is never overwritten: money and the
 * node's name hang on it.
 *
 * @param secret a seed of 32 bytes, for a wallet with the words it was made of
 * @throws {UsageError} `KEY_EXISTS`
 * @throws {UsageError} `KEY_PASSPHRASE_EMPTY`
 * @throws {EnvironmentError} `HOME_NOT_WRITABLE`
 */
export async function createKeyFile(
  home: HomeFolder,
  kind: KeyKind,
  secret: Uint8Array | KeySecret,
  options: CreateKeyOptions = {}
): Promise<void> {
  const { seed, words } = secret instanceof Uint8Array ? { seed: secret } : secret
  if (seed.byteLength !== SEED_BYTES) {
    throw new RangeError(`Seed has ${seed.byteLength} bytes: expected ${SEED_BYTES}`)
  }
  if (words !== undefined && (kind !== 'wallet' || !areWords(words))) {
    throw new RangeError(`A ${kind} key cannot be kept with ${words.length} such words`)
  }
  const path = keyPath(home, kind)
  const text = encodeKeyRecord(await protect(kind, words === undefined ? { seed } : { seed, words }, options))
  try {
    await createFile(path, text, options)
  } catch (err) {
    throwIfAborted(options.signal)
    if (errorCode(err) === 'EEXIST') {
      throw new UsageError(
        'KEY_EXISTS',
        `${path} exists already: keys are never overwritten; move it away if you want another`,
        {
          details: { path, kind }
        }
      )
    }
    throw notWritable(path, err)
  }
}

/**
 * Reads a key of {@link createKeyFile}: its seed, and its words if it was stored with them.
 *
 * @throws {EnvironmentError} `KEY_MISSING` if there is no such file
 * @throws {EnvironmentError} `KEY_FILE_PERMISSIONS` if other users can read or write it
 * @throws {EnvironmentError} `KEY_FILE_CORRUPT` if it is damaged, or another kind's
 * @throws {UsageError} `KEY_NEEDS_PASSPHRASE` if it is encrypted and none was given
 * @throws {UsageError} `KEY_WRONG_PASSPHRASE`
 */
export async function readKeySecret(home: HomeFolder, kind: KeyKind, options: ReadKeyOptions = {}): Promise<KeySecret> {
  const path = keyPath(home, kind)
  const record = decodeKeyRecord(await readPrivate(path, options))
  if (record?.kind !== kind) {
    throw corruptKey(path, kind)
  }
  if ('seed' in record) {
    const { seed, words } = record
    return words === undefined ? { seed } : { seed, words }
  }
  if (options.passphrase === undefined) {
    throw new UsageError('KEY_NEEDS_PASSPHRASE', `${path} is encrypted: give its passphrase`, {
      details: { path, kind }
    })
  }
  const packed = await openSeed(record.sealed, options.passphrase, labelOf(kind, holdsWords(record)))
  throwIfAborted(options.signal)
  if (packed === undefined) {
    throw new UsageError('KEY_WRONG_PASSPHRASE', `The passphrase does not open ${path}: try again`, {
      details: { path, kind }
    })
  }
  const secret = unpackSecret(packed)
  if (secret === undefined) {
    throw corruptKey(path, kind)
  }
  return secret
}

/** The 32-byte seed of a key, as {@link readKeySecret} reads it. */
export async function readKeyFile(home: HomeFolder, kind: KeyKind, options: ReadKeyOptions = {}): Promise<Uint8Array> {
  return (await readKeySecret(home, kind, options)).seed
}

async function protect(kind: KeyKind, secret: KeySecret, options: CreateKeyOptions): Promise<KeyRecord> {
  const { passphrase, cost = DEFAULT_SCRYPT_COST, random = systemRandom } = options
  if (passphrase === undefined) {
    return { kind, ...secret }
  }
  if (passphrase === '') {
    throw new UsageError(
      'KEY_PASSPHRASE_EMPTY',
      'The passphrase is empty: expected at least one character, or none at all'
    )
  }
  const label = labelOf(kind, secret.words !== undefined)
  return { kind, sealed: await sealSeed(packSecret(secret), passphrase, label, cost, random) }
}

/** Authenticated with the seed, so that a renamed file does not open as another kind. */
function labelOf(kind: KeyKind, withWords: boolean): string {
  return `cocoon/key-file/${withWords ? 'v2' : 'v1'}/${kind}`
}

/** `KEY_FILE_CORRUPT` */
export function corruptKey(path: string, kind: KeyKind): EnvironmentError {
  return new EnvironmentError('KEY_FILE_CORRUPT', `${path} is damaged or not a ${kind} key: restore it from a backup`, {
    details: { path, kind }
  })
}

async function readPrivate(path: string, options: AbortOptions): Promise<string> {
  try {
    const file = await open(path, 'r')
    try {
      const { mode, size } = await file.stat()
      // Windows has no such modes: there the user's profile folder keeps others out.
      if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
        throw new EnvironmentError(
          'KEY_FILE_PERMISSIONS',
          `${path} can be read or written by other users (mode ${(mode & 0o777).toString(8)}): run "chmod 600 ${path}"`,
          { details: { path, mode: mode & 0o777 } }
        )
      }
      return size > MAX_FILE_BYTES ? '' : await file.readFile({ encoding: 'utf8', ...options })
    } finally {
      await file.close()
    }
  } catch (err) {
    throwIfAborted(options.signal)
    if (err instanceof EnvironmentError) {
      throw err
    }
    if (errorCode(err) === 'ENOENT') {
      throw new EnvironmentError(
        'KEY_MISSING',
        `There is no ${path}: restore it from a backup, or run "cocoon-node init"`,
        {
          details: { path }
        }
      )
    }
    throw notReadable(path, err)
  }
}
