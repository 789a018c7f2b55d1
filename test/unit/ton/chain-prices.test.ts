import assert from 'node:assert/strict'
import { beginCell, Cell, Dictionary } from '@ton/core'
import fc from 'fast-check'
import { ChainUnreachableError } from '../../../src/ton/chain-errors.ts'
import { forwardFee, gasFee, PRICE_PARAMS, parsePrices, sizeBelow, storageFee } from '../../../src/ton/chain-prices.ts'
import { PriceBoard } from '../../../src/ton/price-board.ts'

/** Parameters of the basechain as of 2024. */
const GAS = gasCell({})
const FORWARD = forwardCell({})
const STORAGE = storageCell([[0, 1n, 500n]])
const NOW = 1_700_000_000

function gasCell({ flatLimit = 100n, flatPrice = 40_000n, price = 26_214_400n }): Cell {
  // gas_flat_pfx#d1 flat_gas_limit:uint64 flat_gas_price:uint64 other:GasLimitsPrices = GasLimitsPrices;
  const cell = beginCell().storeUint(0xd1, 8).storeUint(flatLimit, 64).storeUint(flatPrice, 64)
  // gas_prices_ext#de gas_price:uint64 gas_limit:uint64 special_gas_limit:uint64 gas_credit:uint64 …
  cell.storeUint(0xde, 8).storeUint(price, 64)
  for (const limit of [1_000_000, 1_000_000, 10_000, 10_000_000, 100_000_000, 1_000_000_000]) {
    cell.storeUint(limit, 64)
  }
  return cell.endCell()
}

function forwardCell({ lump = 400_000n, bit = 26_214_400n, cell = 2_621_440_000n }): Cell {
  // msg_forward_prices#ea lump_price:uint64 bit_price:uint64 cell_price:uint64 ihr_price_factor:uint32 first_frac:uint16 next_frac:uint16
  return beginCell()
    .storeUint(0xea, 8)
    .storeUint(lump, 64)
    .storeUint(bit, 64)
    .storeUint(cell, 64)
    .storeUint(98_304, 32)
    .storeUint(21_845, 16)
    .storeUint(21_845, 16)
    .endCell()
}

function storageCell(entries: Array<[since: number, bit: bigint, cell: bigint]>): Cell {
  const prices = Dictionary.empty(Dictionary.Keys.Uint(32), {
    // storage#cc utime_since:uint32 bit_price_ps:uint64 cell_price_ps:uint64 mc_bit_price_ps:uint64 mc_cell_price_ps:uint64
    serialize: ([since, bit, cell]: [number, bigint, bigint], builder) =>
      builder
        .storeUint(0xcc, 8)
        .storeUint(since, 32)
        .storeUint(bit, 64)
        .storeUint(cell, 64)
        .storeUint(0, 64)
        .storeUint(0, 64),
    parse: () => assert.fail('not read here')
  })
  for (const entry of entries) {
    prices.set(entry[0], entry)
  }
  return beginCell().storeDictDirect(prices).endCell()
}

describe('prices of the chain', () => {
  const prices = parsePrices({ gas: GAS, forward: FORWARD, storage: STORAGE }, NOW)

  it('are those of the basechain', () => {
    assert.deepEqual(prices, {
      gas: { flatLimit: 100n, flatPrice: 40_000n, price: 26_214_400n },
      forward: { lump: 400_000n, bit: 26_214_400n, cell: 2_621_440_000n },
      storage: { bit: 1n, cell: 500n }
    })
  })

  it('make the fees that the chain took for known transactions', () => {
    // A W5 wallet's transfer: 4,939 gas; an opening: 18 cells with 9,371 bits; a plain transfer.
    assert.equal(gasFee(prices, 4_939n), 1_975_600n)
    assert.equal(gasFee(prices, 50n), 40_000n)
    assert.equal(forwardFee(prices, { bits: 9_371n, cells: 18n }), 4_868_400n)
    assert.equal(forwardFee(prices, { bits: 0n, cells: 0n }), 400_000n)
    assert.equal(storageFee(prices, { bits: 10_000n, cells: 22n }, 31_536_600n), 10_105_417n)
  })

  it('never make more of anything cheaper', () => {
    const amount = fc.bigInt({ min: 0n, max: 1_000_000n })
    fc.assert(
      fc.property(amount, amount, amount, (some, more, bits) => {
        assert.ok(gasFee(prices, some) <= gasFee(prices, some + more))
        assert.ok(forwardFee(prices, { bits, cells: some }) <= forwardFee(prices, { bits, cells: some + more }))
      })
    )
  })

  it('of storage are those that hold at the time, not those announced', () => {
    const storage = storageCell([
      [0, 1n, 500n],
      [1_000, 2n, 600n],
      [2_000, 3n, 700n]
    ])
    const at = (second: number) => parsePrices({ gas: GAS, forward: FORWARD, storage }, second).storage
    assert.deepEqual(
      [at(999), at(1_000), at(5_000)],
      [
        { bit: 1n, cell: 500n },
        { bit: 2n, cell: 600n },
        { bit: 3n, cell: 700n }
      ]
    )
  })

  it('that cannot be read, or cannot be true, are refused', () => {
    const good = { gas: GAS, forward: FORWARD, storage: STORAGE }
    const bad = [
      { gas: new Cell() },
      { gas: FORWARD },
      { gas: gasCell({ price: 1n << 63n }) },
      { gas: gasCell({ flatPrice: 1n << 40n }) },
      { forward: GAS },
      { forward: forwardCell({ lump: 1_000_000_000n }) },
      { forward: forwardCell({ cell: 1n << 60n }) },
      { storage: storageCell([[NOW + 1, 1n, 500n]]) },
      { storage: storageCell([[0, 1n << 40n, 500n]]) },
      { storage: new Cell() }
    ]
    for (const params of bad) {
      assert.throws(() => parsePrices({ ...good, ...params }, NOW), { code: 'CHAIN_PRICES_INVALID' })
    }
  })

  it('count equal cells once, and no root', () => {
    const leaf = beginCell().storeUint(1, 100).endCell()
    const root = beginCell()
      .storeUint(7, 64)
      .storeRef(leaf)
      .storeRef(beginCell().storeUint(2, 8).storeRef(leaf).endCell())
      .endCell()
    assert.deepEqual(sizeBelow(root), { bits: 108n, cells: 2n })
  })
})

describe('the price board', () => {
  const params = new Map([
    [PRICE_PARAMS.gas, GAS],
    [PRICE_PARAMS.forward, FORWARD],
    [PRICE_PARAMS.storage, STORAGE]
  ])
  let nowMs = NOW * 1_000
  let asked = 0
  let down = false

  const board = () =>
    new PriceBoard(
      {
        rpc: {
          configParam: async id => {
            asked++
            if (down) {
              throw new ChainUnreachableError('http://endpoint', 'getConfigParam', 'timeout')
            }
            return params.get(id as never) ?? new Cell()
          }
        },
        clock: { nowMs: () => nowMs }
      },
      { maxAgeMs: 60_000 }
    )

  beforeEach(() => {
    asked = 0
    down = false
    nowMs = NOW * 1_000
  })

  it('asks once for many who want to know, and again when prices are old or the clock went back', async () => {
    const prices = board()
    await Promise.all([prices.prices(), prices.prices(), prices.prices()])
    nowMs += 59_999
    await prices.prices()
    assert.equal(asked, 3)
    nowMs += 1
    await prices.prices()
    assert.equal(asked, 6)
    nowMs -= 1_000_000
    await prices.prices()
    assert.equal(asked, 9)
  })

  it('asks again after a failure, and when told to', async () => {
    const prices = board()
    down = true
    await assert.rejects(prices.prices(), { code: 'CHAIN_UNREACHABLE' })
    down = false
    await prices.prices()
    const before = asked
    prices.forget()
    await prices.prices()
    assert.equal(asked, before + 3)
  })

  it('goes on for the others when one gives up', async () => {
    const prices = board()
    const controller = new AbortController()
    const [given, kept] = [prices.prices({ signal: controller.signal }), prices.prices()]
    controller.abort()
    await assert.rejects(given, { code: 'CANCELLED' })
    assert.equal((await kept).storage.cell, 500n)
  })
})
