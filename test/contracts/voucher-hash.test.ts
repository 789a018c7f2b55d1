import assert from 'node:assert/strict'
import fc from 'fast-check'
import { formatRawAddress } from '../../src/core/address.ts'
import { MAX_NANO_TON, nanoTon } from '../../src/core/nano-ton.ts'
import { closeHash, voucherHash } from '../../src/payments/voucher-hash.ts'
import { closeCell, voucherCell } from '../../src/ton/voucher-cell.ts'

const fields = fc.record({
  globalId: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  channel: fc.record({ workchain: fc.constantFrom(0, -1), hash: fc.uint8Array({ minLength: 32, maxLength: 32 }) }),
  openedLt: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  // Every length of Coins, and its edges.
  cumulative: fc
    .oneof(
      fc.bigInt({ min: 0n, max: MAX_NANO_TON }),
      fc.nat(120).map(bits => (1n << BigInt(bits)) - 1n),
      fc.nat(119).map(bits => 1n << BigInt(bits))
    )
    .map(nanoTon)
})

describe('voucher hash', () => {
  it('is the hash of the cell that the contract checks', () => {
    fc.assert(
      fc.property(fields, fc.nat(0xffff_ffff), (total, validUntil) => {
        const cellFields = { ...total, channel: formatRawAddress(total.channel) }
        assert.deepEqual(Buffer.from(voucherHash(total)), voucherCell(cellFields).hash())
        assert.deepEqual(
          Buffer.from(closeHash({ ...total, validUntil })),
          closeCell({ ...cellFields, validUntil }).hash()
        )
      }),
      { numRuns: 500 }
    )
  })

  it('refuses fields that do not fit', () => {
    const good = {
      globalId: -217,
      channel: { workchain: 0, hash: new Uint8Array(32) },
      openedLt: 1n,
      cumulative: nanoTon(1n)
    }
    assert.throws(() => voucherHash({ ...good, cumulative: (MAX_NANO_TON + 1n) as never }), RangeError)
    assert.throws(() => voucherHash({ ...good, cumulative: -1n as never }), RangeError)
    assert.throws(() => voucherHash({ ...good, openedLt: 2n ** 64n }), RangeError)
    assert.throws(() => voucherHash({ ...good, channel: { workchain: 0, hash: new Uint8Array(31) } }), RangeError)
  })
})
