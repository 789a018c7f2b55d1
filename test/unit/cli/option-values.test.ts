import assert from 'node:assert/strict'
import fc from 'fast-check'
import * as values from '../../../src/cli/option-values.ts'
import { formatTonAmount, nanoTon } from '../../../src/core/nano-ton.ts'

const PEER = '12D3KooWGLNvFmmKRnGqqhhfhU5ZdCJ6b1mPK3VoCtKgbLN9jARC'

describe('values that a user typed', () => {
  it('are whole numbers within bounds, or refused by name', () => {
    const read = values.wholeNumber('--slots', 1, 64)
    fc.assert(fc.property(fc.integer({ min: 1, max: 64 }), n => assert.equal(read(String(n)), n)))
    for (const bad of ['0', '65', '-1', '1.5', '1e1', '', ' 1', '0x10', 'abc', '١', '99999999999999999999']) {
      assert.throws(() => read(bad), { code: 'OPTION_INVALID', errorClass: 'usage' }, bad)
    }
    assert.throws(() => read('abc'), /--slots is "abc": expected a whole number from 1 to 64/)
  })

  it('are decimal numbers within bounds', () => {
    const read = values.decimalNumber('--temperature', 0, 2)
    assert.equal(read('0.7'), 0.7)
    assert.equal(read('2'), 2)
    for (const bad of ['2.1', '-0.1', '.5', '1.', 'NaN', 'Infinity', '1e0', '']) {
      assert.throws(() => read(bad), { code: 'OPTION_INVALID' }, bad)
    }
  })

  it('are amounts to the nanoton, above zero', () => {
    const read = values.amount('--max-price')
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 10n ** 30n }), nano => {
        assert.equal(read(formatTonAmount(nano)), nanoTon(nano))
      })
    )
    for (const bad of ['1,5', '-1', '0.0000000001', '1 TON', '', 'x']) {
      assert.throws(() => read(bad), { code: 'AMOUNT_INVALID' }, bad)
    }
    assert.throws(() => read('0'), { code: 'AMOUNT_OUT_OF_RANGE' })
  })

  it('are peer ids', () => {
    assert.equal(values.peerId('--provider')(PEER), PEER)
    for (const bad of ['', 'abc', `${PEER}0`, `/p2p/${PEER}`, PEER.replace('K', 'l')]) {
      assert.throws(() => values.peerId('--provider')(bad), { code: 'PEER_ID_INVALID' }, bad)
    }
  })

  it('are raw addresses in either case', () => {
    const address = `0:${'ab'.repeat(32)}`
    assert.equal(values.rawAddress('The address')(address.toUpperCase()), address)
    for (const bad of ['', 'EQDtFpEwcFAEcRe5mLVh2N6C0x-_hJEM7W61_JLnSF74p4q2', '0:abc', `5:${'ab'.repeat(32)}`]) {
      assert.throws(() => values.rawAddress('The address')(bad), { code: 'ADDRESS_INVALID' }, bad)
    }
  })

  it('are http URLs', () => {
    assert.equal(values.httpUrl('--chain')('http://127.0.0.1:1/x'), 'http://127.0.0.1:1/x')
    for (const bad of ['', '127.0.0.1:80', 'ftp://a/b', 'file:///etc/passwd']) {
      assert.throws(() => values.httpUrl('--chain')(bad), { code: 'URL_INVALID' }, bad)
    }
  })

  it('never bring control characters into the error', () => {
    assert.throws(
      () => values.wholeNumber('--slots', 1, 2)('\u001b[2J\n'),
      (err: Error) => !err.message.includes('\u001b') && !err.message.includes('\n')
    )
  })
})
