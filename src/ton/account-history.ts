import type { Transaction } from '@ton/core'
import type { AbortOptions } from '../core/abort.ts'
import type { TransactionsFrom } from './chain-rpc.ts'

/** What reading an account's past needs of the endpoint. */
export interface HistoryRpc {
  transactions(
    address: string,
    afterLt?: bigint,
    limit?: number,
    options?: AbortOptions & TransactionsFrom
  ): Promise<Transaction[]>
}

const PAGE = 100

/**
 * All transactions of an account later than `afterLt`, newest first and each the predecessor of the one before, which
 * is what their links say: none can be missing. Undefined if the endpoint does not (yet) show them without a gap up to
 * the one at `upToLt`: servers behind one address may be of different blocks.
 */
export async function completeHistory(
  rpc: HistoryRpc,
  address: string,
  { afterLt, upToLt }: { afterLt: bigint; upToLt: bigint },
  options: AbortOptions = {}
): Promise<Transaction[] | undefined> {
  if (upToLt <= afterLt) {
    return upToLt === afterLt ? [] : undefined
  }
  const found: Transaction[] = []
  for await (const tx of walkBack(rpc, address, { afterLt }, options)) {
    if (found.length === 0 && tx.lt < upToLt) {
      return undefined
    }
    found.push(tx)
  }
  const oldest = found.at(-1)
  return oldest !== undefined && oldest.prevTransactionLt <= afterLt ? found : undefined
}

/**
 * Walks an account's transactions from the newest to the first one later than `afterLt`. Ends early where the endpoint
 * shows no more of them, or one that does not follow: the last one's `prevTransactionLt` tells.
 *
 * @param archival asks for servers that know the whole past
 */
export async function* walkBack(
  rpc: HistoryRpc,
  address: string,
  { afterLt, archival = false }: { afterLt: bigint; archival?: boolean },
  options: AbortOptions = {}
): AsyncGenerator<Transaction> {
  let from: TransactionsFrom['from']
  do {
    const start = { ...(from === undefined ? {} : { from }), ...(archival ? { archival } : {}) }
    const page = await rpc.transactions(address, afterLt, PAGE, { ...options, ...start })
    let last: Transaction | undefined
    for (const tx of page) {
      if (from !== undefined && (tx.lt !== from.lt || bigHash(tx) !== from.hash)) {
        return
      }
      yield tx
      last = tx
      from = { lt: tx.prevTransactionLt, hash: tx.prevTransactionHash }
    }
    if (last === undefined) {
      return
    }
  } while (from !== undefined && from.lt > afterLt)
}

function bigHash(tx: Transaction): bigint {
  return BigInt(`0x${tx.hash().toString('hex')}`)
}
