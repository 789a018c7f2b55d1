import { MoneyError } from '../../core/errors.ts'
import { addNano, maxNano, minNano, type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { ChannelTerms, ChannelView, CoopCloseOrder } from '../chain.ts'
import { exhaustedText } from '../refusal.ts'

/**
 * `opening`: the deposit was sent or is about to be; `recovered`: found on the chain, nothing is signed before the payee
 * told what it holds; `closing`: nothing more is signed; `closed`: gone from the chain.
 */
export type PayerChannelState = 'opening' | 'open' | 'recovered' | 'closing' | 'closed'

/** Money on its way to the chain, stored before the message is sent. */
export interface PendingDeposit {
  amount: NanoTon
  /** Confirmed deposit when it was sent: more than this means that it arrived. */
  before: NanoTon
  sentAtMs: number
}

/**
 * The payer's record of a channel. All amounts are cumulative over the channel's life.
 *
 * What was signed pays, in this order, jobs that ended (`spent`) and jobs that run (`promised`); the rest is credit
 * that the next job uses first.
 */
export interface PayerChannel {
  channel: string
  terms: ChannelTerms
  /** libp2p peer id of the provider. */
  peerId: string
  state: PayerChannelState
  openedLt: bigint
  /** Confirmed by the chain. */
  deposit: NanoTon
  settled: NanoTon
  /** Highest amount ever signed. */
  signed: NanoTon
  /** Signature over `signed`; empty before the first voucher. */
  signature: Uint8Array
  spent: NanoTon
  /** The part of `spent` that the payee may not have delivered: jobs cut off before both sides agreed. */
  uncertain: NanoTon
  /** Sum over running jobs of what each was paid up to. */
  promised: NanoTon
  /** Ledger keys of running jobs' lines. */
  running: string[]
  pending?: PendingDeposit
  /** The payee's agreement to close, until the chain has it. */
  closeOrder?: CoopCloseOrder
  /** When its opening was decided, Unix milliseconds; when it was found, if it was recovered. */
  openedAtMs: number
  /** When a job last paid over it, Unix milliseconds; its opening, before the first. */
  lastUsedAtMs: number
  /** When a close that the chain shows may be finished, Unix milliseconds; 0 unless it shows one. */
  closeAtMs: number
  /** Chain time of the newest view booked, Unix milliseconds: an older one changes nothing. */
  viewedAtMs: number
}

/** A channel about to be opened. Store it, then send the deposit. */
export function planChannel(
  channel: string,
  terms: ChannelTerms,
  peerId: string,
  pending: PendingDeposit
): PayerChannel {
  return {
    channel,
    terms,
    peerId,
    state: 'opening',
    openedLt: 0n,
    deposit: ZERO_NANO_TON,
    settled: ZERO_NANO_TON,
    signed: ZERO_NANO_TON,
    signature: new Uint8Array(),
    spent: ZERO_NANO_TON,
    uncertain: ZERO_NANO_TON,
    promised: ZERO_NANO_TON,
    running: [],
    pending,
    openedAtMs: pending.sentAtMs,
    lastUsedAtMs: pending.sentAtMs,
    closeAtMs: 0,
    viewedAtMs: 0
  }
}

/**
 * A channel of ours that the chain has and the ledger had not. What is settled was signed by us once; what else was, the
 * payee has to tell.
 *
 * @param ours whether its vouchers are signed with our key; one that is not can only be closed
 */
export function recoveredChannel(
  channel: string,
  terms: ChannelTerms,
  view: ChannelView,
  ours: boolean,
  nowMs: number
): PayerChannel {
  const { openedLt, deposit, settled, closeAtMs, asOfMs } = view
  return {
    channel,
    terms,
    peerId: '',
    state: view.state === 'closing' || !ours ? 'closing' : 'recovered',
    openedLt,
    deposit,
    settled,
    signed: settled,
    signature: new Uint8Array(),
    spent: settled,
    uncertain: ZERO_NANO_TON,
    promised: ZERO_NANO_TON,
    running: [],
    openedAtMs: nowMs,
    lastUsedAtMs: nowMs,
    closeAtMs,
    viewedAtMs: asOfMs
  }
}

/** What no job has used or been promised: the most that further jobs may cost before a top-up. Never below zero. */
export function channelRoom(c: PayerChannel): NanoTon {
  return subNanoFloor(subNanoFloor(c.deposit, c.spent), c.promised)
}

/** Signed but not used by any job. */
export function channelCredit(c: PayerChannel): NanoTon {
  return subNanoFloor(subNanoFloor(c.signed, c.spent), c.promised)
}

/** Gone from the chain with `settled` paid out in all. */
export function closedChannel(c: PayerChannel, settled: NanoTon): PayerChannel {
  const closed = { ...c, state: 'closed' as const, settled: maxNano(c.settled, settled), closeAtMs: 0 }
  return without(without(closed, 'closeOrder'), 'pending')
}

/**
 * The channel after signing up to `cumulative`; the caller signs and fills in `signature`.
 *
 * @throws {MoneyError} `CHANNEL_CLOSING`, `CHANNEL_CLOSED`, `CHANNEL_NOT_OPEN` or `CHANNEL_EXHAUSTED`; `VOUCHER_LOWER` if it is
 *   below what was signed before
 */
export function authorizeUpTo(c: PayerChannel, cumulative: NanoTon): PayerChannel {
  requireOpen(c)
  if (cumulative < c.signed) {
    throw new MoneyError(
      'VOUCHER_LOWER',
      `${cumulative} nanotons is below the ${c.signed} signed for ${c.channel} before`
    )
  }
  if (cumulative > c.deposit) {
    throw new MoneyError('CHANNEL_EXHAUSTED', exhaustedText(c.channel, cumulative, c.deposit), {
      details: { channel: c.channel, needed: cumulative, deposit: c.deposit, room: channelRoom(c) }
    })
  }
  return { ...c, signed: cumulative }
}

/**
 * Raises what one running job is paid up to by `increase`: from credit first, then by signing more.
 *
 * @throws as `authorizeUpTo`
 */
export function promiseMore(c: PayerChannel, increase: NanoTon): PayerChannel {
  const promised = addNano(c.promised, increase)
  return { ...authorizeUpTo(c, maxNano(c.signed, addNano(c.spent, promised))), promised }
}

/**
 * A running job is over. `confirmed`: both sides know that `cost` is all it used; otherwise everything it was promised
 * counts as used until the payee says less.
 */
export function endJob(c: PayerChannel, promised: NanoTon, cost: NanoTon, confirmed: boolean): PayerChannel {
  const used = confirmed ? cost : maxNano(cost, promised)
  return {
    ...c,
    promised: subNanoFloor(c.promised, promised),
    spent: addNano(c.spent, used),
    uncertain: addNano(c.uncertain, subNanoFloor(used, cost))
  }
}

/** After a crash nobody knows how far the running jobs came: what they were promised counts as used, uncertainly. */
export function afterCrash(c: PayerChannel): PayerChannel {
  if (c.running.length === 0 && c.promised === 0n) {
    return c
  }
  return { ...endJob(c, c.promised, ZERO_NANO_TON, false), running: [] }
}

/**
 * Takes over what the payee says it delivered in all, within bounds: never less than we know to be used, never more
 * than we signed. Only what we signed already is at stake, so it cannot cost more than what is prepaid.
 */
export function reconcile(c: PayerChannel, delivered: NanoTon): PayerChannel {
  if (c.running.length > 0) {
    return c
  }
  const spent = minNano(maxNano(delivered, subNanoFloor(c.spent, c.uncertain)), maxNano(c.signed, c.spent))
  return spent === c.spent && c.uncertain === 0n ? c : { ...c, spent, uncertain: ZERO_NANO_TON }
}

/** A voucher of our own that our record forgot (an old backup, a lost disk): its whole rise counts as used, uncertainly. */
export function adoptVoucher(c: PayerChannel, cumulative: NanoTon, signature: Uint8Array): PayerChannel {
  if (cumulative <= c.signed) {
    return c
  }
  const rise = subNanoFloor(cumulative, maxNano(c.signed, c.spent))
  return {
    ...c,
    signed: cumulative,
    signature,
    spent: addNano(c.spent, rise),
    uncertain: addNano(c.uncertain, rise)
  }
}

const NOT_OPEN_CODES = {
  opening: 'CHANNEL_NOT_OPEN',
  recovered: 'CHANNEL_NOT_SYNCED',
  closing: 'CHANNEL_CLOSING',
  closed: 'CHANNEL_CLOSED'
} as const

/** @throws {MoneyError} `CHANNEL_CLOSING`, `CHANNEL_CLOSED`, `CHANNEL_NOT_SYNCED` or `CHANNEL_NOT_OPEN` */
export function requireOpen(c: PayerChannel): void {
  if (c.state === 'open') {
    return
  }
  const code = NOT_OPEN_CODES[c.state]
  throw new MoneyError(code, `Channel ${c.channel} is ${c.state}: nothing can be signed on it, open another one`)
}

/** Without an optional member, as `exactOptionalPropertyTypes` wants it. */
export function without(c: PayerChannel, key: 'pending' | 'closeOrder'): PayerChannel {
  const copy = { ...c }
  delete copy[key]
  return copy
}

/** A record of version 0.1.0 has no times: what it does not know counts from now on. */
export function withTimes(c: PayerChannel, nowMs: number): PayerChannel {
  return c.openedAtMs > 0 ? c : { ...c, openedAtMs: nowMs, lastUsedAtMs: nowMs }
}
