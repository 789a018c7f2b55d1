import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import {
  decodeOffer,
  decodeOfferAnswer,
  encodeOffer,
  encodeOfferAnswer,
  type Offer,
  type OfferAnswer
} from '../../../src/wire/offer.ts'
import * as any from './samples.ts'

const offer: fc.Arbitrary<Offer> = fc.record(
  {
    jobId: any.bytes(16),
    prices: any.prices,
    queue: any.uint32,
    expectedTtftMs: any.uint32,
    minimumDeposit: any.price,
    windowTokens: fc.integer({ min: 1, max: 4096 }),
    expiresAtMs: any.timeMs,
    maxCost: any.coins,
    startWithinMs: any.uint32
  },
  any.plain
)
const answer: fc.Arbitrary<OfferAnswer> = fc.record({ accepted: fc.boolean(), reason: any.words(200) }, any.plain)

const OFFER: Offer = {
  jobId: new Uint8Array(16),
  prices: {
    promptPerMTokens: nanoTon(2_147_483_648n),
    cachedPromptPerMTokens: nanoTon(4_294_967_295n),
    completionPerMTokens: nanoTon(1n << 63n)
  },
  queue: 0,
  expectedTtftMs: 0,
  minimumDeposit: nanoTon(3_000_000_000n),
  windowTokens: 32,
  expiresAtMs: 0,
  maxCost: nanoTon(1n << 64n),
  startWithinMs: 60_000
}

describe('offer', () => {
  it('carries every valid offer and answer through', () => {
    any.carriesThrough(offer, encodeOffer, decodeOffer)
    any.carriesThrough(answer, encodeOfferAnswer, decodeOfferAnswer)
  })

  it('keeps amounts of 32 and 64 bits whole', () => {
    assert.deepEqual(decodeOffer(encodeOffer(OFFER)), OFFER)
  })

  it('answers any bytes with a message or one of its two errors', () => {
    any.refusesDamage(offer, encodeOffer, decodeOffer)
    any.refusesDamage(answer, encodeOfferAnswer, decodeOfferAnswer)
  })

  it('refuses messages over the limit by their size alone', () => {
    any.refusesOversize(LIMITS.offerBytes, decodeOffer)
    assert.throws(() => decodeOfferAnswer(new Uint8Array(LIMITS.offerBytes + 1)), { code: 'MESSAGE_TOO_LARGE' })
  })

  it('refuses a wrong job id, a window of none or too many tokens, and a time that is no safe integer', () => {
    for (const changes of [
      { jobId: new Uint8Array(17) },
      { windowTokens: 0 },
      { windowTokens: 4097 },
      { expiresAtMs: 2 ** 53 }
    ]) {
      assert.throws(() => decodeOffer(encodeOffer({ ...OFFER, ...changes })), any.MALFORMED)
    }
    assert.throws(
      () => decodeOfferAnswer(encodeOfferAnswer({ accepted: false, reason: 'x'.repeat(201) })),
      any.MALFORMED
    )
  })
})
