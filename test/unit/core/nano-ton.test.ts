import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  addNano,
  formatTon,
  formatTonAmount,
  MAX_NANO_TON,
  maxNano,
  minNano,
  type NanoTon,
  nanoTon,
  parseTon,
  subNanoFloor
} from '../../../src/core/nano-ton.ts'

const amount: fc.Arbitrary<NanoTon> = fc.bigInt({ min: 0n, max: MAX_NANO_TON }).map(nanoTon)

describe('NanoTon', () => {
  it('parses what it formats, for every amount of a Coins field', () => {
    fc.assert(
      fc.property(fc.oneof(amount, fc.constantFrom(nanoTon(0n), nanoTon(MAX_NANO_TON))), value => {
        assert.equal(parseTon(formatTonAmount(value)), value)
      })
    )
  })

  it('formats exactly, without trailing zeros, below zero too', () => {
    assert.equal(formatTon(250_000_000n), '0.25 TON')
    assert.equal(formatTonAmount(1_000_000_000n), '1')
    assert.equal(formatTonAmount(1n), '0.000000001')
    assert.equal(formatTonAmount(-1_500_000_000n), '-1.5')
    assert.equal(formatTonAmount(10_000_000_000n), '10')
  })

  it('refuses text that is no plain decimal with at most nine places', () => {
    for (const text of [
      '',
      '.',
      '1.',
      '.5',
      '1.0000000001',
      '-1',
      '+1',
      '1e9',
      '0x10',
      '1,5',
      '1 2',
      '١',
      '9'.repeat(29)
    ]) {
      assert.throws(() => parseTon(text), { code: 'AMOUNT_INVALID', errorClass: 'usage' }, text)
    }
    assert.equal(parseTon(' 0.1\n'), 100_000_000n)
  })

  it('refuses what does not fit Coins', () => {
    for (const value of [-1n, MAX_NANO_TON + 1n]) {
      assert.throws(() => nanoTon(value), { code: 'AMOUNT_OUT_OF_RANGE' })
    }
    assert.throws(() => addNano(nanoTon(MAX_NANO_TON), nanoTon(1n)), { code: 'AMOUNT_OUT_OF_RANGE' })
    assert.throws(() => parseTon('9'.repeat(28)), { code: 'AMOUNT_OUT_OF_RANGE' })
  })

  it('never goes below zero, and orders', () => {
    fc.assert(
      fc.property(amount, amount, (a, b) => {
        assert.equal(subNanoFloor(a, b), a > b ? a - b : 0n)
        assert.equal(maxNano(a, b) + minNano(a, b), a + b)
        assert.ok(maxNano(a, b) >= minNano(a, b))
      })
    )
  })
})
