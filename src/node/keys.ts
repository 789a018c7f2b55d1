import {
  createKeyFile,
  type HomeFolder,
  KEY_KINDS,
  type KeyKind,
  type KeySecret,
  keyPath,
  readKeyFile,
  readKeySecret,
  SEED_BYTES
} from '../config/index.ts'
import { type Ed25519KeyPair, ed25519FromSeed } from '../core/ed25519.ts'
import { errorCode, UsageError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { mnemonicSeed, newMnemonic } from '../ton/index.ts'

/** The keys of a home folder. */
export interface NodeKeys {
  /** 32-byte seed of the libp2p peer key. */
  peerSeed: Uint8Array
  /** Owns the wallet. */
  wallet: Ed25519KeyPair
  /** Signs vouchers as a payer and agreements to close as a payee. */
  channel: Ed25519KeyPair
}

/**
 * Reads all keys before anything else starts: a wrong passphrase must not leave a node half open.
 *
 * @throws {UsageError} `KEY_NEEDS_PASSPHRASE`, `KEY_WRONG_PASSPHRASE`
 * @throws {EnvironmentError} `KEY_MISSING`, `KEY_FILE_CORRUPT`, `KEY_FILE_PERMISSIONS`
 */
export async function readKeys(home: HomeFolder, passphrase: string | undefined): Promise<NodeKeys> {
  const options = passphrase === undefined ? {} : { passphrase }
  // Side by side: each of them costs a second of one core where a passphrase is set.
  const [peer, wallet, channel] = await Promise.all([
    readKeyFile(home, 'peer', options),
    readKeyFile(home, 'wallet', options),
    readKeyFile(home, 'channel', options)
  ])
  return nodeKeys({ peer, wallet, channel })
}

export interface CreateKeysInit {
  passphrase?: string
  random: Random
  /**
   * Words of the wallet.
   * @default new ones
   */
  words?: readonly string[]
}

/**
 * Makes every key that a home folder lacks. Never overwrites one: those that an earlier try left are used, if they are
 * protected as asked for and, for the wallet, made of the words that are given.
 *
 * @throws {UsageError} `KEY_EXISTS` if there is one in plain text where a passphrase is wanted, or another wallet than the words'
 * @throws {UsageError} `KEY_NEEDS_PASSPHRASE`, `KEY_WRONG_PASSPHRASE`, `KEY_PASSPHRASE_EMPTY`
 * @throws {EnvironmentError} `HOME_NOT_WRITABLE`, `KEY_FILE_CORRUPT`, `KEY_FILE_PERMISSIONS`
 */
export async function createKeys(home: HomeFolder, { passphrase, random, words }: CreateKeysInit): Promise<NodeKeys> {
  const options = passphrase === undefined ? {} : { passphrase }
  const seeds: Partial<Record<KeyKind, Uint8Array>> = {}
  for (const kind of KEY_KINDS) {
    // Before any key is made: those that are there must open with this passphrase.
    const seed = await leftKey(home, kind, passphrase)
    if (seed !== undefined) {
      seeds[kind] = seed
    }
  }
  const given = words && (await walletSecret(words))
  if (given !== undefined && seeds.wallet !== undefined && !isSameSeed(given.seed, seeds.wallet)) {
    throw otherWallet(keyPath(home, 'wallet'))
  }
  const missing = KEY_KINDS.filter(kind => seeds[kind] === undefined)
  await Promise.all(
    missing.map(async kind => {
      const secret =
        kind === 'wallet'
          ? (given ?? (await walletSecret(await newMnemonic(random))))
          : { seed: random.bytes(SEED_BYTES) }
      await createKeyFile(home, kind, secret, options)
      seeds[kind] = secret.seed
    })
  )
  return nodeKeys(seeds as Record<KeyKind, Uint8Array>)
}

/** What is kept of a wallet that is made of words. */
export async function walletSecret(words: readonly string[]): Promise<KeySecret> {
  return { seed: await mnemonicSeed(words), words }
}

export function isSameSeed(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.from(one).equals(other)
}

/** `KEY_EXISTS`: a wallet's key is never replaced by another's. */
export function otherWallet(path: string): UsageError {
  return new UsageError(
    'KEY_EXISTS',
    `${path} holds the key of another wallet than these words: make a home of its own for them with "cocoon-node init --mnemonic --home <folder>"`,
    { details: { path, kind: 'wallet' } }
  )
}

function nodeKeys(seeds: Record<KeyKind, Uint8Array>): NodeKeys {
  return {
    peerSeed: seeds.peer,
    wallet: ed25519FromSeed(seeds.wallet),
    channel: ed25519FromSeed(seeds.channel)
  }
}

/**
 * The seed that an earlier try left; undefined if there is none. One in plain text where a passphrase is wanted counts as
 * none: making it again says so.
 *
 * @throws {UsageError} `KEY_NEEDS_PASSPHRASE`, `KEY_WRONG_PASSPHRASE`
 * @throws {EnvironmentError} `KEY_FILE_CORRUPT`, `KEY_FILE_PERMISSIONS`
 */
async function leftKey(
  home: HomeFolder,
  kind: KeyKind,
  passphrase: string | undefined
): Promise<Uint8Array | undefined> {
  try {
    const { seed } = await readKeySecret(home, kind)
    return passphrase === undefined ? seed : undefined
  } catch (err) {
    switch (errorCode(err)) {
      case 'KEY_MISSING':
        return undefined
      case 'KEY_NEEDS_PASSPHRASE':
        return readKeyFile(home, kind, passphrase === undefined ? {} : { passphrase })
      default:
        throw err
    }
  }
}
