import assert from 'node:assert/strict'
import { SharedWork } from '../../../src/core/shared-work.ts'
import { ManualClock } from '../mesh/samples.ts'

describe('shared work', () => {
  it('is done once for all who ask at the same time, by key', async () => {
    const work = new SharedWork<number>(new ManualClock(), 1_000)
    let runs = 0
    const run = async (): Promise<number> => ++runs
    assert.deepEqual(await Promise.all([work.join('a', run), work.join('a', run), work.join('b', run)]), [1, 1, 2])
    assert.equal(await work.join('a', run), 3)
  })

  it('is not begun for a caller who left before', async () => {
    const work = new SharedWork<void>(new ManualClock(), 1_000)
    let runs = 0
    const run = async (): Promise<void> => void runs++
    await assert.rejects(work.join('a', run, { signal: AbortSignal.abort() }), { code: 'CANCELLED' })
    assert.equal(runs, 0)
  })

  it('that failed rests for the time that was wished', async () => {
    const clock = new ManualClock()
    const work = new SharedWork<void>(clock, 1_000)
    let runs = 0
    const fail = async (): Promise<void> => {
      throw new Error(`${++runs}`)
    }
    await assert.rejects(work.join('a', fail), { message: '1' })
    await assert.rejects(work.join('a', fail), { message: '1' })
    assert.equal(work.size, 1)
    clock.advance(1_000)
    await assert.rejects(work.join('a', fail), { message: '2' })
  })
})
