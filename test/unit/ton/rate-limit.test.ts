import assert from 'node:assert/strict'
import fc from 'fast-check'
import { RateLimit } from '../../../src/ton/rate-limit.ts'
import { VirtualTime } from './virtual-time.ts'

describe('RateLimit', () => {
  let time: VirtualTime
  beforeEach(() => {
    time = new VirtualTime()
  })

  function limit(perSecond: number): RateLimit {
    return new RateLimit({ clock: time, sleep: time.sleep }, perSecond)
  }

  /** When each of `count` requests made at once had its turn, in milliseconds from now. */
  async function turns(bucket: RateLimit, count: number): Promise<number[]> {
    const startMs = time.nowMs()
    return time.run(
      Promise.all(Array.from({ length: count }, async () => bucket.take().then(() => time.nowMs() - startMs)))
    )
  }

  it('lets one second of requests through at once, then one at a time, in their order', async () => {
    assert.deepEqual(await turns(limit(1), 4), [0, 1_000, 2_000, 3_000])
    assert.deepEqual(await turns(limit(4), 7), [0, 0, 0, 0, 250, 500, 750])
    assert.deepEqual(
      await turns(limit(Infinity), 1_000),
      Array.from({ length: 1_000 }, () => 0)
    )
  })

  it('never lets more than the rate and one burst through, whatever the requests', async () => {
    const pauses = fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 20 }), pauses, async (perSecond, waits) => {
        time = new VirtualTime()
        const bucket = limit(perSecond)
        const atMs: number[] = []
        const asked: Array<Promise<void>> = []
        for (const waitMs of waits) {
          await time.pass(waitMs)
          asked.push(bucket.take().then(() => void atMs.push(time.nowMs())))
        }
        await time.run(Promise.all(asked))
        for (const [index, startMs] of atMs.entries()) {
          const within = atMs.slice(index).filter(ms => ms < startMs + 1_000).length
          assert.ok(within <= 2 * perSecond, `${within} in a second`)
        }
        const seconds = ((atMs.at(-1) ?? 0) - (atMs[0] ?? 0)) / 1_000
        assert.ok(atMs.length <= perSecond * (seconds + 1) + 1)
      }),
      { numRuns: 40 }
    )
  })

  it('gives the turn of one who gave up to the next', async () => {
    const bucket = limit(1)
    await bucket.take()
    const controller = new AbortController()
    const given = assert.rejects(bucket.take({ signal: controller.signal }), { code: 'CANCELLED' })
    const startMs = time.nowMs()
    const next = bucket.take().then(() => time.nowMs() - startMs)
    controller.abort()
    await given
    assert.equal(await time.run(next), 1_000)
  })

  it('asks half as often when the server complains, once a burst, and recovers', async () => {
    const bucket = limit(4)
    await turns(bucket, 4)
    bucket.slowDown(2_000)
    bucket.slowDown(2_000)
    assert.equal(bucket.pausedMs, 2_000)
    assert.deepEqual(await turns(bucket, 6), [2_000, 2_000, 2_500, 3_000, 3_500, 4_000])
    await time.pass(31_000)
    assert.deepEqual(await turns(bucket, 6), [0, 0, 0, 0, 250, 500])
  })

  it('has a rate after a complaint even where none was set', async () => {
    const bucket = limit(Infinity)
    bucket.slowDown()
    const waited = await turns(bucket, 30)
    assert.ok((waited.at(-1) ?? 0) >= 3_000, `the last after ${waited.at(-1)} ms`)
    assert.ok((waited[0] ?? 0) >= 1_000)
  })

  it('is not left alone for longer than a few seconds, whatever the server says', async () => {
    const bucket = limit(1)
    bucket.slowDown(9_999_000)
    assert.equal(bucket.pausedMs, 5_000)
  })

  it('earns nothing by a clock that is set back, and is not stuck by it', async () => {
    const bucket = limit(1)
    await bucket.take()
    bucket.slowDown(1_000)
    time.adjust(-3_600_000)
    const [waitedMs = Infinity] = await turns(bucket, 1)
    assert.ok(waitedMs <= 2_000, `${waitedMs} ms`)
  })
})
