import assert from 'node:assert/strict'
import { counterNonce } from '../../../src/seal/counter-nonce.ts'

const base = Uint8Array.from([1, 2, 3, 4, 0xff, 0, 0, 0, 0, 0, 0, 0xf0])

describe('counter nonce', () => {
  it('is the base XOR the big-endian counter', () => {
    assert.deepEqual([...counterNonce(base, 0)], [...base])
    assert.deepEqual([...counterNonce(base, 0x010f)], [1, 2, 3, 4, 0xff, 0, 0, 0, 0, 0, 1, 0xff])
    assert.deepEqual(
      [...counterNonce(base, Number.MAX_SAFE_INTEGER)],
      [1, 2, 3, 4, 0xff, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]
    )
  })

  it('refuses a counter that could repeat', () => {
    for (const counter of [-1, 0.5, Number.MAX_SAFE_INTEGER + 1, Number.NaN]) {
      assert.throws(() => counterNonce(base, counter), { code: 'SEAL_COUNTER_EXHAUSTED' })
    }
  })
})
