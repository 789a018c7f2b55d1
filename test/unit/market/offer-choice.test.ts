import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { tokenCost } from '../../../src/core/price.ts'
import { type OfferPolicy, refuseOffer, withinCap } from '../../../src/market/index.ts'
import type { Offer } from '../../../src/wire/offer.ts'

const POLICY: OfferPolicy = {
  maxPrices: { promptPerMTokens: nanoTon(100n), completionPerMTokens: nanoTon(300n) },
  maxDeposit: nanoTon(1_000n)
}

const OFFER: Offer = {
  jobId: new Uint8Array(16),
  prices: {
    promptPerMTokens: nanoTon(100n),
    cachedPromptPerMTokens: nanoTon(100n),
    completionPerMTokens: nanoTon(300n)
  },
  queue: 0,
  expectedTtftMs: 10,
  minimumDeposit: nanoTon(1_000n),
  windowTokens: 32,
  expiresAtMs: 5_001,
  maxCost: nanoTon(10_000n),
  startWithinMs: 60_000
}

describe('offer choice', () => {
  it('takes an offer that keeps to every limit exactly', () => {
    assert.equal(refuseOffer(OFFER, POLICY, 5_000), undefined)
    // Clocks of two peers differ: an offer is old only after ten minutes more.
    assert.equal(refuseOffer(OFFER, POLICY, 605_000), undefined)
  })

  it('refuses each price above its cap, a deposit above the limit, and an offer that is long out of date', () => {
    for (const dear of [
      { promptPerMTokens: nanoTon(101n) },
      { cachedPromptPerMTokens: nanoTon(101n) },
      { completionPerMTokens: nanoTon(301n) }
    ]) {
      assert.equal(refuseOffer({ ...OFFER, prices: { ...OFFER.prices, ...dear } }, POLICY, 0), 'price above the cap')
    }
    assert.equal(
      refuseOffer({ ...OFFER, minimumDeposit: nanoTon(1_001n) }, POLICY, 0),
      'minimum deposit above the limit'
    )
    assert.equal(refuseOffer(OFFER, POLICY, 605_001), 'expired')
  })

  it('lets no count of tokens cost more than the cap allows', () => {
    const price = fc.bigInt({ min: 0n, max: 400n }).map(nanoTon)
    const prices = fc.record({ promptPerMTokens: price, cachedPromptPerMTokens: price, completionPerMTokens: price })
    const count = fc.nat({ max: 2 ** 32 - 1 })
    const usage = fc.record({ promptTokens: count, cachedPromptTokens: count, completionTokens: count })
    const { promptPerMTokens, completionPerMTokens } = POLICY.maxPrices
    const dearest = { promptPerMTokens, cachedPromptPerMTokens: promptPerMTokens, completionPerMTokens }
    fc.assert(
      fc.property(prices, usage, (offered, used) => {
        fc.pre(withinCap(offered, POLICY.maxPrices))
        assert.ok(tokenCost(offered, used) <= tokenCost(dearest, used))
      })
    )
  })
})
