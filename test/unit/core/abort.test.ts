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
    let used: AbortSignal | undefined
    const task = async (signal: AbortSignal): Promise<number> => {
      used = signal
      return 7
    }
    assert.equal(await withTimeLimit(1, caller.signal, task), 7)
    assert.equal(getEventListeners(caller.signal, 'abort').length, 0)
    // A later timer that is over means that the limit's would have been.
    await new Promise(resolve => void setTimeout(resolve, 2))
    assert.equal(used?.aborted, false)
  })
})
