import type { AbortOptions } from '../core/abort.ts'
import type { NanoTon } from '../core/nano-ton.ts'

/** What fixes a channel's address together with the contract's code (design §7). Addresses are raw: `0:<64 hex>`. */
export interface ChannelTerms {
  /** Network the vouchers are valid on: the chain's global id. */
  globalId: number
  /** Ed25519 key that signs vouchers, 32 bytes. */
  payerKey: Uint8Array
  payerAddress: string
  /** Ed25519 key that agrees to a cooperative close, 32 bytes. */
  payeeKey: Uint8Array
  payeeAddress: string
  /** Random 64 bits: one pair may have many channels. */
  salt: bigint
  /** How long claims are still accepted after the payer started to close alone. */
  challengeSeconds: number
}

/** A channel as the chain has it. Amounts are zero and `openedLt` is 0 when it is missing. */
export interface ChannelView {
  state: 'open' | 'closing' | 'missing'
  /** Everything the payer put in; only grows. */
  deposit: NanoTon
  /** Highest cumulative amount paid out; only grows. */
  settled: NanoTon
  /** When a started close may be finished, Unix milliseconds; 0 unless closing. */
  closeAtMs: number
  /** Logical time of the opening transaction: tells this opening from an earlier one at the same address. */
  openedLt: bigint
  /** Nanotons the contract holds now. */
  balance: NanoTon
  /** Chain time of the block this was read from, Unix milliseconds. */
  asOfMs: number
}

/** A block of the chain. */
export interface ChainTip {
  height: number
  hash: Uint8Array
  timeMs: number
}

/** A voucher as the contract takes it: the very amount and signature that the payer made. */
export interface ClaimVoucher {
  openedLt: bigint
  cumulative: NanoTon
  signature: Uint8Array
}

/** The payee's agreement to close now with `cumulative` paid in all; more than is settled only if the payer sends it. */
export interface CoopCloseOrder {
  openedLt: bigint
  cumulative: NanoTon
  /** Last second in which the agreement counts, Unix seconds of the chain. */
  validUntil: number
  payeeSignature: Uint8Array
}

/** Hash of the transaction that did it, hex. */
export interface ChainReceipt {
  transaction: string
}

/** What each message costs its sender in the end, attached value that comes back left out: nanotons, from the chain's prices of the hour. */
export interface ChainFees {
  open: NanoTon
  topUp: NanoTon
  claim: NanoTon
  /** Taken from the payout. */
  externalClaim: NanoTon
  coopClose: NanoTon
  startClose: NanoTon
  finish: NanoTon
}

/** Prices a step before it is taken. */
export interface FeeSource {
  fees(options?: AbortOptions): Promise<ChainFees>
}

/** A channel that a wallet once opened, whatever became of it. */
export interface OpenedChannel {
  channel: string
  terms: ChannelTerms
}

/** Finds the channels of a payer that lost its ledger. */
export interface ChannelFinder {
  /** Every channel our wallet ever opened, from the wallet's own history on the chain. */
  openedChannels(options?: AbortOptions): Promise<OpenedChannel[]>
}

/**
 * The chain as payments need it; `src/ton` is the real one. Every write resolves once its transaction is confirmed
 * and rejects if the contract refused it. An error whose `details.sent` is `false` promises that nothing was sent;
 * after any other error the message may still land.
 */
export interface Chain {
  readonly globalId: number
  tip(options?: AbortOptions): Promise<ChainTip>
  /** Raw address of the channel with these terms. Needs no network. */
  channelAddress(terms: ChannelTerms): string
  readChannel(channel: string, options?: AbortOptions): Promise<ChannelView>
  /** Deploys and funds the channel with one message from the payer's wallet. */
  openChannel(
    terms: ChannelTerms,
    deposit: NanoTon,
    options?: AbortOptions
  ): Promise<ChainReceipt & { channel: string; openedLt: bigint }>
  topUp(channel: string, amount: NanoTon, options?: AbortOptions): Promise<ChainReceipt>
  /** Pays the payee up to the voucher's amount. Anyone may send it. */
  claim(channel: string, voucher: ClaimVoucher, options?: AbortOptions): Promise<ChainReceipt>
  /**
   * The same without a coin in the wallet: gas comes out of the payout.
   *
   * @throws {MoneyError} `CLAIM_TOO_SMALL` if the payout would not cover it
   */
  claimExternally(channel: string, voucher: ClaimVoucher, options?: AbortOptions): Promise<ChainReceipt>
  /** Pays out both sides at once and removes the channel. */
  coopClose(channel: string, order: CoopCloseOrder, options?: AbortOptions): Promise<ChainReceipt>
  /** The payer starts to close alone; claims count until the challenge period is over. */
  startClose(channel: string, options?: AbortOptions): Promise<ChainReceipt>
  /** Anyone may finish a close whose challenge period is over. */
  finish(channel: string, options?: AbortOptions): Promise<ChainReceipt>
}
