import { addNano, maxNano, type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../core/nano-ton.ts'
import type { ChannelTerms, ChannelView } from './chain.ts'
import { PaymentRefusal, VoucherStaleError } from './refusal.ts'
import type { Voucher } from './voucher.ts'

/** `closing`: seen on chain or agreed to by us; nothing more is accepted or served. `closed`: gone from the chain. */
export type PayeeChannelState = 'open' | 'closing' | 'closed'

/** What a cooperative close that we agreed to pays in all, and until which second of the chain it counts. */
export interface AgreedTotal {
  cumulative: NanoTon
  validUntil: number
}

export const NOTHING_AGREED: AgreedTotal = { cumulative: ZERO_NANO_TON, validUntil: 0 }

/** The payee's record of a channel. All amounts are cumulative over the channel's life. */
export interface PayeeChannel {
  channel: string
  terms: ChannelTerms
  /** libp2p peer id of the one client that may use it; empty before its first job. */
  peerId: string
  state: PayeeChannelState
  openedLt: bigint
  /** Confirmed by the chain: vouchers above it are refused. */
  deposit: NanoTon
  /** Claimed on chain. */
  settled: NanoTon
  /** Highest voucher held. */
  accepted: NanoTon
  /** The payer's signature over `accepted`; empty before the first voucher. */
  signature: Uint8Array
  /** Cost of jobs that ended. */
  delivered: NanoTon
  /** The part of `delivered` that only a crash or an old backup made us count: the client may know better. */
  uncertain: NanoTon
  /** What running jobs were charged when this record was last written. */
  charged: NanoTon
  /** Ledger keys of running jobs' lines. */
  running: string[]
  /** The close we agreed to; 0 nanotons until second 0 if there is none. */
  agreed: AgreedTotal
  /** Chain time of the newest view that changed this record, Unix milliseconds: an older one changes nothing. */
  viewedAtMs: number
  /** When a close that the chain shows may be finished, Unix milliseconds; 0 unless it shows one. */
  closeAtMs: number
  /** When the oldest voucher that is not yet on chain was accepted, Unix milliseconds; 0 if none is. */
  unclaimedSinceMs: number
  /** When a voucher or a job last came or a job ended, Unix milliseconds. */
  lastUsedAtMs: number
  /** Our books are older than the client's: nothing is served before it told what it holds. */
  needsResync: boolean
}

/** A record of a channel seen for the first time, or opened anew. */
export function admitChannel(channel: string, terms: ChannelTerms, view: ChannelView, nowMs: number): PayeeChannel {
  return {
    channel,
    terms,
    peerId: '',
    state: 'open',
    openedLt: view.openedLt,
    deposit: view.deposit,
    settled: view.settled,
    // What an earlier record of ours claimed in this very opening is still paid for.
    accepted: view.settled,
    signature: new Uint8Array(),
    delivered: view.settled,
    uncertain: ZERO_NANO_TON,
    charged: ZERO_NANO_TON,
    running: [],
    agreed: NOTHING_AGREED,
    viewedAtMs: view.asOfMs,
    closeAtMs: 0,
    unclaimedSinceMs: 0,
    lastUsedAtMs: nowMs,
    needsResync: false
  }
}

/** What the chain says now. A channel that it has closed, or opened anew, is over for us. */
export function observePayeeChannel(c: PayeeChannel, view: ChannelView): PayeeChannel {
  if (view.state === 'missing' || view.openedLt !== c.openedLt) {
    return c.state === 'closed' ? c : { ...c, state: 'closed' }
  }
  const state = view.state === 'closing' ? 'closing' : c.state
  // Both only grow on chain, so an older view (a replica behind) must not lower them.
  const deposit = maxNano(c.deposit, view.deposit)
  const settled = maxNano(c.settled, view.settled)
  return state === c.state && deposit === c.deposit && settled === c.settled ? c : { ...c, state, deposit, settled }
}

/** What a voucher whose signature was checked does to a channel. */
export type VoucherVerdict =
  | { kind: 'known' }
  | { kind: 'credited'; next: PayeeChannel; credited: NanoTon }
  | { kind: 'over-deposit' }

/**
 * Weighs a voucher. The signature is the caller's to check first.
 *
 * @throws {PaymentRefusal} `VOUCHER_STALE` with the highest one
 */
export function weighVoucher(c: PayeeChannel, voucher: Voucher): VoucherVerdict {
  if (voucher.cumulative < c.accepted) {
    throw new VoucherStaleError(voucher, c.accepted, highestVoucher(c))
  }
  // A record rebuilt from the chain knows an amount without its signature: take the signature when it comes.
  if (voucher.cumulative === c.accepted && (c.accepted === 0n || c.signature.byteLength > 0)) {
    return { kind: 'known' }
  }
  if (voucher.cumulative > c.deposit) {
    return { kind: 'over-deposit' }
  }
  return {
    kind: 'credited',
    next: { ...c, accepted: voucher.cumulative, signature: voucher.signature },
    credited: subNanoFloor(voucher.cumulative, c.accepted)
  }
}

/** The highest voucher held, with the payer's signature; undefined before the first. */
export function highestVoucher(c: PayeeChannel): Voucher | undefined {
  const { channel, openedLt, accepted: cumulative, signature } = c
  return signature.byteLength === 0 ? undefined : { channel, openedLt, cumulative, signature }
}

/** After a crash nobody knows how far the running jobs came: everything that was paid may have been delivered. */
export function afterPayeeCrash(c: PayeeChannel): PayeeChannel {
  return c.running.length === 0 ? c : { ...c, delivered: c.accepted, running: [] }
}

/** A running job is over and used `cost`. */
export function endPayeeJob(c: PayeeChannel, line: string, cost: NanoTon): PayeeChannel {
  return { ...c, delivered: addNano(c.delivered, cost), running: c.running.filter(key => key !== line) }
}

/** Accepted but not on chain yet. */
export function claimable(c: PayeeChannel): NanoTon {
  return c.state === 'closed' ? ZERO_NANO_TON : subNanoFloor(c.accepted, c.settled)
}

/** @throws {PaymentRefusal} `CHANNEL_CLOSING` or `CHANNEL_CLOSED` */
export function requireServing(c: PayeeChannel): void {
  if (c.state !== 'open') {
    throw new PaymentRefusal(
      c.state === 'closing' ? 'CHANNEL_CLOSING' : 'CHANNEL_CLOSED',
      `Channel ${c.channel} is ${c.state}: nothing is accepted or served on it, open another one`
    )
  }
}
