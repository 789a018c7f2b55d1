import { systemClock } from '../core/clock.ts'
import type { Ed25519KeyPair } from '../core/ed25519.ts'
import type { Random } from '../core/random.ts'
import type { ChainRpcComponents, ChainRpcInit } from './chain-rpc.ts'
import type { TonChain } from './ton-chain.ts'
import type { TonWallet, WalletSharedNotice } from './ton-wallet.ts'
import { systemSleep } from './wait.ts'

export { ChainRefusedError, ChainTimeoutError, ChainUnreachableError, NotEnoughBalanceError } from './chain-errors.ts'
export { type ChannelTerms, channelAddress } from './channel-address.ts'
export { CHANNEL_EXIT_CODES } from './channel-contract.ts'
export type { ChainReceipt, ClaimVoucher, CoopCloseOrder } from './channel-orders.ts'
export type { ChannelView } from './channel-view.ts'
export {
  ChainBlockUnknownError,
  ChainInconsistentError,
  ChainLaggingError,
  ChainWrongNetworkError
} from './endpoint-errors.ts'
export { ChainHistoryIncompleteError, type OpenedChannel } from './opened-channels.ts'
export type { TonChain } from './ton-chain.ts'
export type { SentTransfer, TonWallet, WalletSharedNotice } from './ton-wallet.ts'
export { type ChainTransaction, networkFees, type OutgoingMessage } from './transactions.ts'
export { poll, type Sleep, systemSleep } from './wait.ts'

/** Network ids (configuration parameter 19). */
export const GLOBAL_IDS = { mainnet: -239, testnet: -3, simnet: -217 } as const

/** The network's id is one of {@link GLOBAL_IDS}. */
export interface TonInit extends ChainRpcInit {
  /** Key of the wallet. */
  key: Ed25519KeyPair
  /**
   * How long to wait for a transaction, in milliseconds.
   * @default 90_000
   */
  timeoutMs?: number
  /**
   * How long a signed transfer is valid, in seconds of the chain's time.
   * @default 60
   */
  validForSeconds?: number
  /**
   * How much later than a transfer's validity the chain's time must be before it counts as expired, in seconds.
   * @default 5
   */
  expiryMarginSeconds?: number
}

export interface TonComponents extends ChainRpcComponents {
  /** Told when somebody else sends from the same wallet. */
  onWalletShared?: (notice: WalletSharedNotice) => void
}

/** The chain and the wallet of one key on it. Makes no request. The TON libraries are loaded here, not before. */
export async function createTon(
  components: TonComponents,
  init: TonInit
): Promise<{ chain: TonChain; wallet: TonWallet }> {
  const [{ ChainRpc }, { TonChain }, { TonWallet }, { PriceBoard }] = await Promise.all([
    import('./chain-rpc.ts'),
    import('./ton-chain.ts'),
    import('./ton-wallet.ts'),
    import('./price-board.ts')
  ])
  const sleep = components.sleep ?? systemSleep
  const rpc = new ChainRpc(components, init)
  const prices = new PriceBoard({ rpc, clock: components.clock ?? systemClock })
  const { onWalletShared } = components
  const shared = onWalletShared === undefined ? {} : { onShared: onWalletShared }
  const wallet = new TonWallet({ rpc, prices, sleep, ...shared }, init)
  return { chain: new TonChain({ rpc, wallet, prices, sleep }, init), wallet }
}

/** Raw address of the W5 wallet that a key has on a network. Makes no request. */
export async function walletAddress(publicKey: Uint8Array, globalId: number): Promise<string> {
  const wallet = await import('./wallet-message.ts')
  return wallet.walletAddress(publicKey, globalId)
}

/** New words of a wallet (TON's standard, 24 words). Makes no request. */
export async function newMnemonic(random: Random): Promise<string[]> {
  const mnemonic = await import('./mnemonic.ts')
  return mnemonic.newMnemonic(random)
}

/**
 * The words in a text that somebody typed.
 *
 * @throws {UsageError} `MNEMONIC_INVALID`; the error holds none of them
 */
export async function readMnemonic(text: string): Promise<string[]> {
  const mnemonic = await import('./mnemonic.ts')
  return mnemonic.readMnemonic(text)
}

/** The 32-byte Ed25519 seed of a wallet's words. */
export async function mnemonicSeed(words: readonly string[]): Promise<Uint8Array> {
  const mnemonic = await import('./mnemonic.ts')
  return mnemonic.mnemonicSeed(words)
}

/** An address as wallets show it: not bounceable, and marked as a testnet's anywhere but on mainnet. Takes a raw one. */
export async function friendlyAddress(address: string, globalId: number): Promise<string> {
  const wallet = await import('./wallet-message.ts')
  return wallet.friendlyAddress(address, globalId)
}
