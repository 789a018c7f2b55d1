import { stat } from 'node:fs/promises'
import {
  type ConfigFile,
  createHome as createHomeFolder,
  homeFolder,
  lockHome,
  type Network,
  writeConfig
} from '../config/index.ts'
import { UsageError } from '../core/errors.ts'
import { systemRandom } from '../core/random.ts'
import { peerIdentity } from '../mesh/index.ts'
import { friendlyAddress, GLOBAL_IDS, readMnemonic, walletAddress } from '../ton/index.ts'
import { createKeys } from './keys.ts'

export interface CreateHomeInit {
  home: string
  network: Network
  /** toncenter API of the chain; the network's public one if omitted. */
  chainEndpoint?: string
  bootstrap?: string[]
  /** Encrypts the key files. */
  passphrase?: string
  /**
   * Words of the wallet, as they were typed.
   * @default new ones
   */
  mnemonic?: string
}

export interface CreatedHome {
  home: string
  peerId: string
  /** Raw. */
  walletAddress: string
  /** The same as wallets show it. */
  friendlyAddress: string
}

/**
 * Makes a home folder with its keys and configuration. The configuration is written last: a home without one is not
 * a home yet, and a second try goes on where the first one stopped.
 *
 * @throws {UsageError} `HOME_EXISTS`, `CONFIG_INVALID`, `MNEMONIC_INVALID`; `KEY_EXISTS` or `KEY_WRONG_PASSPHRASE` if an earlier try
 *   left keys that the passphrase does not protect, or another wallet than that of the words
 * @throws {EnvironmentError} `HOME_NOT_WRITABLE`, `HOME_LOCKED`
 */
export async function createHome(init: CreateHomeInit): Promise<CreatedHome> {
  const home = homeFolder(init.home)
  if ((await stat(home.configFile).catch(() => undefined)) !== undefined) {
    throw new UsageError('HOME_EXISTS', `${home.path} holds a node already: use it, or name another folder with --home`)
  }
  const { passphrase, mnemonic, network } = init
  const words = mnemonic === undefined ? undefined : await readMnemonic(mnemonic)
  await createHomeFolder(home)
  const lock = await lockHome(home)
  try {
    const keys = await createKeys(home, {
      random: systemRandom,
      ...(passphrase === undefined ? {} : { passphrase }),
      ...(words === undefined ? {} : { words })
    })
    const address = await walletAddress(keys.wallet.publicKey, GLOBAL_IDS[network])
    await writeConfig(home, configOf(init, address))
    const { id } = await peerIdentity(keys.peerSeed)
    return {
      home: home.path,
      peerId: id,
      walletAddress: address,
      friendlyAddress: await friendlyAddress(address, GLOBAL_IDS[network])
    }
  } finally {
    await lock.release()
  }
}

function configOf({ network, chainEndpoint, bootstrap }: CreateHomeInit, wallet: string): ConfigFile {
  return {
    network,
    wallet,
    ...(chainEndpoint === undefined ? {} : { chain: { endpoint: chainEndpoint } }),
    ...(bootstrap === undefined && network !== 'simnet'
      ? {}
      : {
          mesh: {
            ...(bootstrap === undefined ? {} : { bootstrap }),
            // A simnet lives on this machine and must not reach the rest of the network.
            ...(network === 'simnet' ? { listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false } : {})
          }
        })
  }
}
