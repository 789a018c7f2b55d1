import { maxNano, type NanoTon } from '../../core/nano-ton.ts'
import type { ChannelView } from '../chain.ts'
import { adoptVoucher, closedChannel, type PayerChannel, type PayerChannelState, without } from './payer-channel.ts'

/**
 * A view that shows nothing new is booked so seldom, milliseconds: each costs a write, and what older views than that can show
 * was booked when it was new.
 */
const BOOKED_EVERY_MS = 600_000

/**
 * What the chain says now. A channel that it has closed, or opened anew, is over for us. A view older than the newest one
 * booked changes nothing: endpoints lag behind each other, and on an old view a live channel is missing.
 */
export function observeChannel(c: PayerChannel, view: ChannelView): PayerChannel {
  if (view.asOfMs < c.viewedAtMs) {
    return c
  }
  if (c.state === 'opening') {
    return view.state === 'missing' ? c : { ...confirmed(c, view), openedLt: view.openedLt, state: view.state }
  }
  if (view.state !== 'missing' && view.openedLt < c.openedLt) {
    return c
  }
  if (view.state === 'missing' || view.openedLt > c.openedLt) {
    // Chain time counts in seconds and blocks come faster: of two views of one second, neither is known to be the later.
    return c.state === 'closed' || view.asOfMs === c.viewedAtMs
      ? c
      : { ...closedChannel(c, settledAtEnd(c)), viewedAtMs: view.asOfMs }
  }
  const next = withSettled({ ...confirmed(c, view), state: stateSeen(c.state, view.state) })
  const same =
    next.state === c.state &&
    next.deposit === c.deposit &&
    next.settled === c.settled &&
    next.signed === c.signed &&
    next.pending === c.pending &&
    next.closeAtMs === c.closeAtMs &&
    next.viewedAtMs - c.viewedAtMs < BOOKED_EVERY_MS
  return same ? c : next
}

/**
 * A payee's agreement that we hold was sent: nothing else ends a channel that nobody was seen to close alone. We may not
 * have lived to book it.
 */
function settledAtEnd({ settled, closeOrder, closeAtMs }: PayerChannel): NanoTon {
  return closeOrder !== undefined && closeAtMs === 0 ? maxNano(settled, closeOrder.cumulative) : settled
}

/** On the chain one opening only goes from open to closing. What it still has is not closed, whatever we believed. */
function stateSeen(known: PayerChannelState, seen: 'open' | 'closing'): PayerChannelState {
  return seen === 'closing' || known === 'closed' ? 'closing' : known
}

/**
 * More was paid out than we remember to have signed: our record is an old copy. The payee has to tell what it holds before
 * anything more is signed, or it would be lower than before.
 */
function withSettled(c: PayerChannel): PayerChannel {
  if (c.settled <= c.signed) {
    return c
  }
  const known = adoptVoucher(c, c.settled, new Uint8Array())
  return known.state === 'open' ? { ...known, state: 'recovered' } : known
}

function confirmed(c: PayerChannel, view: ChannelView): PayerChannel {
  const next = {
    ...c,
    // Both only grow on chain.
    deposit: maxNano(c.deposit, view.deposit),
    settled: maxNano(c.settled, view.settled),
    closeAtMs: view.state === 'closing' ? view.closeAtMs : c.closeAtMs,
    viewedAtMs: view.asOfMs
  }
  const arrived = c.pending !== undefined && view.deposit > c.pending.before
  return arrived ? without(next, 'pending') : next
}
