import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { ResponseKey, responseOpener, responseSealer, SEALED_FRAME_BYTES } from '../../../src/seal/index.ts'

const jobId = new Uint8Array(16).fill(5)
const secret = new Uint8Array(44).fill(9)
const word = new TextEncoder().encode('deep')

describe('sealed answer', () => {
  it('carries any texts in order, and ends with the final one', () => {
    const texts = fc.array(fc.uint8Array({ maxLength: 1600, size: 'max' }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(texts, parts => {
        const opener = responseOpener(key(), jobId)
        const opened = sealAll(parts).map(frame => opener.open(frame))
        assert.ok(Buffer.concat(opened.map(frame => frame.bytes)).equals(Buffer.concat(parts)))
        assert.deepEqual(
          opened.map(frame => frame.final),
          opened.map((_, i) => i === opened.length - 1)
        )
        assert.ok(opener.finished)
        opener.expectFinished()
      }),
      { endOnFailure: true }
    )
  })

  it('shows nothing of the length of a text: every frame has the same size', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 510, size: 'max' }), fc.boolean(), (text, final) => {
        const frames = responseSealer(key(), jobId).seal(text, final)
        assert.deepEqual(
          frames.map(frame => frame.byteLength),
          [SEALED_FRAME_BYTES]
        )
      })
    )
    assert.equal(responseSealer(key(), jobId).seal(new Uint8Array(511), false).length, 2)
    assert.equal(SEALED_FRAME_BYTES, 533)
  })

  it('refuses a frame with any bit changed, and still opens the genuine one after it', () => {
    const [frame] = responseSealer(key(), jobId).seal(word, false)
    assert.ok(frame)
    const opener = responseOpener(key(), jobId)
    for (let bit = 0; bit < frame.byteLength * 8; bit++) {
      // Bits 8 to 39 are the clear counter.
      const code = bit >= 8 && bit < 40 ? 'SEAL_FRAME_MISSING' : 'SEAL_FRAME_FORGED'
      assert.throws(() => opener.open(flipBit(frame, bit)), { code })
    }
    assert.deepEqual(opener.open(frame).bytes, word)
  })

  it('refuses frames that were reordered, dropped or repeated', () => {
    const frames = sealAll([word, word, word, word])
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 1 }), order => {
        fc.pre(order.some((place, i) => place !== i))
        const opener = responseOpener(key(), jobId)
        const firstWrong = order.findIndex((place, i) => place !== i)
        const inOrder = order.slice(0, firstWrong)
        const wrong = frames[order[firstWrong] ?? -1]
        assert.ok(wrong)
        for (const place of inOrder) {
          opener.open(frames[place] ?? new Uint8Array())
        }
        assert.throws(() => opener.open(wrong), { code: 'SEAL_FRAME_MISSING' })
      })
    )
    const [first, second] = frames
    assert.ok(first && second)
    const opener = responseOpener(key(), jobId)
    opener.open(first)
    assert.throws(() => opener.open(first), { code: 'SEAL_FRAME_REPEATED' })
    opener.open(second)
  })

  it('refuses a moved frame whose clear counter was made to fit', () => {
    const [first, second] = sealAll([word, word])
    assert.ok(first && second)
    assert.throws(() => responseOpener(key(), jobId).open(second.with(4, 0)), { code: 'SEAL_FRAME_FORGED' })
    const opener = responseOpener(key(), jobId)
    opener.open(first)
    assert.throws(() => opener.open(first.with(4, 1)), { code: 'SEAL_FRAME_FORGED' })
  })

  it('refuses a frame spliced in from another answer or another job', () => {
    const foreignKey = new ResponseKey(new Uint8Array(44).fill(1))
    const [foreign] = responseSealer(foreignKey, jobId).seal(word, false)
    const [otherJob] = responseSealer(key(), new Uint8Array(16)).seal(word, false)
    assert.ok(foreign && otherJob)
    for (const frame of [foreign, otherJob]) {
      assert.throws(() => responseOpener(key(), jobId).open(frame), { code: 'SEAL_FRAME_FORGED' })
    }
  })

  it('refuses a final flag that was set or taken away', () => {
    const [more] = responseSealer(key(), jobId).seal(word, false)
    const [final] = responseSealer(key(), jobId).seal(word, true)
    assert.ok(more && final)
    const opener = responseOpener(key(), jobId)
    assert.throws(() => opener.open(more.with(0, 1)), { code: 'SEAL_FRAME_FORGED' })
    assert.throws(() => opener.open(final.with(0, 0)), { code: 'SEAL_FRAME_FORGED' })
    assert.ok(!opener.finished)
  })

  it('calls an answer without its final frame truncated, after however many frames', () => {
    const frames = sealAll([word, word, word])
    for (let kept = 0; kept < frames.length; kept++) {
      const opener = responseOpener(key(), jobId)
      frames.slice(0, kept).forEach(frame => opener.open(frame))
      assert.ok(!opener.finished)
      assert.throws(() => opener.expectFinished(), { code: 'SEAL_ANSWER_TRUNCATED' })
    }
  })

  it('accepts and seals nothing after the final frame', () => {
    const sealer = responseSealer(key(), jobId)
    const [last] = sealer.seal(word, true)
    assert.ok(last)
    assert.throws(() => sealer.seal(word, true), { code: 'SEAL_ANSWER_FINISHED' })
    const opener = responseOpener(key(), jobId)
    opener.open(last)
    assert.throws(() => opener.open(last), { code: 'SEAL_FRAME_AFTER_FINAL' })
  })

  it('refuses a frame of another size', () => {
    const [frame] = responseSealer(key(), jobId).seal(word, false)
    assert.ok(frame)
    for (const bad of [new Uint8Array(0), frame.subarray(1), Buffer.concat([frame, Uint8Array.of(0)])]) {
      assert.throws(() => responseOpener(key(), jobId).open(bad), { code: 'SEAL_FRAME_SIZE' })
    }
  })

  it('chains the same hash on both sides over exactly the frames that were opened', () => {
    const sealer = responseSealer(key(), jobId)
    const frames = [...sealer.seal(new Uint8Array(600), false), ...sealer.seal(word, true)]
    const opener = responseOpener(key(), jobId)
    let expected = sha256(Buffer.from('cocoon/answer/v1'), jobId)
    assert.deepEqual(Buffer.from(opener.chainHash), expected)
    for (const frame of frames) {
      assert.throws(() => opener.open(flipBit(frame, 100)), { code: 'SEAL_FRAME_FORGED' })
      assert.deepEqual(Buffer.from(opener.chainHash), expected)
      opener.open(frame)
      expected = sha256(expected, sha256(frame))
      assert.deepEqual(Buffer.from(opener.chainHash), expected)
    }
    assert.deepEqual(sealer.chainHash, opener.chainHash)
  })

  it('lets one response key seal one answer only', () => {
    const responseKey = key()
    responseSealer(responseKey, jobId)
    assert.throws(() => responseSealer(responseKey, jobId), { code: 'SEAL_KEY_USED' })
  })

  it('does nothing with wiped keys', () => {
    const sealer = responseSealer(key(), jobId)
    const opener = responseOpener(key(), jobId)
    const [frame] = sealer.seal(word, false)
    assert.ok(frame)
    sealer.wipe()
    opener.wipe()
    assert.throws(() => sealer.seal(word, false), { code: 'SEAL_KEY_WIPED' })
    assert.throws(() => opener.open(frame), { code: 'SEAL_KEY_WIPED' })
    const responseKey = key()
    responseKey.wipe()
    assert.throws(() => responseOpener(responseKey, jobId), { code: 'SEAL_KEY_WIPED' })
    assert.throws(() => responseSealer(responseKey, jobId), { code: 'SEAL_KEY_WIPED' })
  })

  it('keeps copies of what it was given: the caller may wipe or reuse its buffers', () => {
    const [ownSecret, ownJobId] = [Buffer.from(secret), Buffer.from(jobId)]
    const responseKey = new ResponseKey(ownSecret)
    ownSecret.fill(0)
    const sealer = responseSealer(responseKey, ownJobId)
    responseKey.wipe()
    ownJobId.fill(0)
    const [frame] = sealer.seal(word, true)
    assert.ok(frame)
    assert.deepEqual(responseOpener(key(), jobId).open(frame).bytes, word)
  })

  it('refuses a job id or a secret of the wrong length', () => {
    assert.throws(() => responseSealer(key(), jobId.subarray(1)), { code: 'SEAL_LENGTH_INVALID' })
    assert.throws(() => responseOpener(key(), jobId.subarray(1)), { code: 'SEAL_LENGTH_INVALID' })
    assert.throws(() => new ResponseKey(new Uint8Array(43)), { code: 'SEAL_LENGTH_INVALID' })
  })
})

function key(): ResponseKey {
  return new ResponseKey(secret)
}

function sealAll(parts: readonly Uint8Array[]): Uint8Array[] {
  const sealer = responseSealer(key(), jobId)
  return parts.flatMap((part, i) => sealer.seal(part, i === parts.length - 1))
}

function sha256(...parts: Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest()
}

function flipBit(value: Uint8Array, bit: number): Uint8Array {
  const copy = value.slice()
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}
