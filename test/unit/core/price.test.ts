import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { type TokenUsage, tokenCost } from '../../../src/core/price.ts'

const price = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(nanoTon)
const prices = fc.record({ promptPerMTokens: price, cachedPromptPerMTokens: price, completionPerMTokens: price })
const count = fc.nat({ max: 2 ** 32 - 1 })
const usage: fc.Arbitrary<TokenUsage> = fc.record({
  promptTokens: count,
  cachedPromptTokens: count,
  completionTokens: count
})

function plus(a: TokenUsage, b: TokenUsage): TokenUsage {
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    cachedPromptTokens: a.cachedPromptTokens + b.cachedPromptTokens,
    completionTokens: a.completionTokens + b.completionTokens
  }
}

describe('token cost', () => {
  it('rounds the whole sum up once', () => {
    const tiny = {
      promptPerMTokens: nanoTon(1n),
      cachedPromptPerMTokens: nanoTon(1n),
      completionPerMTokens: nanoTon(1n)
    }
    const one = { promptTokens: 1, cachedPromptTokens: 1, completionTokens: 1 }
    assert.equal(tokenCost(tiny, one), 1n)
    assert.equal(tokenCost(tiny, { ...one, completionTokens: 999_998 }), 1n)
    assert.equal(tokenCost(tiny, { ...one, completionTokens: 999_999 }), 2n)
    assert.equal(tokenCost(tiny, { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }), 0n)
  })

  it('charges each kind of token its own price', () => {
    const prices = {
      promptPerMTokens: nanoTon(1_000_000n),
      cachedPromptPerMTokens: nanoTon(10_000_000n),
      completionPerMTokens: nanoTon(100_000_000n)
    }
    assert.equal(tokenCost(prices, { promptTokens: 1, cachedPromptTokens: 2, completionTokens: 3 }), 321n)
  })

  it('never falls when tokens are added, and in parts costs at most a nanoton more than as a whole', () => {
    fc.assert(
      fc.property(prices, usage, usage, (asked, first, more) => {
        const whole = tokenCost(asked, plus(first, more))
        const parts = tokenCost(asked, first) + tokenCost(asked, more)
        assert.ok(whole >= tokenCost(asked, first))
        assert.ok(parts === whole || parts === whole + 1n, `${parts} for parts, ${whole} for the whole`)
      })
    )
  })
})
