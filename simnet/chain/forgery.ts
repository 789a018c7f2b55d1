import { beginCell, Cell } from '@ton/core'

/**
 * What a lying server alters: an account's balance, its data (the last bit), its being there at all, the bytes of its code,
 * the hashes of blocks, or the contents of transactions.
 */
export const FORGERIES = ['balance', 'data', 'missing', 'boc', 'block', 'transactions'] as const

export type Forgery = (typeof FORGERIES)[number]

/** An answer's object. */
export type Json = Record<string, unknown>

/** Only accounts that exist are altered. */
export function forgeAccount(account: Json, forgery: Forgery | false): Json {
  if ((account['last_transaction_id'] as Json)['lt'] === '0') {
    return account
  }
  switch (forgery) {
    case 'balance':
      return { ...account, balance: String(BigInt(String(account['balance'])) + 1_000_000_000n) }
    case 'data':
      return { ...account, data: account['data'] === '' ? '' : flipLastBit(String(account['data'])) }
    case 'missing': {
      const last = { '@type': 'internal.transactionId', lt: '0', hash: Buffer.alloc(32).toString('base64') }
      return { ...account, balance: '0', code: '', data: '', state: 'uninitialized', last_transaction_id: last }
    }
    case 'boc':
      return { ...account, code: 'AAAA' }
    default:
      return account
  }
}

export function forgeTransaction(transaction: Json, forgery: Forgery | false): Json {
  return forgery === 'transactions' ? { ...transaction, data: flipLastBit(String(transaction['data'])) } : transaction
}

export function forgeRootHash(rootHash: Uint8Array, forgery: Forgery | false): Uint8Array {
  return forgery === 'block' ? rootHash.map(byte => byte ^ 1) : rootHash
}

function flipLastBit(boc: string): string {
  const cell = Cell.fromBase64(boc)
  const slice = cell.beginParse()
  if (slice.remainingBits === 0) {
    return boc
  }
  const builder = beginCell().storeBits(slice.loadBits(slice.remainingBits - 1))
  return builder.storeBit(!slice.loadBit()).storeSlice(slice).endCell().toBoc().toString('base64')
}
