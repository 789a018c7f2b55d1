import type { Message, Transaction } from '@ton/core'
import type { AbortOptions } from '../core/abort.ts'
import { NetworkError } from '../core/errors.ts'
import { type HistoryRpc, walkBack } from './account-history.ts'
import { type ChannelTerms, channelAddress, channelCode } from './channel-address.ts'
import { loadTerms } from './channel-terms.ts'

/** A channel that a wallet once opened, whatever became of it. */
export interface OpenedChannel {
  /** Raw address. */
  channel: string
  terms: ChannelTerms
}

/** `CHAIN_HISTORY_INCOMPLETE`: the endpoint knows only a part of the wallet's past; `found` is what that part holds. */
export class ChainHistoryIncompleteError extends NetworkError {
  readonly found: readonly OpenedChannel[]

  constructor(wallet: string, beforeMs: number | undefined, found: readonly OpenedChannel[]) {
    const known = beforeMs === undefined ? 'nothing' : `nothing before ${new Date(beforeMs).toISOString()}`
    super(
      'CHAIN_HISTORY_INCOMPLETE',
      `The endpoint knows ${known} of wallet ${wallet}: use one with an archive to find older channels`,
      { details: { wallet, beforeMs, found: found.length } }
    )
    this.found = found
  }
}

/**
 * Every channel that this wallet ever opened, newest first: what it once sent with the pinned channel code to the very
 * address that its terms give.
 *
 * @throws {ChainHistoryIncompleteError} `CHAIN_HISTORY_INCOMPLETE`, with what was found
 * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
 */
export async function openedChannels(
  rpc: HistoryRpc,
  { wallet, lastLt }: { wallet: string; lastLt: bigint },
  options: AbortOptions = {}
): Promise<OpenedChannel[]> {
  const found = new Map<string, OpenedChannel>()
  let oldest: Transaction | undefined
  for await (const tx of walkBack(rpc, wallet, { afterLt: 0n, archival: true }, options)) {
    if (oldest === undefined && tx.lt < lastLt) {
      break
    }
    oldest = tx
    for (const message of tx.outMessages.values()) {
      const opened = openingOf(message, wallet)
      if (opened !== undefined) {
        found.set(opened.channel, opened)
      }
    }
  }
  if (lastLt > 0n && oldest?.prevTransactionLt !== 0n) {
    throw new ChainHistoryIncompleteError(wallet, oldest && oldest.now * 1000, [...found.values()])
  }
  return [...found.values()]
}

/** The channel that this message of the wallet opens. */
function openingOf({ info, init }: Message, wallet: string): OpenedChannel | undefined {
  if (info.type !== 'internal' || !init?.data || !init.code?.equals(channelCode())) {
    return undefined
  }
  const channel = info.dest.toRawString()
  const terms = loadTerms(init.data)
  return terms?.payerAddress === wallet && channelAddress(terms) === channel ? { channel, terms } : undefined
}
