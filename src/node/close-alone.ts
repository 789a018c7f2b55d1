import type { AbortOptions } from '../core/abort.ts'
import { MoneyError } from '../core/errors.ts'
import type { Account } from './account.ts'

/** One step of a close without the provider. */
export interface LoneClose {
  channel: string
  /** `started`: the provider may still claim until `refundAtMs`. `finished`: the rest came back. */
  step: 'started' | 'finished'
  /** Hex. */
  transaction: string
  /** Unix milliseconds from which on a second call finishes the close. */
  refundAtMs: number
}

/**
 * Closes a channel of ours whose provider is gone or never knew it: starts the challenge period, or finishes the close
 * once it is over.
 *
 * @throws {MoneyError} `CHANNEL_CHALLENGE_RUNNING` before the period is over, `CHANNEL_UNKNOWN`, `CHANNEL_BUSY`,
 *   `CHANNEL_CLOSED`
 */
export async function closeAlone(
  { payer, chain }: Pick<Account, 'payer' | 'chain'>,
  channel: string,
  options: AbortOptions = {}
): Promise<LoneClose> {
  await payer.start(options)
  const before = await payer.refresh(channel, options)
  if (before.state === 'closed') {
    throw new MoneyError('CHANNEL_CLOSED', `Channel ${channel} is closed already: there is nothing to do`)
  }
  const view = await chain.readChannel(channel, options)
  if (view.state !== 'closing') {
    const { transaction } = await payer.startClose(channel, options)
    const { closeAtMs } = await chain.readChannel(channel, options)
    return { channel, step: 'started', transaction, refundAtMs: closeAtMs }
  }
  // The chain's time decides, not this machine's.
  if (view.asOfMs < view.closeAtMs) {
    throw new MoneyError(
      'CHANNEL_CHALLENGE_RUNNING',
      `The provider of ${channel} may claim until ${new Date(view.closeAtMs).toISOString()}: call this again after that`,
      { details: { channel, closeAtMs: view.closeAtMs } }
    )
  }
  const { transaction } = await payer.finish(channel, options)
  return { channel, step: 'finished', transaction, refundAtMs: view.closeAtMs }
}
