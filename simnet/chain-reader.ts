import { Address, type Transaction } from '@ton/core'
import { TonClient } from '@ton/ton'
import { type AbortOptions, throwIfAborted } from '../src/core/abort.ts'
import { EnvironmentError } from '../src/core/errors.ts'
import type { SheetTransaction } from './balance-sheet.ts'

/** Most transactions a page of the chain's API holds. */
const PAGE = 100

/** Reads a simnet's chain through the stock client, as anybody could. */
export class ChainReader {
  readonly #client: TonClient

  constructor(endpoint: string) {
    this.#client = new TonClient({ endpoint })
  }

  async balance(address: string, options: AbortOptions = {}): Promise<bigint> {
    throwIfAborted(options.signal)
    return await this.#client.getBalance(Address.parse(address))
  }

  /** Logical time of the newest transaction of an account; 0 if it has none. */
  async lastLt(address: string, options: AbortOptions = {}): Promise<bigint> {
    throwIfAborted(options.signal)
    const [newest] = await this.#client.getTransactions(Address.parse(address), { limit: 1 })
    return newest?.lt ?? 0n
  }

  /**
   * Transactions of an account after a logical time, oldest first.
   *
   * @throws {EnvironmentError} `SIMNET_HISTORY_TOO_LONG` if there are more than one page of them
   */
  async transactionsAfter(address: string, lt: bigint, options: AbortOptions = {}): Promise<SheetTransaction[]> {
    throwIfAborted(options.signal)
    const found = await this.#client.getTransactions(Address.parse(address), { limit: PAGE, to_lt: lt.toString() })
    if (found.length === PAGE) {
      throw new EnvironmentError(
        'SIMNET_HISTORY_TOO_LONG',
        `${address} has ${PAGE} or more transactions since: too many to list`
      )
    }
    return found.map(readTransaction).sort((a, b) => (a.lt < b.lt ? -1 : 1))
  }
}

/** What one transaction did to its account's balance. */
export function readTransaction(tx: Transaction): SheetTransaction {
  const received = tx.inMessage?.info.type === 'internal' ? tx.inMessage.info.value.coins : 0n
  let sent = 0n
  let forwardFee = 0n
  for (const { info } of tx.outMessages.values()) {
    if (info.type === 'internal') {
      sent += info.value.coins
      forwardFee += info.forwardFee + info.ihrFee
    }
  }
  return { hash: tx.hash().toString('hex'), lt: tx.lt, received, sent, fee: tx.totalFees.coins, forwardFee }
}
