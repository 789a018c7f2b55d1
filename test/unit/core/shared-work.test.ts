import assert from 'node:assert/strict'
import { SharedWork } from '../../../src/core/shared-work.ts'
import { ManualClock } from '../mesh/samples.ts'

describe('shared work', () => {
  it('is done once for all who ask at the same time, by key', async () => {
    const work = new SharedWork<number>(new ManualClock(), 0)
    let runs = 0
    const run = async (): Promise<number> => ++runs
    assert.deepEqual(await Promise.all([work.join('a', run), work.join('a', run), work.join('b', run)]), [1, 1, 2])
    assert.equal(await work.join('a', run), 3)
  })

  it('goes on when one of them stops waiting', async () => {
    const work = new SharedWork<string>(new ManualClock(), 0)
    let finish = (): void => undefined
    const run = (): Promise<string> =>
      new Promise(resolve => {
        finish = () => resolve('done')
      })
    const leaver = new AbortController()
    const left = work.join('a', run, { signal: leaver.signal })
    const stays = work.join('a', run, { signal: new AbortController().signal })
    leaver.abort()
    await assert.rejects(left, { code: 'CANCELLED' })
    finish()
    assert.equal(await stays, 'done')
  })

  it('that failed rests for the time that was wished, and not at all otherwise', async () => {
    for (const restMs of [0, 1_000]) {
      const clock = new ManualClock()
      const work = new SharedWork<void>(clock, restMs)
      let runs = 0
      const fail = async (): Promise<void> => {
        throw new Error(`${++runs}`)
      }
      await assert.rejects(work.join('a', fail), { message: '1' })
      await assert.rejects(work.join('a', fail), { message: restMs === 0 ? '2' : '1' })
      assert.equal(work.size, restMs === 0 ? 0 : 1)
      clock.advance(1_000)
      await assert.rejects(work.join('a', fail), { message: restMs === 0 ? '3' : '2' })
    }
  })
})
