import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { withTimeLimit } from '../../../src/core/abort.ts'

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

describe('time limit', () => {
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
    const timers = (): number => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length
    const before = timers()
    assert.equal(await withTimeLimit(60_000, caller.signal, async () => 7), 7)
    assert.equal(getEventListeners(caller.signal, 'abort').length, 0)
    assert.equal(timers(), before)
  })
})
