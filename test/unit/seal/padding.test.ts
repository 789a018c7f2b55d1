import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import {
  isRequestSize,
  MAX_SEALED_REQUEST_BYTES,
  padFrame,
  padRequest,
  unpadFrame,
  unpadRequest
} from '../../../src/seal/padding.ts'
import { LIMITS } from '../../../src/wire/limits.ts'

const OVERHEAD = 48

describe('padding', () => {
  it('brings requests of any length to 1 KiB times a power of two, and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9000, size: 'max' }), text => {
        const padded = padRequest(text, OVERHEAD)
        assert.ok([1024, 2048, 4096, 8192, 16384].includes(padded.byteLength + OVERHEAD))
        assert.ok(Buffer.from(text).equals(unpadRequest(padded, OVERHEAD)))
      })
    )
  })

  it('grows exactly where the next byte no longer fits', () => {
    const most = 1024 - OVERHEAD - 4
    assert.equal(padRequest(new Uint8Array(0), OVERHEAD).byteLength, 1024 - OVERHEAD)
    assert.equal(padRequest(new Uint8Array(most), OVERHEAD).byteLength, 1024 - OVERHEAD)
    assert.equal(padRequest(new Uint8Array(most + 1), OVERHEAD).byteLength, 2048 - OVERHEAD)
  })

  it('agrees with the wire on the largest request, and refuses a larger one', () => {
    assert.equal(MAX_SEALED_REQUEST_BYTES, LIMITS.sealedRequestBytes)
    const most = MAX_SEALED_REQUEST_BYTES - OVERHEAD - 4
    assert.equal(padRequest(new Uint8Array(most), OVERHEAD).byteLength + OVERHEAD, MAX_SEALED_REQUEST_BYTES)
    assert.throws(() => padRequest(new Uint8Array(most + 1), OVERHEAD), { code: 'SEAL_REQUEST_TOO_LARGE' })
  })

  it('refuses padding that is too long, not zero, or cut short', () => {
    const padded = padRequest(Uint8Array.of(1, 2, 3), OVERHEAD)
    const last = padded.byteLength - 1
    const longer = new Uint8Array(2048 - OVERHEAD)
    longer.set(padded)
    for (const bad of [
      padded.with(last, 1),
      padded.with(7, 1),
      padded.with(3, 4).with(7, 0).with(6, 0).with(8, 9),
      padded.with(0, 0xff),
      padded.subarray(0, last),
      padded.subarray(0, 3),
      longer
    ]) {
      assert.throws(() => unpadRequest(bad, OVERHEAD), { code: 'SEAL_PADDING_INVALID' })
    }
  })

  it('brings frames of up to 510 bytes to 512, and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 510, size: 'max' }), payload => {
        const frame = padFrame(payload)
        assert.equal(frame.byteLength, 512)
        assert.deepEqual(unpadFrame(frame), payload)
        assert.deepEqual(unpadFrame(Buffer.from(frame)), payload)
      })
    )
  })

  it('refuses a frame with a length past its end or bytes after its payload', () => {
    const frame = padFrame(Uint8Array.of(1, 2, 3))
    for (const bad of [frame.with(511, 1), frame.with(0, 2), frame.with(1, 2), frame.subarray(1)]) {
      assert.throws(() => unpadFrame(bad), { code: 'SEAL_PADDING_INVALID' })
    }
  })

  it('knows the sizes a sealed request can have', () => {
    const sizes = Array.from({ length: 13 }, (_, n) => 1024 * 2 ** n)
    assert.ok(sizes.every(isRequestSize))
    assert.ok(![0, 512, 1023, 1025, 3072, 8 * 1024 * 1024].some(isRequestSize))
  })
})
