import assert from 'node:assert/strict'
import fc from 'fast-check'
import { formatRawAddress, parseRawAddress } from '../../../src/core/address.ts'

describe('raw address', () => {
  it('reads back what it writes', () => {
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
    fc.assert(
      fc.property(fc.constantFrom(0, -1), hash, (workchain, bytes) => {
        assert.deepEqual(parseRawAddress(formatRawAddress({ workchain, hash: bytes })), { workchain, hash: bytes })
      })
    )
  })

  it('refuses any other form', () => {
    const hex = 'ab'.repeat(32)
    for (const text of [
      '',
      hex,
      `1:${hex}`,
      `-2:${hex}`,
      `0:${hex.toUpperCase()}`,
      `0:${hex}0`,
      `0:${hex}\n`,
      ` 0:${hex}`,
      'EQ-payee'
    ]) {
      assert.throws(() => parseRawAddress(text), { code: 'ADDRESS_INVALID' }, text)
    }
  })
})
