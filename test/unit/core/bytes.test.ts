import assert from 'node:assert/strict'
import fc from 'fast-check'
import { fromHex, sha256, toHex } from '../../../src/core/bytes.ts'

describe('bytes', () => {
  it('come back from hex, of a view into a larger buffer too', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat({ max: 8 }), (bytes, skip) => {
        const view = bytes.subarray(Math.min(skip, bytes.byteLength))
        assert.deepEqual([...fromHex(toHex(view))], [...view])
      })
    )
    assert.deepEqual(fromHex('FFfe', 2), Uint8Array.of(255, 254))
  })

  it('are not made of anything else, and have the length that was asked for', () => {
    for (const text of ['a', 'zz', '0x00', '00 ', '0g']) {
      assert.throws(() => fromHex(text), { code: 'HEX_INVALID' }, text)
    }
    assert.throws(() => fromHex('00', 2), { code: 'HEX_INVALID' })
  })

  it('are hashed part by part as the whole', () => {
    assert.equal(toHex(sha256('abc')), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    assert.deepEqual(sha256('a', Uint8Array.of(98), 'c'), sha256('abc'))
  })
})
