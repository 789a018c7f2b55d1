import assert from 'node:assert/strict'
import { UnpaidPrompts } from '../../../src/provider/unpaid-prompts.ts'
import { ManualClock } from '../mesh/samples.ts'

describe('unpaid prompts', () => {
  let clock: ManualClock
  let prompts: UnpaidPrompts
  beforeEach(() => {
    clock = new ManualClock()
    prompts = new UnpaidPrompts(clock, 3)
  })
  const refused = (peer: string) => assert.throws(() => prompts.begin(peer), { code: 'PROMPTS_UNPAID' })

  it('of one peer are bounded, running and lost together; other peers have their own', () => {
    const first = prompts.begin('a')
    prompts.begin('a').lost()
    prompts.begin('a')
    refused('a')
    prompts.begin('b')
    first.settled()
    prompts.begin('a')
    refused('a')
  })

  it('are forgotten after ten minutes', () => {
    for (let n = 0; n < 3; n++) {
      prompts.begin('a').lost()
      clock.advance(1_000)
    }
    refused('a')
    clock.advance(597_000)
    prompts.begin('a').lost()
    refused('a')
  })

  it('are forgiven one by one to a peer that pays', () => {
    prompts.begin('a').lost()
    prompts.begin('a').lost()
    prompts.begin('a').paid()
    prompts.begin('a').lost()
    prompts.begin('a')
    refused('a')
  })

  it('end once, however often that is told', () => {
    const prompt = prompts.begin('a')
    prompt.paid()
    prompt.lost()
    prompt.settled()
    prompts.begin('a')
    prompts.begin('a')
    prompts.begin('a')
    refused('a')
  })

  it('of ten thousand peers are remembered, and never one less that runs', () => {
    for (let n = 0; n < 3; n++) {
      prompts.begin('first').lost()
    }
    const runs = [1, 2, 3].map(() => prompts.begin('runs'))
    for (let n = 0; n < 10_000; n++) {
      prompts.begin(`${n}`).lost()
    }
    prompts.begin('first')
    refused('runs')
    runs.forEach(run => run.settled())
  })
})
