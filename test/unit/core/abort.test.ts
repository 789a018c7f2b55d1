import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { abortable, linkSignals, withTimeLimit } from '../../../src/core/abort.ts'
import { remembered } from '../../support/remembered.ts'

/** Settles when its signal is aborted, with the reason. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) {
      end()
    }
  })
}

describe('linked signals', () => {
  it('end with the first cause, now or later', async () => {
    const [one, other] = [new AbortController(), new AbortController()]
    const { signal } = linkSignals(undefined, one.signal, other.signal)
    assert.equal(signal.aborted, false)
    other.abort(new Error('enough'))
    one.abort(new Error('too late'))
    assert.equal((signal.reason as Error).message, 'enough')
    assert.equal((linkSignals(one.signal, other.signal).signal.reason as Error).message, 'too late')
  })

  it('leave nothing behind, and hear nothing more', () => {
    const [one, other] = [new AbortController(), new AbortController()]
    const { signal, unlink } = linkSignals(one.signal, other.signal)
    unlink()
    assert.deepEqual([remembered(one.signal), remembered(other.signal)], [0, 0])
    one.abort()
    assert.equal(signal.aborted, false)
  })
})

describe('time limit', () => {
  it('may be set for many tasks of one caller at once without a warning', async () => {
    const caller = new AbortController()
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    await Promise.all(Array.from({ length: 20 }, () => withTimeLimit(60_000, caller.signal, () => nextTurn())))
    await nextTurn()
    process.off('warning', note)
    assert.deepEqual(warnings, [])
  })

  it('ends a task when the time is over', async () => {
    await assert.rejects(withTimeLimit(1, undefined, untilAborted), { name: 'TimeoutError' })
  })

  it('ends a task when the caller gives up, before or after it began', async () => {
    const caller = new AbortController()
    const running = withTimeLimit(60_000, caller.signal, untilAborted)
    caller.abort(new Error('enough'))
    await assert.rejects(running, /enough/)
    await assert.rejects(withTimeLimit(60_000, caller.signal, untilAborted), /enough/)
  })

  it('leaves no timer and no listener behind', async () => {
    const caller = new AbortController()
    let used: AbortSignal | undefined
    const task = async (signal: AbortSignal): Promise<number> => {
      used = signal
      return 7
    }
    assert.equal(await withTimeLimit(1, caller.signal, task), 7)
    assert.equal(remembered(caller.signal), 0)
    // A later timer that is over means that the limit's would have been.
    await new Promise(resolve => void setTimeout(resolve, 2))
    assert.equal(used?.aborted, false)
  })
})

describe('abortable', () => {
  it('settles like its promise, or at once when aborted', async () => {
    const controller = new AbortController()
    const options = { signal: controller.signal }
    assert.equal(await abortable(Promise.resolve(1), options), 1)
    const waiting = abortable(new Promise<never>(() => undefined), options)
    controller.abort()
    await assert.rejects(waiting, { code: 'CANCELLED' })
  })
})
