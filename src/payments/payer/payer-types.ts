import type { Clock } from '../../core/clock.ts'
import type { Ed25519KeyPair } from '../../core/ed25519.ts'
import type { Logger } from '../../core/logger.ts'
import { addNano, type NanoTon, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { Random } from '../../core/random.ts'
import type { Chain, ChannelTerms } from '../chain.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { channelCredit, channelRoom, type PayerChannel, type PayerChannelState } from './payer-channel.ts'
import type { SpendingLimits } from './spending.ts'

export interface PayerComponents {
  ledger: Ledger
  chain: Chain
  clock: Clock
  random: Random
  logger: Logger
  /** Signs vouchers. */
  key: Ed25519KeyPair
  /** Raw address that deposits come from and go back to. */
  payerAddress: string
  /** Waits between looks at the chain; injected so that tests own time. */
  delay?: (ms: number, signal?: AbortSignal) => Promise<void>
}

export interface PayerInit {
  /**
   * What this node may spend.
   * @default no limits
   */
  limits?: SpendingLimits
  /**
   * After this a deposit message that is not on the chain can no longer get there, milliseconds. Must be longer than
   * the wallet's messages are valid.
   * @default 90_000
   */
  depositExpiryMs?: number
  /**
   * Pause between two looks at the chain, milliseconds.
   * @default 500
   */
  pollMs?: number
}

/** A payer's channel as people and programs see it. */
export interface PayerChannelInfo {
  channel: string
  /** Empty for a recovered channel whose provider was not found yet. */
  peerId: string
  payeeAddress: string
  /** What a payee recomputes the address from. */
  terms: ChannelTerms
  state: PayerChannelState
  openedLt: bigint
  deposit: NanoTon
  signed: NanoTon
  settled: NanoTon
  /** What jobs used, running ones counted with what they were promised. */
  used: NanoTon
  /** Signed but unused: the next job uses it first. */
  credit: NanoTon
  /** The part of `used` that the payee may not have delivered: settled by `reconcile`. */
  uncertain: NanoTon
  /** What further jobs may cost before a top-up. */
  room: NanoTon
  runningJobs: number
  /** Sent to the chain, or about to be, and not confirmed yet. */
  pendingDeposit: NanoTon
  /** When its opening was decided, Unix milliseconds; when it was found, if it was recovered. */
  openedAtMs: number
  /** When a job last paid over it, Unix milliseconds; its opening, before the first. */
  lastUsedAtMs: number
  /** When a close that the chain shows may be finished, Unix milliseconds; 0 unless it shows one. */
  closeAtMs: number
  /** The payee's agreement to close is stored and not on the chain yet: `close` needs no new one. */
  closeAgreed: boolean
}

export function describeChannel(c: PayerChannel): PayerChannelInfo {
  return {
    channel: c.channel,
    peerId: c.peerId,
    payeeAddress: c.terms.payeeAddress,
    terms: c.terms,
    state: c.state,
    openedLt: c.openedLt,
    deposit: c.deposit,
    signed: c.signed,
    settled: c.settled,
    used: addNano(c.spent, c.promised),
    credit: channelCredit(c),
    uncertain: c.uncertain,
    room: channelRoom(c),
    runningJobs: c.running.length,
    pendingDeposit: c.pending?.amount ?? ZERO_NANO_TON,
    openedAtMs: c.openedAtMs,
    lastUsedAtMs: c.lastUsedAtMs,
    closeAtMs: c.closeAtMs,
    closeAgreed: c.closeOrder !== undefined
  }
}
