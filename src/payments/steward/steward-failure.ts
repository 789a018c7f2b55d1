import { CancelledError, CocoonError, errorCode, NetworkError, PeerError } from '../../core/errors.ts'

/** Refused here, before anything was sent. */
const LOCAL = new Set([
  'CHANNEL_UNKNOWN',
  'CHANNEL_BUSY',
  'CHANNEL_CLOSED',
  'CHANNEL_NOT_OPEN',
  'CLOSE_ORDER_MISSING',
  'DEPOSIT_OVER_LIMIT'
])

/**
 * Whether a close failed because the provider was not reached, did not answer in time, or said no: the chain had no part
 * in it. To be asked only where our own signal was not aborted.
 */
export function isNoAgreement(err: unknown): boolean {
  const fromChain = errorCode(err)?.startsWith('CHAIN_') === true
  return !fromChain && (err instanceof PeerError || err instanceof NetworkError || err instanceof CancelledError)
}

/** Whether a failed step surely paid no fee. */
export function costNothing(err: unknown): boolean {
  return err instanceof CocoonError && (err.details['sent'] === false || LOCAL.has(err.code))
}
