import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Turns } from '../../../src/core/turns.ts'

describe('turns', () => {
  it('never interleave tasks of one key, keep their order, and hand on each result or failure', async () => {
    const task = fc.record({ key: fc.constantFrom('a', 'b'), steps: fc.nat({ max: 3 }), fails: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(task, { maxLength: 6 }), async (scheduler, tasks) => {
        const turns = new Turns()
        const busy = new Set<string>()
        const started: number[] = []
        const results = tasks.map(({ key, steps, fails }, at) =>
          turns.take(key, async () => {
            assert.ok(!busy.has(key), `two tasks of ${key} at once`)
            busy.add(key)
            started.push(at)
            for (let step = 0; step < steps; step++) {
              await scheduler.schedule(Promise.resolve(), `${key} ${at}.${step}`)
            }
            busy.delete(key)
            if (fails) {
              throw new Error(`task ${at}`)
            }
            return at
          })
        )
        const settled = Promise.allSettled(results)
        await scheduler.waitFor(settled)
        assert.deepEqual(
          (await settled).map(result => (result.status === 'fulfilled' ? result.value : 'failed')),
          tasks.map(({ fails }, at) => (fails ? 'failed' : at))
        )
        for (const key of ['a', 'b']) {
          const order = started.filter(at => tasks[at]?.key === key)
          assert.deepEqual(
            order,
            order.toSorted((x, y) => x - y)
          )
        }
        assert.equal(turns.size, 0)
      })
    )
  })

  it('runs tasks of different keys at once', async () => {
    const turns = new Turns()
    let open!: () => void
    const gate = new Promise<void>(resolve => (open = resolve))
    const first = turns.take('a', () => gate)
    assert.equal(await turns.take('b', () => 'done'), 'done')
    assert.equal(turns.size, 1)
    open()
    await first
  })

  it('hands on what a task throws before its first await', async () => {
    const turns = new Turns()
    const failure = new Error('at once')
    await assert.rejects(
      turns.take('a', () => {
        throw failure
      }),
      failure
    )
    assert.equal(await turns.take('a', () => 2), 2)
  })
})
