import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { repeat } from '../../../src/core/repeat.ts'
import { until } from '../../support/until.ts'

describe('repeat', () => {
  it('runs again and again, never twice at once, and tells how many failures came in a row', async () => {
    const stop = new AbortController()
    const outcomes = [true, false, false, true, false]
    const asked: number[] = []
    const errors: unknown[] = []
    let running = 0
    let runs = 0
    repeat(
      async () => {
        assert.equal(++running, 1)
        await Promise.resolve()
        running--
        if (outcomes[runs++] === false) {
          throw new Error(`run ${runs}`)
        }
      },
      {
        pauseMs: failures => {
          asked.push(failures)
          return 0
        },
        signal: stop.signal,
        onError: err => errors.push(err)
      }
    )
    await until(() => runs >= 6)
    stop.abort()
    assert.deepEqual(asked.slice(0, 6), [0, 0, 1, 2, 0, 1])
    assert.equal(errors.length, 3)
  })

  it('stops when the signal is aborted, during a pause or a run, and reports no error of that', async () => {
    const stop = new AbortController()
    let runs = 0
    const errors: unknown[] = []
    repeat(
      async () => {
        runs++
        stop.abort()
        throw new Error('cut off')
      },
      { pauseMs: () => 0, signal: stop.signal, onError: err => errors.push(err) }
    )
    await until(() => runs === 1)
    await new Promise(resolve => setImmediate(resolve))
    assert.deepEqual({ runs, errors }, { runs: 1, errors: [] })

    const early = new AbortController()
    let paused = 0
    repeat(async () => assert.fail('it ran'), {
      pauseMs: () => ++paused,
      signal: early.signal,
      onError: () => assert.fail('it failed')
    })
    early.abort()
    await new Promise(resolve => setTimeout(resolve, 5))
    assert.equal(paused, 1)
  })

  it('leaves no more than one listener on its signal', async () => {
    const stop = new AbortController()
    let runs = 0
    repeat(async () => void runs++, { pauseMs: () => 0, signal: stop.signal, onError: () => undefined })
    await until(() => runs >= 5)
    assert.ok(getEventListeners(stop.signal, 'abort').length <= 1)
    stop.abort()
  })
})
