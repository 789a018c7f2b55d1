import assert from 'node:assert/strict'
import { settleAll } from '../../../simnet/settle-all.ts'

describe('parts that run side by side', () => {
  it('give their results in order', async () => {
    assert.deepEqual(
      await settleAll<[number, string]>([Promise.resolve(1), Promise.resolve('a')], new AbortController()),
      [1, 'a']
    )
  })

  it('fail with the first failure, after all of them ended', async () => {
    const abort = new AbortController()
    let ended = false
    const first = Promise.reject(new Error('first'))
    // Ends in its own time after it was told to, with a failure of its own.
    const second = new Promise<void>((_, reject) => {
      abort.signal.addEventListener('abort', () =>
        setImmediate(() => {
          ended = true
          reject(new Error('second'))
        })
      )
    })
    await assert.rejects(settleAll<[void, never]>([second, first], abort), { message: 'first' })
    assert.equal(ended, true)
  })
})
