/**
 * What can be done about a provider's refusal to serve on a channel, so that one more try makes sense.
 *
 * - `sync`: one side forgot something; both say what they hold
 * - `look`: the chain decides whether the channel is still there
 * - `leave`: this provider will not serve on it again, whatever the chain says; it is closed and another one used
 */
export type ChannelRemedy = 'sync' | 'look' | 'leave'

const REMEDIES: ReadonlyMap<string, ChannelRemedy> = new Map([
  ['CHANNEL_RESYNC', 'sync'],
  ['VOUCHER_STALE', 'sync'],
  // Another job used the first payment, or the provider counts it as used.
  ['PAYMENT_REQUIRED', 'sync'],
  ['CHANNEL_MISSING', 'look'],
  ['CHANNEL_UNKNOWN', 'look'],
  // Vouchers never are above the deposit we saw confirmed: the provider's chain is behind, or ours was.
  ['CHANNEL_EXHAUSTED', 'look'],
  ['CHANNEL_CLOSING', 'leave'],
  ['CHANNEL_CLOSED', 'leave'],
  ['CHANNEL_FOREIGN', 'leave']
])

/** The remedy for a code that a provider or our own books refused a job with; undefined where trying again is no use. */
export function remedyFor(code: string | undefined): ChannelRemedy | undefined {
  return code === undefined ? undefined : REMEDIES.get(code)
}
