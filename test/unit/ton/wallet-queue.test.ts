import assert from 'node:assert/strict'
import fc from 'fast-check'
import { WaitingList } from '../../../src/ton/wallet-queue.ts'

describe('the list of waiting transfers', () => {
  it('has one writer at a time and settles each item once, whoever gives up when', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 4 }),
        async (s, givesUp, batch) => {
          let writers = 0
          const sent: number[] = []
          const list: WaitingList<number, string> = new WaitingList(async () => {
            assert.equal(++writers, 1)
            await s.schedule(Promise.resolve(), 'read')
            const taken = list.take(batch)
            await s.schedule(Promise.resolve(), 'send')
            sent.push(...taken.map(({ item }) => item))
            for (const entry of taken) {
              entry.resolve(`sent ${entry.item}`)
            }
            writers--
          })
          const calls = givesUp.map(async (gives, item) => {
            await s.schedule(Promise.resolve(), 'call')
            const controller = new AbortController()
            if (gives) {
              void s.schedule(Promise.resolve(), 'give up').then(() => controller.abort())
            }
            return list.add(item, { signal: controller.signal })
          })
          const results = await s.waitFor(Promise.allSettled(calls))
          for (const [item, result] of results.entries()) {
            const times = sent.filter(other => other === item).length
            if (result.status === 'fulfilled') {
              assert.deepEqual([result.value, times], [`sent ${item}`, 1])
            } else {
              const { code, details } = result.reason as { code: string; details: { sent?: boolean } }
              assert.deepEqual([code, givesUp[item]], ['CANCELLED', true])
              assert.ok(details.sent === false ? times === 0 : times <= 1)
            }
          }
        }
      )
    )
  })

  it('tries again what is put back, before what came later', async () => {
    const order: string[][] = []
    let late: Promise<void> | undefined
    const list: WaitingList<string, void> = new WaitingList(async () => {
      const taken = list.take(2)
      order.push(taken.map(({ item }) => item))
      if (order.length === 1) {
        late = list.add('late')
        list.putBack(taken)
        return
      }
      for (const entry of taken) {
        entry.resolve()
      }
    })
    await Promise.all([list.add('a'), list.add('b')])
    await late
    assert.deepEqual(order, [['a', 'b'], ['a', 'b'], ['late']])
  })

  it('stops the writer once nobody waits any more', async () => {
    let aborted = false
    const list: WaitingList<string, void> = new WaitingList(async ({ signal }) => {
      list.take(1)
      await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
      aborted = true
    })
    const controller = new AbortController()
    const call = list.add('a', { signal: controller.signal })
    await new Promise(resolve => setImmediate(resolve))
    controller.abort()
    await assert.rejects(call, { code: 'CANCELLED' })
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(aborted, true)
  })

  it('refuses an item whose caller gave up before', async () => {
    const list = new WaitingList<string, void>(async () => assert.fail('nothing waits'))
    await assert.rejects(list.add('a', { signal: AbortSignal.abort() }), { code: 'CANCELLED' })
  })

  it('hands an error to those that were taken, or to all that waited', async () => {
    let round = 0
    const list: WaitingList<string, void> = new WaitingList(async () => {
      round++
      if (round === 1) {
        list.take(1)
      }
      throw new RangeError(`round ${round}`)
    })
    const results = await Promise.allSettled([list.add('a'), list.add('b'), list.add('c')])
    assert.deepEqual(
      results.map(result => (result.status === 'rejected' ? (result.reason as Error).message : '')),
      ['round 1', 'round 2', 'round 2']
    )
    await assert.rejects(list.add('d'), { message: 'round 3' })
  })
})
