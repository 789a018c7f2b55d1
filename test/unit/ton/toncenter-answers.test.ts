import assert from 'node:assert/strict'
import { Address, beginCell, type Cell } from '@ton/core'
import fc from 'fast-check'
import { noFaults } from '../../../simnet/chain/faults.ts'
import { SimChain } from '../../../simnet/chain/sim-chain.ts'
import { ToncenterMethods } from '../../../simnet/chain/toncenter-methods.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import {
  readAccount,
  readBlock,
  readConfigParam,
  readNetworkId,
  readTip,
  readTransactions
} from '../../../src/ton/toncenter-answers.ts'
import { AbsurdAnswer, ToncenterFailure } from '../../../src/ton/toncenter-failure.ts'

type Json = Record<string, unknown>

const ADDRESS = Address.parseRaw(`0:${'ab'.repeat(32)}`)
const HASH = BigInt(`0x${'ab'.repeat(32)}`)
const CELL = beginCell().storeUint(5, 8).endCell().toBoc().toString('base64')

describe('answers of a server', () => {
  let account: Json
  let tip: Json
  let transactions: Json[]

  before(async () => {
    const chain = await SimChain.create({ nowMs: () => 1_800_000_000_000 })
    for (let count = 0; count < 4; count++) {
      chain.fund(ADDRESS, nanoTon(1_000_000_000n))
      await chain.produceBlock()
    }
    const methods = new ToncenterMethods(chain, noFaults())
    const address = ADDRESS.toString()
    account = (await methods.call('getAddressInformation', { address })) as Json
    tip = (await methods.call('getMasterchainInfo', {})) as Json
    transactions = (await methods.call('getTransactions', { address, limit: 10 })) as Json[]
  })

  const block = (change: Json): Json => ({ ...(account['block_id'] as Json), ...change })
  const last = (change: Json): Json => ({ ...(account['last_transaction_id'] as Json), ...change })

  it('are read as they are meant', () => {
    const shown = readAccount(account)
    const [newest] = readTransactions(transactions, HASH, 10)
    assert.deepEqual([shown.state, shown.lastLt, shown.utime], ['uninitialized', newest?.lt, 1_800_000_000])
    assert.ok(shown.balance > 3_900_000_000n && shown.balance <= 4_000_000_000n)
    assert.equal(shown.lastHash, newest?.hash().toString('hex'))
    assert.deepEqual(readTip(tip), shown.block)
    assert.equal(readTransactions(transactions, HASH, 2).length, 2)
  })

  it('may show an account that never was with a balance of −1, or as a number', () => {
    const none = { ...account, last_transaction_id: last({ lt: '0' }), balance: '-1' }
    assert.equal(readAccount(none).balance, 0n)
    assert.equal(readAccount({ ...none, balance: 0 }).balance, 0n)
  })

  it('are refused where they cannot be true of an account', () => {
    const bad: Json[] = [
      { balance: '-1' },
      { balance: '1.5' },
      { balance: 1.5 },
      { balance: '0x10' },
      { balance: String(1n << 120n) },
      { balance: '9'.repeat(38) },
      { balance: null },
      { state: 'open' },
      { state: 'active', code: 'AAAA' },
      { state: 'active', code: '!' },
      { state: 'active', data: 'te6cck' },
      { code: 7 },
      { last_transaction_id: last({ lt: '-1' }) },
      { last_transaction_id: last({ lt: String(1n << 64n) }) },
      { last_transaction_id: last({ lt: 5 }) },
      { last_transaction_id: last({ hash: 'AAAA' }) },
      { last_transaction_id: undefined },
      { block_id: block({ workchain: 0 }) },
      { block_id: block({ seqno: -1 }) },
      { block_id: block({ seqno: 1.5 }) },
      { block_id: block({ seqno: 2 ** 32 }) },
      { block_id: block({ root_hash: '' }) },
      { sync_utime: 0 },
      { sync_utime: -5 },
      { sync_utime: 2 ** 32 },
      { sync_utime: '1800000000' }
    ]
    for (const change of bad) {
      assert.throws(() => readAccount({ ...account, ...change }), AbsurdAnswer, JSON.stringify(change))
    }
  })

  it('are refused where they do not name the masterchain block that was asked for', () => {
    const honest = account['block_id'] as Json
    const height = honest['seqno'] as number
    assert.deepEqual(readBlock(honest, height), readTip(tip))
    const bad: Json[] = [
      { seqno: height + 1 },
      { seqno: String(height) },
      { seqno: undefined },
      { workchain: 0 },
      { workchain: '-1' },
      { workchain: undefined },
      { shard: '4611686018427387904' },
      { shard: -(2 ** 63) },
      { shard: undefined },
      { root_hash: '' },
      { root_hash: Buffer.alloc(31).toString('base64') },
      { root_hash: Buffer.alloc(33).toString('base64') },
      { root_hash: `${String(honest['root_hash'])}!` },
      { root_hash: 7 },
      { root_hash: undefined }
    ]
    for (const change of bad) {
      assert.throws(() => readBlock({ ...honest, ...change }, height), AbsurdAnswer, JSON.stringify(change))
    }
    for (const rubbish of [undefined, null, 'block', [], [honest], { last: honest }]) {
      assert.throws(() => readBlock(rubbish, height), AbsurdAnswer)
    }
  })

  it('are refused where a parameter is no cell, or the network no number', () => {
    assert.equal(readNetworkId(config(beginCell().storeInt(-239, 32).endCell())), -239)
    assert.throws(() => readConfigParam({ config: { bytes: 'AAAA' } }), AbsurdAnswer)
    assert.throws(() => readConfigParam({ config: null }), AbsurdAnswer)
    assert.throws(() => readNetworkId(config(beginCell().endCell())), AbsurdAnswer)
    assert.throws(() => readNetworkId(config(beginCell().storeUint(1, 33).endCell())), AbsurdAnswer)
  })

  it('are refused where a transaction is missing, exchanged, altered or of another account', () => {
    const [first, second, third, fourth] = transactions as [Json, Json, Json, Json]
    const bad: Json[][] = [
      [first, third, fourth],
      [second, first, third],
      [first, first],
      [{ ...first, data: second['data'] }],
      [{ ...first, data: CELL }],
      [{ ...first, data: 'AAAA' }],
      [{ ...first, transaction_id: second['transaction_id'] }],
      [{ ...first, transaction_id: { lt: '1', hash: (first['transaction_id'] as Json)['hash'] } }]
    ]
    for (const list of bad) {
      assert.throws(() => readTransactions(list, HASH, 10), AbsurdAnswer)
    }
    assert.throws(() => readTransactions(transactions, HASH + 1n, 10), AbsurdAnswer)
    assert.throws(() => readTransactions({ 0: first }, HASH, 10), AbsurdAnswer)
    assert.equal(readTransactions([second, third], HASH, 10).length, 2)
  })

  it('are not held against the server where a stranger sent something we cannot read', () => {
    const odd = beginCell().storeUint(0b0111, 4).storeUint(1, 8).endCell()
    const id = { lt: '1', hash: odd.hash().toString('base64') }
    assert.throws(
      () => readTransactions([{ data: odd.toBoc().toString('base64'), transaction_id: id }], HASH, 10),
      ToncenterFailure
    )
  })

  it('are read or refused, whatever stands in them', () => {
    const reads = [
      readAccount,
      readTip,
      readConfigParam,
      readNetworkId,
      (any: unknown) => readTransactions(any, HASH, 10)
    ]
    const check = (value: unknown): void => {
      for (const read of reads) {
        try {
          read(value)
        } catch (err) {
          assert.ok(err instanceof AbsurdAnswer || err instanceof ToncenterFailure, String(err))
          assert.ok(err.message.length < 300)
        }
      }
    }
    fc.assert(fc.property(fc.jsonValue(), check))
    const keys = fc.constantFrom(...Object.keys(account), 'data', 'transaction_id', 'config', 'last')
    fc.assert(
      fc.property(keys, fc.oneof(fc.jsonValue(), fc.base64String()), (key, value) => {
        check({ ...account, ...tip, config: { bytes: CELL }, [key]: value })
        check([{ ...transactions[0], [key]: value }])
      })
    )
  })

  it('with altered bytes of a cell are read or refused', () => {
    const [first] = transactions as [Json]
    const bytes = Buffer.from(String(first['data']), 'base64')
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const altered = Buffer.from(bytes)
        altered[at] = (altered[at] ?? 0) ^ flip
        const data = altered.toString('base64')
        try {
          // Flags of the container may be different: the transaction may not.
          const [tx] = readTransactions([{ ...first, data }], HASH, 10)
          assert.equal(tx?.hash().toString('base64'), (first['transaction_id'] as Json)['hash'])
        } catch (err) {
          assert.ok(err instanceof AbsurdAnswer)
        }
        try {
          readAccount({ ...account, state: 'active', code: data })
        } catch (err) {
          assert.ok(err instanceof AbsurdAnswer)
        }
      }),
      { numRuns: 300 }
    )
  })
})

function config(cell: Cell): Json {
  return { config: { bytes: cell.toBoc().toString('base64') } }
}
