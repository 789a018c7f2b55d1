import type { AbortOptions } from '../../core/abort.ts'
import type { NanoTon } from '../../core/nano-ton.ts'
import type { Chain, ChannelTerms } from '../chain.ts'

/** How a channel ended: with the payee's agreement, after a close of the payer alone, or nobody knows any more. */
export type ChannelEnd = 'together' | 'alone' | 'unknown'

/** The chain as a guard needs it: nothing that takes a wallet. */
export interface GuardChain extends Pick<Chain, 'globalId' | 'readChannel' | 'claimExternally'> {
  /** Terms of the channel at an address, proven by the address. */
  readTerms(channel: string, options?: AbortOptions): Promise<ChannelTerms>
  /** How an opening of a channel that is gone ended, from its history. */
  howEnded(channel: string, openedLt: bigint, options?: AbortOptions): Promise<ChannelEnd>
}

/** What happened to a guarded channel. Amounts are nanotons, times Unix milliseconds. */
export type GuardNews =
  | { type: 'watching'; amount: NanoTon; due: NanoTon; payeeAddress: string; challengeSeconds: number }
  | { type: 'higher'; amount: NanoTon }
  | { type: 'closing'; due: NanoTon; closeAtMs: number; late: boolean }
  | { type: 'claimed'; paid: NanoTon; transaction: string }
  | { type: 'paid'; amount: NanoTon }
  | { type: 'too-small'; due: NanoTon; reason: string }
  | { type: 'over-deposit'; amount: NanoTon; deposit: NanoTon }
  | { type: 'over'; end: ChannelEnd; unpaid: NanoTon }
  | { type: 'refused'; amount: NanoTon; reason: string }
  | { type: 'trouble'; code: string; reason: string }

export type GuardEvent = { channel: string } & GuardNews
