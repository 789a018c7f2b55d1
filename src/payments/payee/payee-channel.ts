import { addNano, maxNano, minNano, type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { ChannelTerms, ChannelView } from '../chain.ts'
import { PaymentRefusal, VoucherStaleError } from '../refusal.ts'
import type { Voucher } from '../voucher.ts'

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
export function weighVoucher(c: PayeeChannel, voucher: Voucher, nowMs: number): VoucherVerdict {
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
    next: withVoucher(c, voucher, nowMs),
    credited: subNanoFloor(voucher.cumulative, c.accepted)
  }
}

/** The channel with a higher voucher, or with the signature on the amount that it knows. */
export function withVoucher(c: PayeeChannel, { cumulative, signature }: Voucher, nowMs: number): PayeeChannel {
  const waits = cumulative > c.settled
  return {
    ...c,
    accepted: cumulative,
    signature,
    unclaimedSinceMs: waits && claimable(c) === 0n ? nowMs : c.unclaimedSinceMs,
    lastUsedAtMs: nowMs
  }
}

/** The highest voucher held, with the payer's signature; undefined before the first. */
export function highestVoucher(c: PayeeChannel): Voucher | undefined {
  const { channel, openedLt, accepted: cumulative, signature } = c
  return signature.byteLength === 0 ? undefined : { channel, openedLt, cumulative, signature }
}

/**
 * After a crash nobody knows how far the running jobs came: everything that was paid may have been delivered. Beyond
 * what they were charged when the record was last written it is uncertain.
 */
export function afterPayeeCrash(c: PayeeChannel): PayeeChannel {
  if (c.running.length === 0) {
    return c
  }
  const known = addNano(c.delivered, c.charged)
  return { ...countAll({ ...c, delivered: known, charged: ZERO_NANO_TON }, ZERO_NANO_TON), running: [] }
}

/**
 * Counts everything that was accepted as delivered: what we do not know for certain is the client's to tell.
 *
 * @param charged what jobs that go on were charged
 */
export function countAll(c: PayeeChannel, charged: NanoTon): PayeeChannel {
  const rise = subNanoFloor(c.accepted, addNano(c.delivered, charged))
  return { ...c, delivered: addNano(c.delivered, rise), uncertain: addNano(c.uncertain, rise) }
}

/**
 * Takes the client's word on what is uncertain, between what we know to be delivered and what was paid. Certain work is
 * never given back.
 *
 * @param spent what the client is certain to have received, in all
 */
export function settleUncertain(c: PayeeChannel, spent: NanoTon): PayeeChannel {
  const delivered = maxNano(subNanoFloor(c.delivered, c.uncertain), minNano(spent, c.accepted))
  return delivered === c.delivered && c.uncertain === 0n ? c : { ...c, delivered, uncertain: ZERO_NANO_TON }
}

/** A running job is over and used `cost`. */
export function endPayeeJob(c: PayeeChannel, line: string, cost: NanoTon, nowMs: number): PayeeChannel {
  return {
    ...c,
    delivered: addNano(c.delivered, cost),
    running: c.running.filter(key => key !== line),
    lastUsedAtMs: nowMs
  }
}

/** What a claim would bring now: accepted, not on chain yet, and not given up by an agreement that still counts. */
export function claimable(c: PayeeChannel): NanoTon {
  return c.state === 'closed' || isBound(c) ? ZERO_NANO_TON : subNanoFloor(c.accepted, c.settled)
}

/**
 * Whether the only voucher we could claim is over more than we agreed to close at. A payer that starts to close alone
 * gives that agreement up.
 */
export function isBound(c: PayeeChannel): boolean {
  return c.agreed.validUntil > 0 && c.closeAtMs === 0 && c.accepted > c.agreed.cumulative
}

/** @throws {PaymentRefusal} `CHANNEL_CLOSING`, `CHANNEL_CLOSED` or `CHANNEL_RESYNC` */
export function requireServing(c: PayeeChannel): void {
  if (c.state !== 'open') {
    throw new PaymentRefusal(
      c.state === 'closing' ? 'CHANNEL_CLOSING' : 'CHANNEL_CLOSED',
      `Channel ${c.channel} is ${c.state}: nothing is accepted or served on it, open another one`
    )
  }
  if (c.needsResync) {
    throw needsResync(c.channel)
  }
}

export function needsResync(channel: string): PaymentRefusal {
  return new PaymentRefusal(
    'CHANNEL_RESYNC',
    `The books on channel ${channel} are older than yours here: say what you hold of it first`
  )
}

/**
 * Only the client that brought a channel may ask about it; anybody else learns no more than of an unknown one.
 *
 * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`
 */
export function requireOwner(c: PayeeChannel, from: string): void {
  if (c.peerId !== from) {
    throw unknownChannel(c.channel)
  }
}

export function unknownChannel(channel: string): PaymentRefusal {
  return new PaymentRefusal('CHANNEL_UNKNOWN', `Channel ${channel} is not known here: send its terms first`)
}
