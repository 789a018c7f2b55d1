import type { Transaction } from '@ton/core'
import type { AbortOptions } from '../core/abort.ts'
import { MoneyError } from '../core/errors.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import type { HistoryRpc } from './account-history.ts'
import { ChainRefusedError, exitCodeText } from './chain-errors.ts'
import { CHANNEL_EXIT_CODES } from './channel-contract.ts'
import type { SentTransfer } from './ton-wallet.ts'
import { computeExitCode, messageId } from './transactions.ts'

/** What a channel made of a message. */
export interface Outcome {
  accepted: boolean
  exitCode: number | undefined
  /** Hash, hex. */
  transaction: string
}

/**
 * What the channel did with the wallet's message, from its own history or, where that is gone with the channel, from
 * what came back to the wallet. Undefined while neither shows it. Only messages from the channel's very address count.
 */
export async function findOutcome(
  rpc: HistoryRpc,
  { channel, wallet, sent }: { channel: string; wallet: string; sent: SentTransfer },
  isMissing: () => Promise<boolean>,
  options: AbortOptions = {}
): Promise<Outcome | undefined> {
  const own = await rpc.transactions(channel, sent.lt, undefined, options)
  const handled = own.find(tx => {
    const id = messageId(tx.inMessage)
    return id?.from === wallet && id.createdLt === sent.createdLt
  })
  if (handled !== undefined) {
    const accepted = handled.description.type === 'generic' && !handled.description.aborted
    return { accepted, exitCode: computeExitCode(handled), transaction: handled.hash().toString('hex') }
  }
  const received = await rpc.transactions(wallet, sent.lt, undefined, options)
  const back = received.find(tx => isReply(tx, channel, sent))
  if (back === undefined || !(await isMissing())) {
    return undefined
  }
  const accepted = messageId(back.inMessage)?.bounced === false
  return { accepted, exitCode: undefined, transaction: back.hash().toString('hex') }
}

function isReply(tx: Transaction, channel: string, sent: SentTransfer): boolean {
  const id = messageId(tx.inMessage)
  return id?.from === channel && id.createdLt > sent.createdLt
}

/** The error for a message that the contract refused. */
export function refusal(channel: string, exitCode: number | undefined): MoneyError {
  if (exitCode === CHANNEL_EXIT_CODES.nothingToClaim) {
    return nothingToClaim(channel, undefined, { exitCode })
  }
  return new ChainRefusedError(`the message to channel ${channel}`, exitCodeText(exitCode), { channel, exitCode })
}

/** `NOTHING_TO_CLAIM`: as much, or more, is settled. */
export function nothingToClaim(
  channel: string,
  settled: NanoTon | undefined,
  details: { sent?: boolean; exitCode?: number }
): MoneyError {
  return new MoneyError('NOTHING_TO_CLAIM', `Channel ${channel} has paid this voucher, or a higher one, already`, {
    details: { channel, settled, ...details }
  })
}
