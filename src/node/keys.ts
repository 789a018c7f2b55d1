import { createKeyFile, type HomeFolder, KEY_KINDS, readKeyFile, SEED_BYTES } from '../config/index.ts'
import { type Ed25519KeyPair, ed25519FromSeed } from '../core/ed25519.ts'
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

/** Makes every key of a new home folder. Never overwrites one. */
export async function createKeys(home: HomeFolder, passphrase: string | undefined, random: Random): Promise<void> {
  for (const kind of KEY_KINDS) {
    await createKeyFile(home, kind, random.bytes(SEED_BYTES), passphrase === undefined ? {} : { passphrase })
  }
}
