import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Watcher, watchPaceMs } from '../../../../src/payments/watch/watcher.ts'

/** A watcher whose time passes only in its own pauses. */
class WatchedTime {
  nowMs = 1_000_000
  readonly looks: Array<{ channel: string; atMs: number }> = []
  readonly paces = new Map<string, number>()
  readonly pauses: number[] = []
  look: (channel: string) => void = () => undefined
  readonly watcher: Watcher

  constructor(paces: Record<string, number>, untilMs: number) {
    this.paces = new Map(Object.entries(paces))
    const endMs = this.nowMs + untilMs
    this.watcher = new Watcher(
      {
        clock: { nowMs: () => this.nowMs },
        delay: async (ms, signal) => {
          this.pauses.push(ms)
          this.nowMs += ms
          if (this.nowMs > endMs && signal?.aborted !== true) {
            await new Promise(resolve => signal?.addEventListener('abort', resolve, { once: true }))
          }
        }
      },
      {
        watched: () => [...this.paces].map(([channel, paceMs]) => ({ channel, paceMs })),
        look: async channel => {
          this.looks.push({ channel, atMs: this.nowMs })
          this.look(channel)
        },
        onError: () => undefined
      }
    )
  }

  async run(): Promise<void> {
    this.watcher.start()
    let seen = -1
    while (seen !== this.pauses.length) {
      seen = this.pauses.length
      for (let tick = 0; tick < 50; tick++) {
        await Promise.resolve()
      }
      await new Promise(resolve => setImmediate(resolve))
    }
    await this.watcher.stop()
  }

  gaps(channel: string): number[] {
    const times = this.looks.filter(look => look.channel === channel).map(({ atMs }) => atMs)
    return times.slice(1).map((atMs, n) => atMs - (times[n] ?? 0))
  }
}

describe('a watcher', () => {
  it('P07 looks far more often than a challenge period is long', () => {
    assert.deepEqual([1, 10, 600, 3_600, 21_600].map(watchPaceMs), [500, 500, 30_000, 60_000, 60_000])
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 31_536_000 }), seconds => {
        assert.ok(watchPaceMs(seconds) * 4 <= seconds * 1000)
      })
    )
  })

  it('looks at each channel at its own pace', async () => {
    const time = new WatchedTime({ fast: 1_000, slow: 30_000 }, 90_000)
    await time.run()
    assert.ok(time.gaps('fast').every(gap => gap >= 1_000 && gap <= 1_100))
    assert.ok(time.gaps('slow').every(gap => gap >= 30_000 && gap <= 30_100))
    assert.equal(time.gaps('slow').length, 3)
  })

  it('looks at what is new within seconds, and no more at what is over', async () => {
    const time = new WatchedTime({ old: 60_000 }, 20_000)
    time.look = channel => {
      time.paces.delete('old')
      time.paces.set('new', 60_000)
      assert.ok(channel === 'old' || time.nowMs - 1_000_000 <= 5_000)
    }
    await time.run()
    assert.deepEqual(
      time.looks.map(({ channel }) => channel),
      ['old', 'new']
    )
  })

  it('P58 goes on while nothing answers, without a busy loop, and not slower than the pace', async () => {
    const time = new WatchedTime({ a: 60_000, b: 60_000 }, 600_000)
    time.look = () => {
      throw new Error('nobody there')
    }
    await time.run()
    assert.deepEqual(time.gaps('a').slice(0, 8), [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
    assert.ok(time.looks.length < 40, `${time.looks.length} looks in ten minutes`)
    assert.ok(time.pauses.every(ms => ms >= 100))
  })

  it('is not stopped for one by another that always fails, and recovers at once', async () => {
    const time = new WatchedTime({ broken: 4_000, whole: 4_000 }, 40_000)
    let fails = true
    time.look = channel => {
      if (channel === 'broken' && fails) {
        fails = time.nowMs < 1_020_000
        throw new Error('broken')
      }
    }
    await time.run()
    assert.ok(time.gaps('whole').every(gap => gap <= 4_100))
    assert.ok(
      time
        .gaps('broken')
        .slice(-3)
        .every(gap => gap === 4_000)
    )
  })

  it('survives a clock that is set back', async () => {
    const time = new WatchedTime({ a: 1_000 }, 10_000)
    let looks = 0
    time.look = () => {
      if (++looks === 3) {
        time.nowMs -= 5_000_000
      }
    }
    await time.run()
    assert.ok(looks > 5)
  })
})
