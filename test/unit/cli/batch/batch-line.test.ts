import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parseBatchLine } from '../../../../src/cli/batch/batch-line.ts'
import { LineFault } from '../../../../src/cli/batch/line-fault.ts'

const SECRET = 'the private question'

function line(changes: object = {}, body: object = {}): string {
  return JSON.stringify({
    custom_id: 'a',
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'pocket', messages: [{ role: 'user', content: SECRET }], ...body },
    ...changes
  })
}

function faultOf(text: string): LineFault {
  try {
    parseBatchLine(text, 1)
  } catch (err) {
    assert.ok(err instanceof LineFault, String(err))
    return err
  }
  assert.fail(`accepted: ${text}`)
}

describe('a line of a batch', () => {
  it('is a question with its settings', () => {
    const settings = {
      max_tokens: 7,
      temperature: 0.5,
      top_p: 0.9,
      seed: 0,
      stop: 'END',
      n: 1,
      stream: false,
      user: 'me'
    }
    assert.deepEqual(parseBatchLine(line({}, settings), 3), {
      line: 3,
      customId: 'a',
      body: {
        model: 'pocket',
        request: {
          messages: [{ role: 'user', content: SECRET }],
          maxTokens: 7,
          temperature: 0.5,
          topP: 0.9,
          seed: 0,
          stop: ['END']
        }
      }
    })
  })

  it('may leave settings out, or write null', () => {
    const { request } = parseBatchLine(line({}, { temperature: null, stop: null, max_tokens: null }), 1).body
    assert.deepEqual(Object.keys(request).sort(), ['maxTokens', 'messages'])
  })

  it('takes the newer name of the token limit first', () => {
    assert.equal(parseBatchLine(line({}, { max_tokens: 1, max_completion_tokens: 2 }), 1).body.request.maxTokens, 2)
  })

  it('may hold its text in parts', () => {
    const content = [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' }
    ]
    const { messages } = parseBatchLine(line({}, { messages: [{ role: 'user', content }] }), 1).body.request
    assert.deepEqual(messages, [{ role: 'user', content: 'ab' }])
  })

  const refused: Array<[what: string, text: string]> = [
    ['no JSON', '{"custom_id":'],
    ['no object', '[]'],
    ['no id', line({ custom_id: undefined })],
    ['an empty id', line({ custom_id: '' })],
    ['a number as id', line({ custom_id: 1 })],
    ['another method', line({ method: 'GET' })],
    ['another url', line({ url: '/v1/embeddings' })],
    ['an unknown field', line({ priority: 1 })],
    ['no body', line({ body: undefined })],
    ['no model', line({}, { model: undefined })],
    ['no messages', line({}, { messages: [] })],
    ['an unknown role', line({}, { messages: [{ role: 'tool', content: SECRET }] })],
    ['an image', line({}, { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: SECRET }] }] })],
    ['no content', line({}, { messages: [{ role: 'user' }] })],
    ['a tool call', line({}, { messages: [{ role: 'assistant', content: SECRET, tool_calls: [{}] }] })],
    ['tools', line({}, { tools: [] })],
    ['more than one answer', line({}, { n: 2 })],
    ['a stream', line({}, { stream: true })],
    ['no tokens', line({}, { max_tokens: 0 })],
    ['half a token', line({}, { max_tokens: 1.5 })],
    ['a temperature of 3', line({}, { temperature: 3 })],
    ['a temperature as text', line({}, { temperature: '1' })],
    ['a top_p of 0', line({}, { top_p: 0 })],
    ['a negative seed', line({}, { seed: -1 })],
    ['five stops', line({}, { stop: ['1', '2', '3', '4', '5'] })],
    ['an empty stop', line({}, { stop: '' })]
  ]
  for (const [what, text] of refused) {
    it(`is refused with ${what}, without quoting the question`, () => {
      assert.ok(!faultOf(text).reason.includes(SECRET))
    })
  }

  it('names its id in the fault where it has one', () => {
    assert.equal(faultOf(line({}, { n: 2 })).customId, 'a')
  })

  it('is refused as a fault of the line, whatever it holds', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.object().map(body => line({}, body))
        ),
        text => {
          try {
            parseBatchLine(text, 1)
          } catch (err) {
            assert.ok(err instanceof LineFault, String(err))
          }
        }
      )
    )
  })
})
