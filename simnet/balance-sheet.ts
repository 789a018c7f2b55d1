import { CocoonError } from '../src/core/errors.ts'

/** One transaction of an account, in nanotons. */
export interface SheetTransaction {
  /** Hex. */
  hash: string
  /** Logical time: order on the chain. */
  lt: bigint
  /** Credited by the incoming message. */
  received: bigint
  /** Value of the outgoing messages. */
  sent: bigint
  /** Storage, computing, actions, and the import of an external message. */
  fee: bigint
  /** Paid to carry the outgoing messages. */
  forwardFee: bigint
}

export interface SheetAccount {
  name: string
  /** Raw address. */
  address: string
  before: bigint
  after: bigint
  /** Everything between the two balances. */
  transactions: readonly SheetTransaction[]
}

export interface BalanceSheet {
  accounts: readonly SheetAccount[]
  before: bigint
  after: bigint
  fees: bigint
}

/** What each account gained or lost, fees included. */
export function accountChange(account: Pick<SheetAccount, 'transactions'>): bigint {
  return account.transactions.reduce((sum, tx) => sum + tx.received - tx.sent - tx.fee - tx.forwardFee, 0n)
}

/**
 * Adds up accounts that traded with each other alone. Two things must hold to the nanoton: each account's
 * transactions explain its balance, and what left all accounts together is the fees.
 *
 * @throws {CocoonError} `SIMNET_SHEET_MISMATCH` otherwise
 */
export function balanceSheet(accounts: readonly SheetAccount[]): BalanceSheet {
  for (const account of accounts) {
    const expected = account.before + accountChange(account)
    if (expected !== account.after) {
      throw mismatch(
        `${account.name} has ${account.after} nanotons, its transactions leave ${expected}`,
        expected - account.after
      )
    }
  }
  const total = (field: 'before' | 'after'): bigint => accounts.reduce((sum, account) => sum + account[field], 0n)
  const fees = accounts.flatMap(account => account.transactions).reduce((sum, tx) => sum + tx.fee + tx.forwardFee, 0n)
  const [before, after] = [total('before'), total('after')]
  if (before !== after + fees) {
    throw mismatch(`${before} nanotons before are not ${after} after and ${fees} of fees`, before - after - fees)
  }
  return { accounts, before, after, fees }
}

function mismatch(what: string, difference: bigint): CocoonError {
  return new CocoonError(
    'money',
    'SIMNET_SHEET_MISMATCH',
    `The balances do not add up: ${what}. This is a bug: please report it`,
    {
      details: { difference }
    }
  )
}
