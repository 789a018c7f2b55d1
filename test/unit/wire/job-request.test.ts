import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodeJobRequest, encodeJobRequest, type JobRequest } from '../../../src/wire/job-request.ts'

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
const hello = [{ role: 'user', content: 'Hi' }]

describe('job request', () => {
  it('carries every field through', () => {
    const request: JobRequest = {
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'héllo 🦊' },
        { role: 'assistant', content: '' }
      ],
      maxTokens: 64,
      temperature: 0.7,
      topP: 0.9,
      seed: 4294967295,
      stop: ['\n\n']
    }
    assert.deepEqual(decodeJobRequest(encodeJobRequest(request)), request)
  })

  const refused: Array<[string, unknown]> = [
    ['a list', []],
    ['no messages', {}],
    ['an empty list of messages', { messages: [] }],
    ['too many messages', { messages: Array.from({ length: 1025 }, () => hello[0]) }],
    ['an unknown role', { messages: [{ role: 'tool', content: 'x' }] }],
    ['content that is no text', { messages: [{ role: 'user', content: ['x'] }] }],
    ['a lone surrogate', { messages: [{ role: 'user', content: 'a\ud800b' }] }],
    ['an unknown field of a message', { messages: [{ role: 'user', content: 'x', name: 'y' }] }],
    ['an unknown field', { messages: hello, tools: [] }],
    ['no tokens', { messages: hello, maxTokens: 0 }],
    ['half a token', { messages: hello, maxTokens: 1.5 }],
    ['a temperature below zero', { messages: hello, temperature: -0.1 }],
    ['a temperature above two', { messages: hello, temperature: 2.1 }],
    ['topP zero', { messages: hello, topP: 0 }],
    ['a seed past 32 bits', { messages: hello, seed: 2 ** 32 }],
    ['a null setting', { messages: hello, seed: null }],
    ['five stop texts', { messages: hello, stop: ['a', 'b', 'c', 'd', 'e'] }],
    ['an empty stop text', { messages: hello, stop: [''] }]
  ]
  for (const [name, value] of refused) {
    it(`refuses ${name}, on either side`, () => {
      assert.throws(() => decodeJobRequest(json(value)), { code: 'JOB_REQUEST_INVALID', errorClass: 'peer' })
      assert.throws(() => encodeJobRequest(value as JobRequest), { code: 'JOB_REQUEST_INVALID', errorClass: 'usage' })
    })
  }

  it('refuses bytes that are no JSON, without quoting them', () => {
    for (const text of ['secret {', '', '\u0000']) {
      assert.throws(
        () => decodeJobRequest(Buffer.from(text)),
        (err: Error & { code?: string }) =>
          err.code === 'JOB_REQUEST_INVALID' && !err.message.includes('secret') && err.cause === undefined
      )
    }
    assert.throws(() => decodeJobRequest(Uint8Array.of(0xff, 0xfe)), { code: 'JOB_REQUEST_INVALID' })
  })

  it('answers any bytes with a request or the one error', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map(text => Buffer.from(text))
        ),
        bytes => {
          try {
            decodeJobRequest(bytes)
          } catch (err) {
            assert.equal((err as { code?: string }).code, 'JOB_REQUEST_INVALID')
          }
        }
      )
    )
  })
})
