import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodeFrames, encodeFrame } from '../../../src/mesh/frames.ts'

async function* cut(bytes: Uint8Array, sizes: number[]): AsyncGenerator<Uint8Array> {
  let from = 0
  for (let i = 0; from < bytes.byteLength; i++) {
    const size = sizes[i % sizes.length] ?? 1
    yield bytes.subarray(from, from + size)
    from += size
  }
}

async function collect(source: AsyncIterable<Uint8Array>, maxFrameBytes: number): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = []
  for await (const frame of decodeFrames(source, maxFrameBytes)) {
    frames.push(frame)
  }
  return frames
}

const bytesOf = (frames: Uint8Array[]): Uint8Array => Buffer.concat(frames.map(frame => encodeFrame(frame).subarray()))

describe('frames', () => {
  it('come out as they went in, however the bytes are cut', async () => {
    const frame = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 120, maxLength: 20_000 }))
    const sizes = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 10 })
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 8 }), sizes, async (frames, pieces) => {
        const got = await collect(cut(bytesOf(frames), pieces), 20_000)
        assert.deepEqual(
          got.map(f => Buffer.from(f)),
          frames.map(f => Buffer.from(f))
        )
      }),
      { numRuns: 60 }
    )
  })

  it('over the limit are refused at their prefix, before their bytes arrive', async () => {
    const prefix = encodeFrame(new Uint8Array(1001)).subarray(0, 2)
    async function* stalled(): AsyncGenerator<Uint8Array> {
      yield prefix
      assert.fail('read on after the prefix')
    }
    await assert.rejects(collect(stalled(), 1000), { code: 'FRAME_TOO_LARGE' })
    assert.equal((await collect(cut(bytesOf([new Uint8Array(1000)]), [7]), 1000)).length, 1)
  })

  it('with an endless length prefix are refused', async () => {
    await assert.rejects(collect(cut(new Uint8Array(4).fill(0x80), [1]), 2 ** 31), { code: 'FRAME_TOO_LARGE' })
  })

  it('that end too early are told from a clean end', async () => {
    const bytes = bytesOf([new Uint8Array(10), new Uint8Array(10)])
    for (let length = 0; length < bytes.byteLength; length++) {
      const whole = length === 0 || length === 11
      const result = collect(cut(bytes.subarray(0, length), [3]), 100)
      await (whole ? result : assert.rejects(result, { code: 'FRAME_TRUNCATED' }))
    }
  })
})
