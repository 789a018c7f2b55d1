import assert from 'node:assert/strict'
import fc from 'fast-check'
import { errorCode } from '../../../src/core/errors.ts'
import { type TokenUsage, tokenCost } from '../../../src/core/price.ts'
import { maxJobCost, startPace } from '../../../src/payments/index.ts'
import { PRIVACY_MODES } from '../../../src/wire/job-request.ts'
import { amount, NO_USAGE } from '../../support/payment-pair.ts'
import { Bench, BOUNDS, counts, DONE, WINDOW } from './job-run-fixture.ts'

/** So few tokens that runs come to the last one. */
const SHORT = { ...BOUNDS, maxCompletionTokens: 12 }

type HostileStep =
  | { do: 'chunk'; grow: number; prompt: number; cached: number }
  | { do: 'demand'; grow: number; prompt: number; cached: number; named: number }
  | { do: 'dummy' | 'final' | 'done' | 'forge' | 'garbage' }

const nearby = {
  // Mostly honest steps, so that runs get far, with counts around each limit.
  grow: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 0, max: 4 }) }, fc.integer({ min: -2, max: WINDOW + 2 })),
  prompt: fc.oneof({ weight: 8, arbitrary: fc.constant(4) }, fc.constantFrom(0, 5, 266, 267)),
  cached: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.constantFrom(1, 262, 266))
}
const hostileStep: fc.Arbitrary<HostileStep> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('chunk' as const), ...nearby }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('demand' as const), ...nearby, named: fc.nat({ max: 400 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('dummy', 'final', 'done', 'forge', 'garbage') }) }
)

const mode = fc.constantFrom(...PRIVACY_MODES)

describe('job run against a hostile provider', () => {
  it('P11 never pays more than one window beyond what was delivered, whatever is claimed, and ends with a code', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(hostileStep, { maxLength: 40 }), fc.boolean(), mode, async (steps, paced, privacy) => {
        const pace = paced ? startPace({ maxTokens: WINDOW }) : undefined
        const bench = await new Bench().setUp({ bounds: SHORT, privacy, ...(pace === undefined ? {} : { pace }) })
        let claimedPrompt: { promptTokens: number; cachedPromptTokens: number } | undefined
        let exceeded: string | undefined
        // After every voucher that was stored: what is signed against what was delivered by then.
        const check = (): void => {
          const { completionTokens } = bench.run.usage
          const ahead = {
            ...(claimedPrompt ?? NO_USAGE),
            completionTokens: Math.min(completionTokens + WINDOW, SHORT.maxCompletionTokens)
          }
          const limit = tokenCost(SHORT.prices, ahead)
          if (bench.run.paid > limit) {
            exceeded ??= `paid ${bench.run.paid}, ${limit} is one window beyond ${completionTokens} tokens`
          }
        }
        const { before } = bench.clientStream
        bench.clientStream.before = call => {
          check()
          return before(call)
        }
        const reading = bench.read()
        let count = 0
        let alive = true
        const over = reading.then(
          () => undefined,
          (err: unknown) => err
        )
        void over.then(() => (alive = false))
        for (const step of steps) {
          if (!alive) {
            break
          }
          if (step.do === 'chunk' || step.do === 'demand') {
            const usage = counts(Math.max(0, count + step.grow), step.prompt, step.cached)
            // The prompt is the provider's word, within what the request can make: its first word counts.
            claimedPrompt ??= { promptTokens: step.prompt, cachedPromptTokens: step.cached }
            if (step.do === 'chunk') {
              await bench.chunk('x', usage).catch(() => undefined)
              count = usage.completionTokens
            } else {
              await bench.say({ type: 'need-voucher', cumulative: amount(step.named), usage }).catch(() => undefined)
            }
          } else {
            // A frame without text names the prompt as well as any other.
            if (step.do === 'dummy' || step.do === 'final') {
              claimedPrompt ??= counts(0)
            }
            await other(
              bench,
              step.do,
              counts(count, claimedPrompt?.promptTokens, claimedPrompt?.cachedPromptTokens)
            ).catch(() => undefined)
          }
        }
        // Cleanly, so that everything said before is heard.
        await bench.provider.close().catch(() => undefined)
        const err = await over
        check()
        assert.equal(exceeded, undefined)
        assert.ok(bench.run.paid <= maxJobCost(SHORT))
        assert.ok(err === undefined || errorCode(err) !== undefined, String(err))
        assert.equal(err === undefined, bench.events.at(-1)?.type === 'done')
      }),
      { numRuns: 150 }
    )
  })
})

async function other(
  bench: Bench,
  what: 'dummy' | 'final' | 'done' | 'forge' | 'garbage',
  usage: TokenUsage
): Promise<void> {
  switch (what) {
    case 'dummy':
      return bench.say({ type: 'chunk', sealed: bench.seal(new Uint8Array()), usage })
    case 'final':
      return bench.end(usage)
    case 'done':
      return bench.say(DONE)
    case 'forge':
      return bench.say({ type: 'chunk', sealed: new Uint8Array(533), usage })
    case 'garbage':
      return bench.provider.write(Uint8Array.of(255, 1))
  }
}
