import assert from 'node:assert/strict'
import { EnvironmentError } from '../../../src/core/errors.ts'
import { SlotQueue } from '../../../src/inference/slot-queue.ts'

describe('slot queue', () => {
  it('serves those in line in the order they came', async () => {
    const queue = new SlotQueue(['a'])
    const order: number[] = []
    const first = await queue.acquire()
    const line = [1, 2, 3].map(async n => {
      const slot = await queue.acquire()
      order.push(n)
      queue.release(slot)
    })
    assert.equal(queue.waiting, 3)
    queue.release(first)
    await Promise.all(line)
    assert.deepEqual(order, [1, 2, 3])
    assert.equal(queue.free, 1)
  })

  it('lets one in line give up, and skips it', async () => {
    const queue = new SlotQueue(['a'])
    const slot = await queue.acquire()
    const abort = new AbortController()
    const gaveUp = queue.acquire({ signal: abort.signal })
    const patient = queue.acquire()
    abort.abort()
    await assert.rejects(gaveUp, { code: 'CANCELLED' })
    queue.release(slot)
    assert.equal(await patient, 'a')
    queue.release('a')
    assert.equal(queue.free, 1)
  })

  it('hands nothing to a caller that is cancelled already', async () => {
    const queue = new SlotQueue(['a'])
    await assert.rejects(queue.acquire({ signal: AbortSignal.abort() }), { code: 'CANCELLED' })
    assert.equal(queue.free, 1)
  })

  it('refuses those in line and later ones once closed', async () => {
    const queue = new SlotQueue(['a'])
    await queue.acquire()
    const waiting = queue.acquire()
    queue.close(new EnvironmentError('ENGINE_CLOSED', 'closed'))
    await assert.rejects(waiting, { code: 'ENGINE_CLOSED' })
    await assert.rejects(queue.acquire(), { code: 'ENGINE_CLOSED' })
  })
})
