import assert from 'node:assert/strict'
import fc from 'fast-check'
import { encodeFrame, FrameDecoder } from '../../../src/wire/framing.ts'

describe('framing', () => {
  it('writes the length in four bytes, big-endian', () => {
    assert.deepEqual([...encodeFrame(Uint8Array.of(9, 8))], [0, 0, 0, 2, 9, 8])
    assert.deepEqual([...encodeFrame(new Uint8Array())], [0, 0, 0, 0])
  })

  it('finds every message, however the stream was cut', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 })
    const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(messages, cuts, (sent, sizes) => {
        const stream = Buffer.concat(sent.map(encodeFrame))
        const decoder = new FrameDecoder(40)
        const got: Uint8Array[] = []
        for (let at = 0, turn = 0; at < stream.byteLength; turn++) {
          const size = sizes[turn % sizes.length] ?? 1
          got.push(...decoder.push(Uint8Array.from(stream.subarray(at, at + size))))
          at += size
        }
        assert.deepEqual(
          got.map(bytes => [...bytes]),
          sent.map(bytes => [...bytes])
        )
        assert.equal(decoder.pendingBytes, 0)
      })
    )
  })

  it('refuses a message over the limit before any of it came', () => {
    const decoder = new FrameDecoder(10)
    assert.equal(decoder.push(encodeFrame(new Uint8Array(10))).length, 1)
    assert.throws(() => decoder.push(Uint8Array.of(0, 0, 0, 11)), { code: 'MESSAGE_TOO_LARGE' })
  })

  it('tells how much of a message is waiting', () => {
    const decoder = new FrameDecoder(10)
    decoder.push(Uint8Array.of(0, 0))
    assert.equal(decoder.pendingBytes, 2)
    decoder.push(Uint8Array.of(0, 3, 1))
    assert.equal(decoder.pendingBytes, 5)
  })
})
