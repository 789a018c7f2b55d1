import { createKeyFile, type HomeFolder, KEY_KINDS, type KeyKind, readKeyFile, SEED_BYTES } from '../config/index.ts'
import { type Ed25519KeyPair, ed25519FromSeed } from '../core/ed25519.ts'
import { errorCode } from '../core/errors.ts'
import type { Random } from '../core/random.ts'

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
 * @throws {EnvironmentError} `KEY_FILE_CORRUPT`, `KEY_FILE_PERMISSIONS`
 */
export async function readKeys(home: HomeFolder, passphrase: string | undefined): Promise<NodeKeys> {
  const options = passphrase === undefined ? {} : { passphrase }
  return {
    peerSeed: await readKeyFile(home, 'peer', options),
    wallet: ed25519FromSeed(await readKeyFile(home, 'wallet', options)),
    channel: ed25519FromSeed(await readKeyFile(home, 'channel', options))
  }
}

/**
 * Makes every key that a home folder lacks. Never overwrites one: those that an earlier try left are used, if they are
 * protected as asked for.
 *
 * @throws {UsageError} `KEY_EXISTS` if there is one in plain text where a passphrase is wanted
 * @throws {UsageError} `KEY_NEEDS_PASSPHRASE`, `KEY_WRONG_PASSPHRASE`, `KEY_PASSPHRASE_EMPTY`
 * @throws {EnvironmentError} `HOME_NOT_WRITABLE`, `KEY_FILE_CORRUPT`, `KEY_FILE_PERMISSIONS`
 */
export async function createKeys(home: HomeFolder, passphrase: string | undefined, random: Random): Promise<void> {
  const options = passphrase === undefined ? {} : { passphrase }
  const missing: KeyKind[] = []
  for (const kind of KEY_KINDS) {
    const left = await leftKey(home, kind)
    if (left === 'sealed') {
      // Before any key is made: all of them must open with one passphrase.
      await readKeyFile(home, kind, options)
    } else if (left === 'none' || passphrase !== undefined) {
      missing.push(kind)
    }
  }
  for (const kind of missing) {
    await createKeyFile(home, kind, random.bytes(SEED_BYTES), options)
  }
}

async function leftKey(home: HomeFolder, kind: KeyKind): Promise<'none' | 'plain' | 'sealed'> {
  try {
    await readKeyFile(home, kind)
    return 'plain'
  } catch (err) {
    switch (errorCode(err)) {
      case 'KEY_MISSING':
        return 'none'
      case 'KEY_NEEDS_PASSPHRASE':
        return 'sealed'
      default:
        throw err
    }
  }
}
