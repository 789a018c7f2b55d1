import assert from 'node:assert/strict'
import fc from 'fast-check'
import { balanceSheet, type SheetAccount, type SheetTransaction } from '../../../simnet/balance-sheet.ts'

interface Transfer {
  from: number
  to: number
  value: bigint
  fee: bigint
  forwardFee: bigint
  arrivalFee: bigint
}

const ACCOUNTS = 3
const START = 1_000_000_000_000n

const amount = fc.bigInt({ min: 0n, max: 1_000_000_000n })
const account = fc.nat({ max: ACCOUNTS - 1 })
const transfers = fc.array(
  fc.record<Transfer>({
    from: account,
    to: account,
    value: amount,
    fee: amount,
    forwardFee: amount,
    arrivalFee: amount
  }),
  { minLength: 1, maxLength: 20 }
)

/** A small chain that keeps its own books, apart from the code under test. */
function play(list: readonly Transfer[]): SheetAccount[] {
  const balances = Array.from({ length: ACCOUNTS }, () => START)
  const transactions: SheetTransaction[][] = balances.map(() => [])
  const record = (index: number, change: bigint, tx: Omit<SheetTransaction, 'hash' | 'lt'>): void => {
    balances[index] = (balances[index] ?? 0n) + change
    const own = transactions[index] ?? []
    own.push({ hash: `${index}-${own.length}`, lt: BigInt(own.length), ...tx })
  }
  for (const { from, to, value, fee, forwardFee, arrivalFee } of list) {
    record(from, -value - fee - forwardFee, { received: 0n, sent: value, fee, forwardFee })
    record(to, value - arrivalFee, { received: value, sent: 0n, fee: arrivalFee, forwardFee: 0n })
  }
  return balances.map((after, index) => ({
    name: `account ${index}`,
    address: `0:${index}`,
    before: START,
    after,
    transactions: transactions[index] ?? []
  }))
}

describe('balance sheet', () => {
  it('adds up for any transfers among its accounts', () => {
    fc.assert(
      fc.property(transfers, list => {
        const sheet = balanceSheet(play(list))
        const fees = list.reduce((sum, tx) => sum + tx.fee + tx.forwardFee + tx.arrivalFee, 0n)
        assert.equal(sheet.fees, fees)
        assert.equal(sheet.before - sheet.after, fees)
      })
    )
  })

  it('refuses a balance that is one nanoton off, whatever the account', () => {
    fc.assert(
      fc.property(transfers, account, fc.constantFrom(1n, -1n), (list, index, error) => {
        const accounts = play(list).map((entry, at) =>
          at === index ? { ...entry, after: entry.after + error } : entry
        )
        assert.throws(() => balanceSheet(accounts), { code: 'SIMNET_SHEET_MISMATCH', details: { difference: -error } })
      })
    )
  })

  it('refuses a transaction that is left out', () => {
    const accounts = play([{ from: 0, to: 1, value: 5n, fee: 3n, forwardFee: 2n, arrivalFee: 1n }])
    const first = accounts[0] as SheetAccount
    assert.throws(() => balanceSheet([{ ...first, transactions: [] }, ...accounts.slice(1)]), {
      code: 'SIMNET_SHEET_MISMATCH'
    })
  })

  it('refuses money that went to an account outside the sheet', () => {
    const accounts = play([{ from: 0, to: 1, value: 5n, fee: 3n, forwardFee: 2n, arrivalFee: 1n }])
    assert.throws(() => balanceSheet(accounts.filter((_, index) => index !== 1)), { code: 'SIMNET_SHEET_MISMATCH' })
  })
})
