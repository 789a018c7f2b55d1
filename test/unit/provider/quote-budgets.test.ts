import assert from 'node:assert/strict'
import fc from 'fast-check'
import { QUOTE_LIMIT_MS, QuoteBudgets } from '../../../src/provider/quote-budgets.ts'
import { MAX_RETRY_AFTER_MS } from '../../../src/wire/attest-exchange.ts'
import { ManualClock } from '../mesh/samples.ts'

describe('quote budgets', () => {
  let clock: ManualClock
  let budgets: QuoteBudgets
  beforeEach(() => {
    clock = new ManualClock()
    budgets = new QuoteBudgets(clock)
  })
  /** Quotes of that length that a peer gets before it has to wait. */
  const atOnce = (peerId: string, durationMs: number): number => {
    let quotes = 0
    for (; budgets.waitMs(peerId) === 0; quotes++) {
      budgets.charge(peerId, durationMs)
    }
    return quotes
  }

  it('last for 32 quick quotes, then for one in five seconds', () => {
    assert.equal(atOnce('a', 20), 32)
    assert.equal(budgets.waitMs('a'), 5_000)
    clock.advance(4_999)
    assert.equal(budgets.waitMs('a'), 1)
    clock.advance(1)
    assert.equal(atOnce('a', 0), 1)
    clock.advance(3_600_000)
    assert.equal(atOnce('a', 20), 32)
  })

  it('last for six quotes of three seconds, then for one in half a minute', () => {
    assert.equal(atOnce('a', 3_000), 6)
    clock.advance(budgets.waitMs('a'))
    assert.equal(atOnce('a', 3_000), 1)
    assert.equal(budgets.waitMs('a'), 30_000)
  })

  it('are each peer’s own', () => {
    atOnce('a', 20)
    assert.equal(budgets.waitMs('b'), 0)
  })

  it('never shut a peer out for longer than the protocol can say, whatever the clock does', () => {
    budgets.charge('a', Number.MAX_SAFE_INTEGER)
    assert.equal(budgets.waitMs('a'), 10 * QUOTE_LIMIT_MS - 155_000)
    for (let n = 0; n < 5; n++) {
      budgets.charge('a', QUOTE_LIMIT_MS)
    }
    assert.equal(budgets.waitMs('a'), MAX_RETRY_AFTER_MS)
    clock.advance(-86_400_000)
    assert.equal(budgets.waitMs('a'), MAX_RETRY_AFTER_MS)
    clock.advance(86_400_000 + 3_600_000)
    assert.equal(budgets.waitMs('a'), 0)
  })

  it('of ten thousand peers are remembered; who is forgotten has what a stranger has', () => {
    assert.equal(atOnce('first', 20), 32)
    budgets.charge('second', 20)
    for (let n = 0; n < 9_998; n++) {
      budgets.charge(`${n}`, 20)
    }
    assert.equal(budgets.size, 10_000)
    assert.equal(budgets.waitMs('first'), 5_000)
    // Having a quote made counts as being heard of.
    budgets.charge('first', 20)
    budgets.charge('one more', 20)
    assert.equal(budgets.size, 10_000)
    assert.equal(budgets.waitMs('first'), 10_000)
    for (let n = 0; n < 10_000; n++) {
      budgets.charge(`later ${n}`, 20)
    }
    assert.equal(budgets.size, 10_000)
    assert.equal(atOnce('first', 20), 32)
  })

  it('remember nobody for asking', () => {
    for (let n = 0; n < 100; n++) {
      budgets.waitMs(`${n}`)
    }
    assert.equal(budgets.size, 0)
  })

  it('give no peer more than a tenth of any time, one budget and one quote', () => {
    const step = fc.record({ pauseMs: fc.nat(30_000), durationMs: fc.nat(8_000) })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), steps => {
        const time = new ManualClock()
        const tried = new QuoteBudgets(time)
        const quotes: Array<{ atMs: number; countedMs: number }> = []
        for (const { pauseMs, durationMs } of steps) {
          time.advance(pauseMs)
          const waitMs = tried.waitMs('a')
          if (waitMs > 0) {
            // It is told the very time.
            time.advance(waitMs - 1)
            assert.equal(tried.waitMs('a'), 1)
            time.advance(1)
            assert.equal(tried.waitMs('a'), 0)
          }
          tried.charge('a', durationMs)
          quotes.push({ atMs: time.nowMs(), countedMs: Math.max(500, durationMs) })
        }
        for (let from = 0; from < quotes.length; from++) {
          let countedMs = 0
          for (const { atMs, countedMs: more } of quotes.slice(from)) {
            const sinceMs = atMs - (quotes[from]?.atMs ?? 0)
            // Before this one, so that the one that overdraws does not count.
            assert.ok(countedMs <= 16_000 - 500 + sinceMs / 10, `${countedMs} ms within ${sinceMs} ms`)
            countedMs += more
          }
        }
      })
    )
  })
})
