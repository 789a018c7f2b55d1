import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { type TokenPrices, type TokenUsage, tokenCost } from '../../../src/core/price.ts'
import { initialAuthorization, maxJobCost } from '../../../src/payments/index.ts'
import { countedUsage, firstPayment, offeredCost } from '../../../src/provider/job-price.ts'

const PRICES: TokenPrices = {
  promptPerMTokens: nanoTon(20_000_000n),
  cachedPromptPerMTokens: nanoTon(5_000_000n),
  completionPerMTokens: nanoTon(60_000_000n)
}
const NONE: TokenUsage = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }

describe('job price', () => {
  it('asks no more at first than what our own client pays unasked, and nothing where tokens are free', () => {
    const tokens = fc.integer({ min: 1, max: 4_096 })
    fc.assert(
      fc.property(tokens, tokens, (windowTokens, maxCompletionTokens) => {
        const bounds = {
          prices: PRICES,
          requestBytes: 10,
          windowTokens,
          openingTokens: Math.min(32, windowTokens),
          maxCompletionTokens
        }
        const asked = firstPayment(PRICES, Math.min(windowTokens, maxCompletionTokens))
        assert.ok(asked > 0n && asked <= initialAuthorization(bounds))
      })
    )
    const free = { ...PRICES, completionPerMTokens: nanoTon(0n) }
    assert.equal(firstPayment(free, 32), 0n)
  })

  it('P10 names a most that every honest count of the request keeps to', () => {
    fc.assert(
      fc.property(fc.nat(5_000), fc.nat(500), fc.integer({ min: 1, max: 500 }), (requestBytes, padding, limit) => {
        const body = { kind: 'later' as const, sizeBytes: requestBytes + padding, digest: new Uint8Array(32) }
        const offered = offeredCost(PRICES, body, limit)
        const honest = maxJobCost({ prices: PRICES, requestBytes, windowTokens: 32, maxCompletionTokens: limit })
        assert.ok(offered >= honest)
        assert.ok(offered >= tokenCost(PRICES, { ...NONE, promptTokens: requestBytes, completionTokens: limit }))
      })
    )
  })

  it('P04 takes no chunk without a count, nor one that counts less than before', () => {
    const before = { promptTokens: 5, cachedPromptTokens: 2, completionTokens: 7 }
    assert.deepEqual(countedUsage({ ...before, completionTokens: 8 }, before), { ...before, completionTokens: 8 })
    for (const [chunk, last] of [
      [NONE, NONE],
      [{ ...NONE, completionTokens: 4 }, NONE],
      [{ ...before, promptTokens: 4 }, before],
      [{ ...before, cachedPromptTokens: 1 }, before],
      [{ ...before, completionTokens: 6 }, before]
    ] as const) {
      assert.throws(() => countedUsage(chunk, last), { code: 'ENCLAVE_UNMETERED' })
    }
  })
})
