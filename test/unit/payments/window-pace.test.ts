import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Pace, paceAfterChunk, paceAfterStall, paceAfterVoucher, startPace } from '../../../src/payments/index.ts'
import { linkBounds, runLink } from './link-model.ts'

const HOSTILE = fc.oneof(fc.double(), fc.constantFrom(-1, 0, 1e308, Number.NaN, Number.POSITIVE_INFINITY))

type Happening = { do: 'chunk'; tokens: number; afterMs: number } | { do: 'voucher'; tookMs: number } | { do: 'stall' }

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ do: fc.constant('chunk' as const), tokens: fc.nat(40), afterMs: fc.integer({ min: -50, max: 2_000 }) }),
  fc.record({ do: fc.constant('voucher' as const), tookMs: HOSTILE }),
  fc.record({ do: fc.constant('stall' as const) })
)

/** Links whose round trip, with signing, is shorter than half the longest window. */
const link = fc
  .record({
    maxTokens: fc.integer({ min: 8, max: 256 }),
    tokensPerSecond: fc.double({ min: 1, max: 400, noNaN: true }),
    share: fc.double({ min: 0, max: 0.499, noNaN: true }),
    signingShare: fc.double({ min: 0, max: 1, noNaN: true }),
    tokens: fc.integer({ min: 1, max: 300 })
  })
  .map(({ maxTokens, tokensPerSecond, share, signingShare, tokens }) => {
    const delayMs = Math.min(5_000, (share * maxTokens * 1000) / tokensPerSecond)
    const signingMs = Math.min(20, delayMs * signingShare)
    return { maxTokens, tokensPerSecond, roundTripMs: delayMs - signingMs, signingMs, tokens }
  })

describe('payment pace', () => {
  it('starts small on a fast link, and with what a slow one needs, never beyond the limit', () => {
    const window = (init: Parameters<typeof startPace>[0]): number => startPace(init).windowTokens
    assert.equal(window({ maxTokens: 32, roundTripMs: 1, tokensPerSecond: 20 }), 24)
    assert.equal(window({ maxTokens: 32, roundTripMs: 200, tokensPerSecond: 40 }), 24)
    assert.equal(window({ maxTokens: 32, roundTripMs: 900, tokensPerSecond: 100 }), 32)
    assert.equal(window({ maxTokens: 3, roundTripMs: 900, tokensPerSecond: 100 }), 3)
  })

  it('never asks for a window beyond the limit, whatever is measured or claimed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4_096 }),
        HOSTILE,
        HOSTILE,
        fc.array(happening),
        (maxTokens, rtt, rate, all) => {
          let pace: Pace = startPace({ maxTokens, roundTripMs: rtt, tokensPerSecond: rate })
          let nowMs = 0
          for (const one of [...all, { do: 'stall' as const }]) {
            if (one.do === 'chunk') {
              nowMs += one.afterMs
              pace = paceAfterChunk(pace, one.tokens, nowMs)
            } else {
              pace = one.do === 'voucher' ? paceAfterVoucher(pace, one.tookMs) : paceAfterStall(pace, nowMs)
            }
            const { windowTokens, lowTokens } = pace
            assert.ok(Number.isInteger(windowTokens) && windowTokens >= 1 && windowTokens <= maxTokens)
            assert.ok(Number.isInteger(lowTokens) && lowTokens >= 1 && lowTokens <= windowTokens)
          }
        }
      )
    )
  })

  it('never makes a stream wait where a round trip is shorter than half the longest window', () => {
    fc.assert(
      fc.property(link, ({ maxTokens, tokensPerSecond, roundTripMs, signingMs, tokens }) => {
        const pace = paceAfterVoucher(startPace({ maxTokens, roundTripMs, tokensPerSecond }), signingMs)
        const bounds = linkBounds(maxTokens, tokens)
        const run = runLink({ roundTripMs, tokensPerSecond, signingMs, tokens, chunkTokens: 1, bounds, pace })
        assert.equal(run.stalls, 0)
        assert.ok(run.slowdownMs < 1e-6)
        assert.ok(run.mostAhead <= maxTokens)
      }),
      { numRuns: 300 }
    )
  })

  it('makes a stream wait no sooner where the window is as long as it may be: vouchers come more often instead', () => {
    for (const maxTokens of [32, 64, 256]) {
      const tokensPerSecond = 50
      const roundTripMs = (0.7 * maxTokens * 1000) / tokensPerSecond
      const base = { roundTripMs, tokensPerSecond, signingMs: 0, tokens: 500, chunkTokens: 1 }
      const bounds = linkBounds(maxTokens, 500)
      const run = runLink({ ...base, bounds, pace: startPace({ maxTokens, roundTripMs, tokensPerSecond }) })
      assert.deepEqual([run.stalls, run.mostAhead], [0, maxTokens])
      assert.ok(runLink({ ...base, bounds, pace: undefined }).stalls > 0)
    }
  })

  it('finds the window by itself where the provider said nothing true of its speed, for a few round trips in all', () => {
    fc.assert(
      fc.property(link, fc.double({ min: 0, max: 2, noNaN: true }), ({ maxTokens, ...rest }, claimed) => {
        const tokens = 600
        const pace = startPace({ maxTokens, roundTripMs: 1, tokensPerSecond: claimed })
        const run = runLink({ ...rest, tokens, chunkTokens: 1, bounds: linkBounds(maxTokens, tokens), pace })
        assert.ok(run.mostAhead <= maxTokens)
        // Doubling from the smallest window to the longest takes up to five waits, most of which are made up for.
        const delayMs = rest.roundTripMs + rest.signingMs
        assert.ok(run.slowdownMs <= 4 * delayMs, `${run.slowdownMs} ms`)
      }),
      { numRuns: 100 }
    )
  })

  it('grows after a wait, and shrinks again when it is not needed any more', () => {
    let pace = startPace({ maxTokens: 64, roundTripMs: 5, tokensPerSecond: 20 })
    assert.equal(pace.windowTokens, 24)
    for (const expected of [48, 64, 64]) {
      pace = paceAfterStall(pace, 0)
      assert.equal(pace.windowTokens, expected)
    }
    // It turns out that the waits were the provider's own.
    let nowMs = 10
    for (let n = 0; n < 40_000; n++) {
      nowMs += 50
      pace = paceAfterChunk(pace, 1, nowMs)
    }
    assert.equal(pace.windowTokens, 24)
  })

  it('has less at risk than a fixed window and waits less, on links near and far', () => {
    for (const [roundTripMs, tokensPerSecond] of [
      [1, 50],
      [20, 50],
      [100, 50],
      [250, 50],
      [500, 10]
    ] as const) {
      const base = {
        roundTripMs,
        tokensPerSecond,
        signingMs: 3,
        tokens: 512,
        chunkTokens: 1,
        bounds: linkBounds(32, 512)
      }
      const fixed = runLink({ ...base, pace: undefined })
      const adaptive = runLink({ ...base, pace: startPace({ maxTokens: 32, roundTripMs, tokensPerSecond }) })
      assert.equal(adaptive.stalls, 0)
      assert.ok(adaptive.stalledMs <= fixed.stalledMs)
      assert.ok(adaptive.meanAhead <= fixed.meanAhead + 2, `${roundTripMs} ms: ${adaptive.meanAhead}`)
    }
  })
})
