import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type NanoTon, nanoTon } from '../../../src/core/nano-ton.ts'
import { tokenCost } from '../../../src/core/price.ts'
import {
  checkUsage,
  initialAuthorization,
  type JobBounds,
  maxJobCost,
  maxPlausiblePrompt,
  nextAuthorization
} from '../../../src/payments/index.ts'

const PRICES = {
  promptPerMTokens: nanoTon(1_000_000n),
  cachedPromptPerMTokens: nanoTon(100_000n),
  completionPerMTokens: nanoTon(2_000_000n)
}
// One nanoton a prompt token, two a completion token.
const BOUNDS: JobBounds = { prices: PRICES, requestBytes: 400, windowTokens: 32, maxCompletionTokens: 100 }

function usage(promptTokens: number, completionTokens: number, cachedPromptTokens = 0) {
  return { promptTokens, cachedPromptTokens, completionTokens }
}

describe('payment window', () => {
  it('prepays one window and no more, whatever the prompt', () => {
    assert.equal(initialAuthorization(BOUNDS), 64n)
    assert.equal(initialAuthorization({ ...BOUNDS, maxCompletionTokens: 3 }), 6n)
  })

  it('pays one window ahead once less than half of one is left, and then not again', () => {
    const paid = nanoTon(116n + 64n)
    assert.equal(nextAuthorization(BOUNDS, usage(116, 16), paid), undefined)
    assert.equal(nextAuthorization(BOUNDS, usage(116, 17), paid), 116n + 2n * (17n + 32n))
    assert.equal(nextAuthorization(BOUNDS, usage(116, 17), nanoTon(116n + 98n)), undefined)
  })

  it('never pays beyond the last token, and pays what is owed at the end', () => {
    assert.equal(nextAuthorization(BOUNDS, usage(116, 90), nanoTon(300n)), 116n + 200n)
    assert.equal(nextAuthorization(BOUNDS, usage(116, 100), nanoTon(315n)), 316n)
    assert.equal(nextAuthorization(BOUNDS, usage(116, 100), nanoTon(316n)), undefined)
  })

  it('keeps what is prepaid within one window and never lets a job stall or cost more than its most', () => {
    const price = fc.bigInt({ min: 0n, max: 10n ** 12n }).map(value => value as NanoTon)
    const bounds = fc.record({
      prices: fc.record({ promptPerMTokens: price, cachedPromptPerMTokens: price, completionPerMTokens: price }),
      requestBytes: fc.nat(10_000),
      windowTokens: fc.integer({ min: 1, max: 256 }),
      maxCompletionTokens: fc.integer({ min: 1, max: 4_096 })
    })
    fc.assert(
      fc.property(
        bounds,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (b, steps, fill) => {
          let paid = initialAuthorization(b)
          let last = usage(0, 0)
          let counted = false
          const promptTokens = Math.floor(fill * maxPlausiblePrompt(b.requestBytes))
          for (const step of steps) {
            const room = Math.min(b.windowTokens, b.maxCompletionTokens - last.completionTokens)
            const next = usage(promptTokens, last.completionTokens + Math.floor(step * room))
            checkUsage(b, counted ? last : undefined, next)
            counted = true
            last = next
            paid = nextAuthorization(b, last, paid) ?? paid
            const ahead = usage(promptTokens, Math.min(b.maxCompletionTokens, last.completionTokens + b.windowTokens))
            assert.ok(paid >= tokenCost(b.prices, last), 'what was delivered is paid')
            assert.ok(paid <= tokenCost(b.prices, ahead), 'no more than one window ahead')
            assert.ok(paid <= maxJobCost(b))
          }
        }
      )
    )
  })

  it('refuses a count that no honest provider can have', () => {
    const before = usage(100, 10)
    const lies = [
      [undefined, usage(maxPlausiblePrompt(400) + 1, 0)],
      [undefined, usage(300, 0, maxPlausiblePrompt(400) - 299)],
      [undefined, usage(100, 33)],
      [before, usage(101, 10)],
      [before, usage(99, 10, 1)],
      [before, usage(100, 9)],
      [before, usage(100, 43)],
      [usage(100, 90), usage(100, 101)]
    ] as const
    for (const [last, claimed] of lies) {
      assert.throws(() => checkUsage(BOUNDS, last, claimed), { code: 'METER_IMPLAUSIBLE' })
    }
    checkUsage(BOUNDS, undefined, usage(maxPlausiblePrompt(400), 32))
    checkUsage(BOUNDS, before, usage(100, 42))
  })
})
