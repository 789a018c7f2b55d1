import type { AbortOptions } from '../core/abort.ts'
import type { FoundChannels } from '../payments/index.ts'
import { ChainHistoryIncompleteError } from '../ton/index.ts'
import type { Account } from './account.ts'

/** What a search of the chain for our channels came to. */
export interface RecoveredChannels extends FoundChannels {
  /** Why older channels may be missing; undefined if the endpoint knew the wallet's whole past. */
  incomplete: string | undefined
}

/**
 * Takes up channels that this wallet opened and the ledger does not know, from the wallet's own history on the chain.
 *
 * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
 * @throws {EnvironmentError} `LEDGER_CORRUPT`, `LEDGER_WRITE_FAILED`
 */
export async function recoverChannels(
  { payer, chain }: Pick<Account, 'payer' | 'chain'>,
  options: AbortOptions = {}
): Promise<RecoveredChannels> {
  await payer.start(options)
  let incomplete: string | undefined
  const found = await chain.openedChannels(options).catch((err: unknown) => {
    if (!(err instanceof ChainHistoryIncompleteError)) {
      throw err
    }
    incomplete = err.message
    return err.found
  })
  return { ...(await payer.recover(found, options)), incomplete }
}
