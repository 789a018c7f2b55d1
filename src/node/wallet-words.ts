import {
  corruptKey,
  createKeyFile,
  type HomeFolder,
  homeFolder,
  keyPath,
  loadConfig,
  lockHome,
  openHome,
  readKeyFile,
  readKeySecret
} from '../config/index.ts'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { ed25519FromSeed } from '../core/ed25519.ts'
import { errorCode, UsageError } from '../core/errors.ts'
import { mnemonicSeed, readMnemonic } from '../ton/index.ts'
import { isSameSeed, otherWallet, walletSecret } from './keys.ts'
import { requireOwnWallet } from './wallet-check.ts'

export interface WalletWordsInit {
  /** Path of the home folder. */
  home: string
  passphrase?: string
}

/**
 * The words of a home's wallet. Whoever has them has its money.
 *
 * @throws {UsageError} `WALLET_WITHOUT_WORDS` if its key was never made of any
 * @throws {UsageError} `KEY_NEEDS_PASSPHRASE`, `KEY_WRONG_PASSPHRASE`
 * @throws {EnvironmentError} `HOME_MISSING`, `KEY_MISSING`, `KEY_FILE_CORRUPT`, `KEY_FILE_PERMISSIONS`, `WALLET_MISMATCH`
 */
export async function exportWallet(
  init: WalletWordsInit,
  options: AbortOptions = {}
): Promise<{ walletAddress: string; words: readonly string[] }> {
  const home = homeFolder(init.home)
  await openHome(home, options)
  const config = await loadConfig(home, options)
  const { seed, words } = await readKeySecret(home, 'wallet', { ...options, ...passphraseOf(init) })
  const walletAddress = await requireOwnWallet(ed25519FromSeed(seed).publicKey, config)
  if (words === undefined) {
    throw new UsageError(
      'WALLET_WITHOUT_WORDS',
      `The key of wallet ${walletAddress} was not made of words: to back it up, copy ${keyPath(home, 'wallet')}`,
      { details: { wallet: walletAddress } }
    )
  }
  if (!isSameSeed(await mnemonicSeed(words), seed)) {
    throw corruptKey(keyPath(home, 'wallet'), 'wallet')
  }
  return { walletAddress, words }
}

/**
 * Puts the wallet of these words into a home that lost its key. Where the very same key is there, nothing changes.
 *
 * @param text the words as they were typed
 * @throws {UsageError} `MNEMONIC_INVALID`, `KEY_EXISTS` if another wallet's key is there
 * @throws {UsageError} `KEY_NEEDS_PASSPHRASE`, `KEY_WRONG_PASSPHRASE`: the key is protected as the home's others are
 * @throws {EnvironmentError} `WALLET_MISMATCH` if the home was made with another wallet
 * @throws {EnvironmentError} `HOME_MISSING`, `HOME_LOCKED`, `HOME_NOT_WRITABLE`, `KEY_FILE_CORRUPT`, `KEY_FILE_PERMISSIONS`
 */
export async function importWallet(
  init: WalletWordsInit,
  text: string,
  options: AbortOptions = {}
): Promise<{ walletAddress: string; imported: boolean }> {
  const secret = await walletSecret(await readMnemonic(text))
  const home = homeFolder(init.home)
  await openHome(home, options)
  const config = await loadConfig(home, options)
  const lock = await lockHome(home, options)
  try {
    const present = await presentSeed(home, { ...options, ...passphraseOf(init) })
    if (present !== undefined && !isSameSeed(present, secret.seed)) {
      throw otherWallet(keyPath(home, 'wallet'))
    }
    const walletAddress = await requireOwnWallet(ed25519FromSeed(secret.seed).publicKey, config)
    if (present === undefined) {
      const protection = (await isProtected(home, { ...options, ...passphraseOf(init) })) ? passphraseOf(init) : {}
      throwIfAborted(options.signal)
      await createKeyFile(home, 'wallet', secret, { ...options, ...protection })
    }
    return { walletAddress, imported: present === undefined }
  } finally {
    await lock.release()
  }
}

function passphraseOf({ passphrase }: WalletWordsInit): { passphrase?: string } {
  return passphrase === undefined ? {} : { passphrase }
}

async function presentSeed(
  home: HomeFolder,
  options: AbortOptions & { passphrase?: string }
): Promise<Uint8Array | undefined> {
  try {
    return await readKeyFile(home, 'wallet', options)
  } catch (err) {
    if (errorCode(err) === 'KEY_MISSING') {
      return undefined
    }
    throw err
  }
}

/** Whether the home's other keys are sealed; they have to open with the passphrase. */
async function isProtected(home: HomeFolder, options: AbortOptions & { passphrase?: string }): Promise<boolean> {
  try {
    await readKeyFile(home, 'channel')
    return false
  } catch (err) {
    if (errorCode(err) !== 'KEY_NEEDS_PASSPHRASE') {
      throw err
    }
    await readKeyFile(home, 'channel', options)
    return true
  }
}
