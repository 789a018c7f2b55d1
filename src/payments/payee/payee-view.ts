import { maxNano, subNanoFloor } from '../../core/nano-ton.ts'
import type { ChannelView } from '../chain.ts'
import { NOTHING_AGREED, type PayeeChannel, type PayeeChannelState } from './payee-channel.ts'

/** How much later than its last second an agreement may still be in a block that we have not seen, milliseconds. */
const AGREEMENT_SLACK_MS = 60_000

/**
 * What the chain says now. A channel that it has closed, or opened anew, is over for us. A view older than the newest one
 * booked changes nothing: endpoints lag behind each other, and on an old view a live channel is missing.
 */
export function observePayeeChannel(c: PayeeChannel, view: ChannelView): PayeeChannel {
  if (view.asOfMs < c.viewedAtMs || (view.state !== 'missing' && view.openedLt < c.openedLt)) {
    return c
  }
  if (view.state === 'missing' || view.openedLt > c.openedLt) {
    return c.state === 'closed' ? c : { ...c, state: 'closed', closeAtMs: 0, viewedAtMs: view.asOfMs }
  }
  const next = settledSeen(stateSeen(c, view), view)
  const same =
    next.state === c.state &&
    next.closeAtMs === c.closeAtMs &&
    next.agreed === c.agreed &&
    next.deposit === c.deposit &&
    next.settled === c.settled &&
    next.needsResync === c.needsResync
  return same ? c : { ...next, viewedAtMs: view.asOfMs }
}

function stateSeen(c: PayeeChannel, view: ChannelView): PayeeChannel {
  if (view.state === 'closing') {
    return { ...c, state: 'closing', closeAtMs: view.closeAtMs }
  }
  // On the chain one opening only goes from open to closing.
  if (c.closeAtMs > 0) {
    return c
  }
  if (c.agreed.validUntil > 0) {
    // The agreement can end the channel until its last second has passed on the chain with the channel still there.
    const over = view.asOfMs > c.agreed.validUntil * 1000 + AGREEMENT_SLACK_MS
    return over ? { ...c, state: 'open', agreed: NOTHING_AGREED } : { ...c, state: 'closing' }
  }
  const state: PayeeChannelState = c.state === 'closed' ? 'open' : c.state
  return state === c.state ? c : { ...c, state }
}

function settledSeen(c: PayeeChannel, view: ChannelView): PayeeChannel {
  // Both only grow on chain.
  const deposit = maxNano(c.deposit, view.deposit)
  const settled = maxNano(c.settled, view.settled)
  if (settled <= c.accepted) {
    return { ...c, deposit, settled, unclaimedSinceMs: settled === c.accepted ? 0 : c.unclaimedSinceMs }
  }
  // A voucher that we do not know was claimed: these books are an old backup. What was paid on chain was delivered.
  const certain = maxNano(subNanoFloor(c.delivered, c.uncertain), settled)
  const delivered = maxNano(c.delivered, certain)
  return {
    ...c,
    deposit,
    settled,
    accepted: settled,
    signature: new Uint8Array(),
    delivered,
    uncertain: subNanoFloor(delivered, certain),
    unclaimedSinceMs: 0,
    needsResync: true
  }
}
