import { CHANNEL_OPS } from './channel-contract.ts'
import type { ChainTransaction } from './transactions.ts'

/** How a channel ended: with the payee's agreement, after a close of the payer alone, or the history does not tell. */
export type ChannelEnd = 'together' | 'alone' | 'unknown'

/**
 * How one opening of a channel ended.
 *
 * @param openedLt the opening: the same address may have been opened again since
 */
export function channelEnd(history: readonly ChainTransaction[], openedLt: bigint): ChannelEnd {
  const ends = history.filter(
    ({ lt, op, succeeded }) => succeeded && lt > openedLt && (op === CHANNEL_OPS.coopClose || op === CHANNEL_OPS.finish)
  )
  const first = ends.toSorted((a, b) => (a.lt < b.lt ? -1 : 1))[0]
  return first === undefined ? 'unknown' : first.op === CHANNEL_OPS.coopClose ? 'together' : 'alone'
}
