import type { Config } from '../config/index.ts'
import { EnvironmentError } from '../core/errors.ts'
import { GLOBAL_IDS, walletAddress } from '../ton/index.ts'

/**
 * Refuses a wallet key that is not the one this home was made with: books, channels and money belong to that one.
 *
 * @returns raw address of the wallet
 * @throws {EnvironmentError} `WALLET_MISMATCH`
 */
export async function requireOwnWallet(
  publicKey: Uint8Array,
  config: Pick<Config, 'network' | 'wallet'>
): Promise<string> {
  const address = await walletAddress(publicKey, GLOBAL_IDS[config.network])
  if (config.wallet !== undefined && config.wallet !== address) {
    throw new EnvironmentError('WALLET_MISMATCH', await explain(publicKey, address, config.wallet, config.network), {
      details: { expected: config.wallet, found: address }
    })
  }
  return address
}

async function explain(publicKey: Uint8Array, found: string, expected: string, network: string): Promise<string> {
  for (const [name, globalId] of Object.entries(GLOBAL_IDS)) {
    if ((await walletAddress(publicKey, globalId)) === expected) {
      return `config.json names wallet ${expected}, which is this key's on ${name}, but "network" is ${network}: make a home for each network`
    }
  }
  return `config.json names wallet ${expected}, but the key is that of ${found}: restore the key that belongs to this home, or use another home`
}
