import type { KeyObject } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import type { Ed25519KeyPair } from '../../core/ed25519.ts'
import type { Logger } from '../../core/logger.ts'
import type { NanoTon } from '../../core/nano-ton.ts'
import type { Chain } from '../chain.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Voucher } from '../voucher.ts'
import type { AdmissionRules } from './payee-admission.ts'
import type { PayeeChannelState } from './payee-channel.ts'

export interface PayeeComponents {
  ledger: Ledger
  chain: Chain
  clock: Clock
  logger: Logger
  /** Agrees to cooperative closes; its public half is in every channel's terms. */
  key: Ed25519KeyPair
  /** Raw address that claims pay to. */
  payeeAddress: string
  /** Waits between looks for a new channel; injected so that tests own time. */
  delay?: (ms: number, signal?: AbortSignal) => Promise<void>
  /**
   * Checks a voucher's signature beside the thread that keeps the books; injected so that tests own the order of events.
   * @default on Node's thread pool
   */
  verifyVoucher?: (payerKey: KeyObject, globalId: number, voucher: Voucher) => Promise<boolean>
}

export interface PayeeInit extends AdmissionRules {
  /**
   * A channel's chain state older than this is read again when it is used, milliseconds. Far below the challenge period.
   * @default 30_000
   */
  viewMaxAgeMs?: number
  /**
   * What may be accepted on a channel beyond what was accepted when the chain last showed it, once that is too long ago.
   * @default 50_000_000 (0.05 TON)
   */
  blindExposure?: NanoTon
  /**
   * The most that a channel's first voucher after a start may add, for each job that may have been under way: a window. If
   * it adds more, our books are an old backup, and nothing is served before the client told what it holds.
   * @default any amount is believed; only the chain can show that the books are old
   */
  resyncJump?: NanoTon
  /**
   * How long a channel that a client says it opened is looked for, milliseconds: our server may be blocks behind.
   * @default 0: one that is not there is refused at once
   */
  arrivalMs?: number
  /**
   * Least time between two chain reads that vouchers above the deposit can cause, milliseconds.
   * @default 1_000
   */
  rereadMs?: number
  /**
   * A lower voucher that comes this soon after a higher one was overtaken on its way by another job's, milliseconds.
   * @default 2_000
   */
  overtakenMs?: number
}

/** A payee's channel as people and programs see it. */
export interface PayeeChannelInfo {
  channel: string
  peerId: string
  payerAddress: string
  state: PayeeChannelState
  openedLt: bigint
  /** Locked by the payer, confirmed by the chain. */
  locked: NanoTon
  /** Highest voucher held. */
  promised: NanoTon
  settled: NanoTon
  /** Promised and not claimed yet. */
  claimable: NanoTon
  /** Cost of all jobs, running ones at what they were charged. */
  delivered: NanoTon
  /** How long claims count after the payer started to close alone, seconds. */
  challengeSeconds: number
  /** When a started close may be finished, Unix milliseconds of the chain; 0 unless the chain says that it is closing. */
  closeAtMs: number
  /** Until when a close that we agreed to counts, Unix milliseconds of the chain; 0 if there is none. */
  agreedUntilMs: number
  /** When the oldest voucher that is not yet on chain was accepted, Unix milliseconds; undefined if nothing is claimable. */
  unclaimedSinceMs: number | undefined
  /** When a voucher or a job last came or a job ended, Unix milliseconds. */
  lastUsedAtMs: number
  runningJobs: number
  /** When the chain was last read, Unix milliseconds; undefined if not since the start. */
  checkedAtMs: number | undefined
  /** Our books are older than the client's: nothing is served before it told what it holds. */
  needsResync: boolean
}

export interface AcceptedVoucher {
  /** Highest amount accepted on the channel. */
  cumulative: NanoTon
  /** What this voucher added. */
  credited: NanoTon
}

export interface PayeeJobInit {
  /** Hex. */
  jobId: string
  /** libp2p peer id of the client. The first job's client is the only one that may use the channel. */
  peerId: string
  /** The first voucher of the job. */
  voucher?: Voucher
  /**
   * What must be free for this job alone when it starts.
   * @default 0
   */
  firstPayment?: NanoTon
  /** Called once the payment was checked and is about to be written: work may begin, nothing may be released yet. */
  onChecked?: () => void
}

/** What a client says that it holds of a channel. */
export interface HeldByPayer {
  /** Its highest voucher. */
  voucher: Voucher | undefined
  /** What it is certain to have received, in all. */
  spent: NanoTon
}

/** What we hold of a channel. */
export interface HeldByPayee {
  info: PayeeChannelInfo
  highest: Voucher | undefined
}

/** The payee's consent to a cooperative close, for the payer to send to the chain: its message pays the total. */
export interface AgreedClose {
  channel: string
  openedLt: bigint
  cumulative: NanoTon
  /** Last second in which the consent counts, Unix seconds of the chain. */
  validUntil: number
  payeeSignature: Uint8Array
}
