import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type NanoTon, nanoTon } from '../../../src/core/nano-ton.ts'
import {
  type CandidateFacts,
  type CandidateNeeds,
  excludeCandidate,
  rankCandidates,
  scoreCandidate
} from '../../../src/market/index.ts'

const NEEDS: CandidateNeeds = {
  tiers: ['tdx', 'snp'],
  maxPrices: { promptPerMTokens: nanoTon(100n), completionPerMTokens: nanoTon(300n) },
  globalId: -3
}

function facts(changes: Partial<CandidateFacts> = {}): CandidateFacts {
  return {
    peerId: 'p',
    tier: 'tdx',
    prices: prices(100n, 100n, 300n),
    slotsFree: 1,
    slotsTotal: 1,
    tokensPerSecond: 50,
    networks: [-239, -3],
    ...changes
  }
}

function prices(prompt: bigint, cached: bigint, completion: bigint) {
  return {
    promptPerMTokens: nanoTon(prompt),
    cachedPromptPerMTokens: nanoTon(cached),
    completionPerMTokens: nanoTon(completion)
  }
}

/** Whatever a record may claim; its figures are not believed to be finite either. */
const anyFacts: fc.Arbitrary<CandidateFacts> = fc.record({
  peerId: fc.string({ maxLength: 4 }),
  tier: fc.constantFrom('tdx', 'snp', 'simulated'),
  prices: fc
    .tuple(
      fc.bigInt({ min: 0n, max: 400n }),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      fc.bigInt({ min: 0n, max: 400n })
    )
    .map(([a, b, c]) => prices(a, b, c)),
  slotsFree: fc.double(),
  slotsTotal: fc.double(),
  tokensPerSecond: fc.double(),
  networks: fc.subarray([-3, -239])
})

describe('candidates', () => {
  it('are left out for the first thing that does not fit', () => {
    const cases: Array<[Partial<CandidateFacts>, Partial<CandidateNeeds>, ReturnType<typeof excludeCandidate>]> = [
      [{}, {}, undefined],
      [{}, { pinned: 'p' }, undefined],
      [{ tier: 'simulated' }, { pinned: 'q' }, 'other-provider'],
      [{ tier: 'simulated' }, {}, 'tier'],
      [{}, { tiers: [] }, 'tier'],
      [{ prices: prices(101n, 0n, 0n) }, {}, 'price'],
      [{ prices: prices(0n, 0n, 301n) }, {}, 'price'],
      [{ prices: prices(0n, 101n, 0n) }, {}, 'price'],
      [{ networks: [] }, {}, 'network'],
      [{ networks: [-239] }, {}, 'network']
    ]
    for (const [changes, needs, expected] of cases) {
      assert.equal(excludeCandidate(facts(changes), { ...NEEDS, ...needs }), expected)
    }
  })

  it('score higher when faster, cheaper or free', () => {
    const base = scoreCandidate(facts())
    assert.ok(scoreCandidate(facts({ tokensPerSecond: 100 })) > base)
    assert.ok(scoreCandidate(facts({ slotsFree: 0 })) < base)
    assert.ok(scoreCandidate(facts({ prices: prices(0n, 0n, 5_000_000_000n) })) < base)
  })

  it('have a finite score above zero, whatever a record claims', () => {
    fc.assert(
      fc.property(anyFacts, fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (claimed, completion) => {
        const score = scoreCandidate({
          ...claimed,
          prices: { ...claimed.prices, completionPerMTokens: completion as NanoTon }
        })
        assert.ok(Number.isFinite(score) && score > 0, String(score))
      })
    )
  })

  it('are ranked best first, only usable ones, in the same order however they were found', () => {
    const found = fc.uniqueArray(anyFacts, { selector: one => one.peerId, maxLength: 8 })
    fc.assert(
      fc.property(found, fc.string(), (candidates, salt) => {
        const ranked = rankCandidates(candidates, NEEDS, salt)
        assert.deepEqual(
          new Set(ranked),
          new Set(candidates.filter(candidate => excludeCandidate(candidate, NEEDS) === undefined))
        )
        const scores = ranked.map(scoreCandidate)
        assert.deepEqual(
          scores,
          scores.toSorted((a, b) => b - a)
        )
        assert.deepEqual(rankCandidates(candidates.toReversed(), NEEDS, salt), ranked)
      })
    )
  })

  it('of one score are spread over clients', () => {
    const equal = Array.from({ length: 5 }, (_, at) => facts({ peerId: `peer-${at}` }))
    const firsts = Array.from({ length: 40 }, (_, at) => rankCandidates(equal, NEEDS, `client-${at}`)[0]?.peerId)
    assert.equal(new Set(firsts).size, 5)
  })
})
