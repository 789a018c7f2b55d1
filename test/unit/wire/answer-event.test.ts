import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type AnswerEvent, decodeAnswerEvent, encodeAnswerEvent } from '../../../src/wire/answer-event.ts'

describe('answer event', () => {
  it('carries text bytes and the finish reason through', () => {
    const event: AnswerEvent = { type: 'end', finishReason: 'length' }
    assert.deepEqual(decodeAnswerEvent(encodeAnswerEvent(event)), event)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 509 }), text => {
        assert.deepEqual(decodeAnswerEvent(encodeAnswerEvent({ type: 'text', text })), { type: 'text', text })
      })
    )
  })

  it('reads an empty frame as nothing', () => {
    assert.equal(decodeAnswerEvent(new Uint8Array()), undefined)
  })

  it('refuses an unknown type and a reason that is none', () => {
    for (const bytes of [[0], [3, 65], [2], [2, 65], [2, ...Buffer.from('x'.repeat(33))]]) {
      assert.throws(() => decodeAnswerEvent(Uint8Array.from(bytes)), { code: 'MESSAGE_MALFORMED' })
    }
  })
})
