import assert from 'node:assert/strict'
import { SharedRuns } from '../../../src/core/shared-runs.ts'

describe('shared runs', () => {
  it('are one for all who ask at the same time, by key', async () => {
    const runs = new SharedRuns<number>()
    let count = 0
    const run = async (): Promise<number> => ++count
    assert.deepEqual(await Promise.all([runs.run('a', run), runs.run('a', run), runs.run('b', run)]), [1, 1, 2])
    assert.equal(await runs.run('a', run), 3)
  })

  it('go on when one of them stops waiting', async () => {
    const runs = new SharedRuns<string>()
    let finish = (): void => undefined
    const run = (): Promise<string> =>
      new Promise(resolve => {
        finish = () => resolve('done')
      })
    const leaver = new AbortController()
    const left = runs.run('a', run, { signal: leaver.signal })
    const stays = runs.run('a', run, { signal: new AbortController().signal })
    assert.ok(runs.has('a'))
    leaver.abort()
    await assert.rejects(left, { code: 'CANCELLED' })
    finish()
    assert.equal(await stays, 'done')
  })

  it('remember no failure', async () => {
    const runs = new SharedRuns<void>()
    let count = 0
    const fail = async (): Promise<void> => {
      throw new Error(`${++count}`)
    }
    await assert.rejects(runs.run('a', fail), { message: '1' })
    await assert.rejects(runs.run('a', fail), { message: '2' })
    assert.equal(runs.size, 0)
    await assert.rejects(runs.run('a', fail), { message: '3' })
  })
})
