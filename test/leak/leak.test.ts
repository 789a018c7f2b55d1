import assert from 'node:assert/strict'
import { type Accuracy, classify, wilson } from './classify.ts'
import type { Recording } from './record.ts'
import { type Mode, replay } from './replay.ts'
import { seededRandom } from './seeded-random.ts'
import type { Trace } from './trace.ts'

const CLASSES = 20
const SAMPLES = 10
const SETTINGS = { maxTokens: 120, tokensPerSecond: 50, middleGapMs: 20 }

/** Answers whose length, words and pace depend on their class: what real ones do, but the same in every run. */
function recordings(): Recording[] {
  const random = seededRandom(7)
  return Array.from({ length: CLASSES * SAMPLES }, (_, at) => {
    const label = at % CLASSES
    const words = seededRandom(1_000 + label)
    const count = Math.min(SETTINGS.maxTokens, 12 + label * 5 + Math.floor(random() * 8))
    const tokens = Array.from({ length: count }, () => ({
      text: 'x'.repeat(1 + Math.floor(words() * 8)),
      gapMs: 15 + (label % 4) * 3 + random() * 8
    }))
    return { label, tokens }
  })
}

async function measure(mode: Mode): Promise<{ traces: Trace[]; accuracy: Accuracy[] }> {
  const traces = await Promise.all(recordings().map(recording => replay(recording, mode, SETTINGS)))
  return { traces, accuracy: classify(traces, 3) }
}

describe('what sizes and times tell of a question', function () {
  this.timeout(60_000)

  it('is nearly everything without padding: the control', async () => {
    const { accuracy } = await measure('none')
    for (const { classifier, low } of accuracy) {
      assert.ok(low > 0.5, `${classifier}: ${low}`)
    }
  })

  it('is nothing in the mode strict: no two traces differ, and no classifier is better than chance', async () => {
    const { traces, accuracy } = await measure('strict')
    assert.equal(new Set(traces.map(({ seen }) => JSON.stringify(seen))).size, 1)
    assert.equal(accuracy.length, 2)
    for (const { classifier, low, high } of accuracy) {
      assert.ok(low <= 1 / CLASSES && high >= 1 / CLASSES, `${classifier}: ${low} to ${high}`)
    }
  })

  it("is given with Wilson's interval", () => {
    // Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, and 0 of 20.
    assert.deepEqual(rounded(wilson(81, 263)), { low: 0.2553, high: 0.3662 })
    assert.deepEqual(rounded(wilson(0, 20)), { low: 0, high: 0.1611 })
  })
})

function rounded({ low, high }: { low: number; high: number }): { low: number; high: number } {
  return { low: Number(low.toFixed(4)), high: Number(high.toFixed(4)) }
}
