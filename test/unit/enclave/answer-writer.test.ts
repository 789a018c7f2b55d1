import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { TokenUsage } from '../../../src/core/price.ts'
import { AnswerWriter } from '../../../src/enclave/answer-writer.ts'
import { ResponseKey, type ResponseOpener, responseOpener, responseSealer } from '../../../src/seal/index.ts'
import { decodeAnswerEvent } from '../../../src/wire/answer-event.ts'
import { until } from '../../support/until.ts'

const JOB_ID = new Uint8Array(16).fill(3)

interface Harness {
  writer: AnswerWriter
  clock: { ms: number }
  frames: Array<{ text?: string; end?: string; final: boolean; usage: TokenUsage }>
}

function harness(): Harness {
  const key = new ResponseKey(new Uint8Array(44).fill(5))
  const opener: ResponseOpener = responseOpener(key, JOB_ID)
  const frames: Harness['frames'] = []
  const clock = { ms: 0 }
  const send = (sealed: Uint8Array, usage: TokenUsage): void => {
    const { bytes, final } = opener.open(sealed)
    const event = decodeAnswerEvent(bytes)
    frames.push({
      final,
      usage,
      ...(event?.type === 'text' ? { text: Buffer.from(event.text).toString('latin1') } : {}),
      ...(event?.type === 'end' ? { end: event.finishReason } : {})
    })
  }
  const writer = new AnswerWriter(responseSealer(key, JOB_ID), send, { nowMs: () => clock.ms })
  return { writer, clock, frames }
}

describe('answer writer', () => {
  it('sends the first token at once, with the prompt tokens', () => {
    const { writer, frames } = harness()
    writer.prompt(21, 4)
    assert.equal(frames.length, 0)
    writer.text('One', 1)
    assert.deepEqual(frames, [
      { text: 'One', final: false, usage: { promptTokens: 21, cachedPromptTokens: 4, completionTokens: 1 } }
    ])
    writer.discard()
  })

  it('lets tokens that come fast share a frame, and sends them soon without a further token', async () => {
    const { writer, frames } = harness()
    writer.text('a', 1)
    writer.text('b', 2)
    writer.text('c', 3)
    assert.equal(frames.length, 1)
    await until(() => frames.length > 1)
    assert.deepEqual(
      frames
        .slice(1)
        .map(frame => frame.text)
        .join(''),
      'bc'
    )
    assert.equal(frames.at(-1)?.usage.completionTokens, 3)
  })

  it('sends a token at once when the last frame is ten milliseconds old', () => {
    const { writer, clock, frames } = harness()
    writer.text('a', 1)
    clock.ms = 9.9
    writer.text('b', 2)
    assert.equal(frames.length, 1)
    clock.ms = 10
    writer.text('c', 3)
    assert.deepEqual(
      frames.map(frame => frame.text),
      ['a', 'bc']
    )
  })

  it('ends with what waits and one final frame', () => {
    const { writer, frames } = harness()
    writer.text('a', 1)
    writer.text('b', 2)
    void writer.end('stop')
    assert.deepEqual(
      frames.map(({ text, end, final }) => [text ?? end, final]),
      [
        ['a', false],
        ['b', false],
        ['stop', true]
      ]
    )
    assert.equal(frames.at(-1)?.usage.completionTokens, 2)
  })

  it('neither sends nor counts what was discarded', () => {
    const { writer, frames } = harness()
    writer.text('a', 1)
    writer.text('b', 2)
    writer.discard()
    void writer.end('cancelled')
    assert.deepEqual(writer.delivered.completionTokens, 1)
    assert.deepEqual(
      frames.map(frame => frame.text ?? frame.end),
      ['a', 'cancelled']
    )
  })

  it('sends tokens that have no text of their own', () => {
    const { writer, frames } = harness()
    writer.text('', 1)
    assert.equal(frames[0]?.usage.completionTokens, 1)
    writer.discard()
  })

  it('keeps every byte and every count, and no frame covers more than 32 tokens', () => {
    // Latin-1 as UTF-8: one or two bytes a character.
    const texts = fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 700 }), { minLength: 1, maxLength: 150 })
    fc.assert(
      fc.property(texts, pieces => {
        const { writer, frames } = harness()
        pieces.forEach((text, index) => writer.text(text, index + 1))
        void writer.end('length')
        assert.equal(frames.map(frame => frame.text ?? '').join(''), pieces.join(''))
        const counts = [0, ...frames.map(frame => frame.usage.completionTokens)]
        assert.equal(counts.at(-1), pieces.length)
        assert.ok(counts.every((count, index) => index === 0 || count - (counts[index - 1] ?? 0) <= 32))
        assert.deepEqual(frames.map(frame => frame.final).lastIndexOf(true), frames.length - 1)
      }),
      { numRuns: 50 }
    )
  })
})
