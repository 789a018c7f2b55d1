import assert from 'node:assert/strict'
import { type JobEvent, type JobState, nextJobState } from '../../../src/market/index.ts'

const STATES: readonly JobState[] = ['announced', 'accepted', 'streaming', 'done', 'failed', 'cancelled']
const EVENTS: readonly JobEvent[] = ['accept', 'first-chunk', 'receipt', 'fail', 'cancel']

describe('job state', () => {
  it('goes where the design says, and nowhere else', () => {
    const moves = STATES.flatMap(state =>
      EVENTS.map(event => [state, event, nextJobState(state, event)] as const).filter(
        ([, , next]) => next !== undefined
      )
    )
    assert.deepEqual(moves, [
      ['announced', 'accept', 'accepted'],
      ['announced', 'fail', 'failed'],
      ['announced', 'cancel', 'cancelled'],
      ['accepted', 'first-chunk', 'streaming'],
      ['accepted', 'receipt', 'done'],
      ['accepted', 'fail', 'failed'],
      ['accepted', 'cancel', 'cancelled'],
      ['streaming', 'first-chunk', 'streaming'],
      ['streaming', 'receipt', 'done'],
      ['streaming', 'fail', 'failed'],
      ['streaming', 'cancel', 'cancelled']
    ])
  })
})
