import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Llama, LlamaModel, Token } from 'node-llama-cpp'
import { defaultModelPath } from '../../../src/inference/index.ts'
import { loadLlama } from '../../../src/inference/llama-backend.ts'
import { TextStream } from '../../../src/inference/text-stream.ts'

describe('text stream', function () {
  this.timeout(20_000)
  let llama: Llama
  let model: LlamaModel

  before(async () => {
    llama = await loadLlama('off')
    model = await llama.loadModel({ modelPath: defaultModelPath(), vocabOnly: true })
  })
  after(() => llama.dispose())

  function pieces(tokens: Token[]): string[] {
    const stream = new TextStream((part, before) => model.detokenize(part as Token[], false, before as Token[]), [])
    return [...tokens.map(token => stream.push(token)), stream.end()]
  }

  it('holds a character back until its last byte is there', () => {
    // Byte fallback: one token a byte.
    const tokens = model.tokenize('🦊', false)
    assert.ok(tokens.length >= 4)
    assert.equal(
      pieces(tokens)
        .filter(text => text !== '')
        .join('|'),
      '🦊'
    )
  })

  it('joins to the exact text for emoji, CJK, accents and joiners', () => {
    for (const text of [
      'héllo 🦊 你好，世界',
      '👨‍👩‍👧‍👦 family',
      'a\uFFFDb',
      '\uFFFD',
      'tabs\tand\n\nlines  ',
      'ﷺ 𝔘𝔫𝔦 🇺🇦'
    ]) {
      assert.equal(pieces(model.tokenize(text, false)).join(''), text)
    }
  })

  it('joins to what the detokenizer makes of all tokens at once', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), text => {
        const tokens = model.tokenize(text, false)
        assert.equal(pieces(tokens).join(''), model.detokenize(tokens))
      }),
      { numRuns: 200 }
    )
  })
})
