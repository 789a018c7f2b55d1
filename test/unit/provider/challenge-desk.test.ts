import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { ChallengeDesk } from '../../../src/provider/challenge-desk.ts'
import { type AttestRefusal, MAX_RETRY_AFTER_MS } from '../../../src/wire/attest-exchange.ts'
import { ManualClock } from '../mesh/samples.ts'

const REFUSED = 'refused'
type Outcome = string | AttestRefusal

/** A request that a test follows. */
interface Asked {
  peerId: string
  leave: AbortController
  outcome: Outcome | undefined
  begun: boolean
}

/** A desk whose quotes last until the test ends them. */
class Bench {
  readonly clock = new ManualClock()
  readonly desk = new ChallengeDesk(this.clock)
  /** In the order in which their quotes were begun. */
  readonly begun: Asked[] = []
  #underWay: { asked: Asked; end: (err?: Error) => void } | undefined

  get underWay(): Asked | undefined {
    return this.#underWay?.asked
  }

  ask(peerId: string): Asked {
    const asked: Asked = { peerId, leave: new AbortController(), outcome: undefined, begun: false }
    const make = (): Promise<string> => {
      assert.equal(this.#underWay, undefined, 'two quotes at once')
      asked.begun = true
      this.begun.push(asked)
      return new Promise((resolve, reject) => {
        this.#underWay = { asked, end: err => (err === undefined ? resolve(`quote of ${peerId}`) : reject(err)) }
      })
    }
    this.desk.take(peerId, make, { signal: asked.leave.signal }).then(
      outcome => {
        asked.outcome = outcome
      },
      (err: Error & { code?: string }) => {
        asked.outcome = err.code ?? err.message
      }
    )
    return asked
  }

  /** Ends the quote under way after `durationMs`. */
  async finish(durationMs: number, err?: Error): Promise<void> {
    assert.ok(this.#underWay)
    const { end } = this.#underWay
    this.clock.advance(durationMs)
    this.#underWay = undefined
    end(err)
    await turn()
  }

  async finishAll(durationMs: number): Promise<void> {
    while (this.#underWay !== undefined) {
      await this.finish(durationMs)
    }
  }
}

function kind(outcome: Outcome | undefined): string | undefined {
  return typeof outcome === 'object' ? REFUSED : outcome
}

function retryAfterMs({ outcome }: Asked): number {
  assert.ok(typeof outcome === 'object', `not refused: ${kind(outcome)}`)
  return outcome.retryAfterMs
}

describe('challenge desk', () => {
  let bench: Bench
  beforeEach(() => {
    bench = new Bench()
  })

  it('makes one quote after the other, first come first served', async () => {
    const asked = ['a', 'b', 'c'].map(peer => bench.ask(peer))
    assert.deepEqual(bench.begun, asked.slice(0, 1))
    assert.equal(bench.desk.waiting, 2)
    await bench.finishAll(50)
    assert.deepEqual(bench.begun, asked)
    assert.deepEqual(
      asked.map(({ outcome }) => outcome),
      ['quote of a', 'quote of b', 'quote of c']
    )
  })

  it('refuses a peer that waits or is served already, and serves it afterwards', async () => {
    bench.ask('a')
    const [whileServed, waits, whileWaiting] = [bench.ask('a'), bench.ask('b'), bench.ask('b')]
    await turn()
    assert.equal(retryAfterMs(whileServed), 1_000)
    assert.equal(retryAfterMs(whileWaiting), 1_000)
    await bench.finishAll(50)
    assert.equal(waits.outcome, 'quote of b')
    const again = bench.ask('a')
    await bench.finishAll(50)
    assert.equal(again.outcome, 'quote of a')
  })

  it('refuses the thirty-third that would wait', async () => {
    const asked = Array.from({ length: 34 }, (_, n) => bench.ask(`${n}`))
    await turn()
    assert.equal(bench.desk.waiting, 32)
    assert.deepEqual(
      asked.map(({ outcome }) => kind(outcome)).filter(outcome => outcome !== undefined),
      [REFUSED]
    )
    assert.equal(kind(asked[33]?.outcome), REFUSED)
    await bench.finishAll(0)
    assert.equal(bench.begun.length, 33)
  })

  it('refuses who would be served later than a client waits, by what quotes take of late', async () => {
    bench.ask('first')
    await bench.finish(3_000)
    const asked = ['a', 'b', 'c'].map(peer => bench.ask(peer))
    await turn()
    assert.equal(retryAfterMs(asked[2] as Asked), 6_000)
    assert.equal(bench.desk.waiting, 1)
    await bench.finishAll(1_000)
    // Quotes have become quicker.
    const later = ['a', 'b', 'c'].map(peer => bench.ask(peer))
    await bench.finishAll(1_000)
    assert.ok(later.every(({ outcome }) => typeof outcome === 'string'))
  })

  it('lets nobody queue behind a quote that hangs', async () => {
    bench.ask('a')
    const before = bench.ask('b')
    bench.clock.advance(9_000)
    const after = bench.ask('c')
    await turn()
    assert.equal(retryAfterMs(after), 9_000)
    await bench.finishAll(10)
    assert.equal(before.outcome, 'quote of b')
  })

  it('serves whoever comes while nothing is under way, however long quotes take', async () => {
    bench.ask('a')
    await bench.finish(30_000)
    const asked = bench.ask('b')
    await bench.finish(30_000)
    assert.equal(asked.outcome, 'quote of b')
  })

  it('makes no quote for who left, and gives the place away at once', async () => {
    const under = bench.ask('a')
    const asked = Array.from({ length: 32 }, (_, n) => bench.ask(`${n}`))
    const [gone] = asked as [Asked]
    gone.leave.abort()
    await turn()
    assert.equal(gone.outcome, 'CANCELLED')
    const next = bench.ask('next')
    // Who left may come again, but has lost its turn.
    const again = bench.ask('0')
    await turn()
    assert.equal(kind(again.outcome), REFUSED)
    await bench.finishAll(0)
    assert.deepEqual(bench.begun, [under, ...asked.slice(1), next])
  })

  it('finishes a quote whose peer left before the next one, and counts it', async () => {
    const gone = bench.ask('a')
    gone.leave.abort()
    const [again, other] = [bench.ask('a'), bench.ask('b')]
    await turn()
    assert.equal(gone.outcome, 'CANCELLED')
    assert.equal(kind(again.outcome), REFUSED)
    assert.equal(bench.underWay, gone)
    await bench.finishAll(100)
    assert.equal(other.outcome, 'quote of b')
    assert.equal(bench.desk.waiting, 0)
  })

  it('goes on after a quote that failed, and tells who asked', async () => {
    const [failed, next] = [bench.ask('a'), bench.ask('b')]
    await bench.finish(10, new Error('no TEE'))
    await bench.finish(10)
    assert.equal(failed.outcome, 'no TEE')
    assert.equal(next.outcome, 'quote of b')
  })

  it('takes nobody whose signal has fired', async () => {
    const signal = AbortSignal.abort()
    await assert.rejects(
      bench.desk.take('a', async () => assert.fail('made'), { signal }),
      { code: 'CANCELLED' }
    )
  })

  it('sends a peer away that used up its budget until it has some again', async () => {
    for (let n = 0; n < 32; n++) {
      const asked = bench.ask('a')
      await bench.finish(0)
      assert.equal(asked.outcome, 'quote of a')
    }
    const spent = bench.ask('a')
    await turn()
    assert.equal(retryAfterMs(spent), 5_000)
    bench.clock.advance(5_000)
    const again = bench.ask('a')
    await bench.finish(0)
    assert.equal(again.outcome, 'quote of a')
  })

  it('keeps every promise under any schedule of peers, times and aborts', async () => {
    const action = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('ask' as const), peer: fc.nat(45) }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('ask' as const), peer: fc.constant(0) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('leave' as const), which: fc.nat(50) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('finish' as const), durationMs: fc.nat(200) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('finish' as const), durationMs: fc.nat(12_000) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.nat(8_000) }) }
    )
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 150, size: 'max' }), async actions => {
        const world = new Bench()
        /** Admitted and neither left nor begun, in the order in which they came. */
        const queue: Asked[] = []
        const all: Asked[] = []
        const countedMs = new Map<string, number>()
        const startMs = world.clock.nowMs()
        const finish = async (durationMs: number): Promise<void> => {
          const served = world.underWay as Asked
          const beganAtMs = began
          await world.finish(durationMs)
          const tookMs = Math.max(500, world.clock.nowMs() - beganAtMs)
          countedMs.set(served.peerId, (countedMs.get(served.peerId) ?? 0) + tookMs)
          assert.equal(served.outcome, served.leave.signal.aborted ? 'CANCELLED' : `quote of ${served.peerId}`)
          // First come first served: whoever asked once is not overtaken by whoever asks all the time.
          assert.equal(world.underWay, queue.shift())
          began = world.clock.nowMs()
        }
        let began = startMs
        for (const step of actions) {
          if (step.do === 'ask') {
            const peerId = `${step.peer}`
            const busy = world.underWay?.peerId === peerId || queue.some(one => one.peerId === peerId)
            const idle = world.underWay === undefined
            const asked = world.ask(peerId)
            all.push(asked)
            await turn()
            if (asked.begun) {
              assert.ok(idle)
              began = world.clock.nowMs()
              const spentMs = (countedMs.get(peerId) ?? 0) - 15_500
              assert.ok(spentMs <= (world.clock.nowMs() - startMs) / 10, 'over the budget')
            } else if (asked.outcome === undefined) {
              queue.push(asked)
            } else {
              assert.ok(Number.isSafeInteger(retryAfterMs(asked)))
              assert.ok(retryAfterMs(asked) >= 1_000 && retryAfterMs(asked) <= MAX_RETRY_AFTER_MS)
            }
            assert.ok(!(busy && kind(asked.outcome) !== REFUSED), 'two places for one peer')
          } else if (step.do === 'leave' && all.length > 0) {
            const asked = all[step.which % all.length] as Asked
            asked.leave.abort()
            const at = queue.indexOf(asked)
            if (at >= 0) {
              queue.splice(at, 1)
            }
            await turn()
            assert.notEqual(asked.outcome, undefined)
          } else if (step.do === 'finish' && world.underWay !== undefined) {
            await finish(step.durationMs)
          } else if (step.do === 'advance') {
            world.clock.advance(step.ms)
          }
          assert.equal(world.desk.waiting, queue.length)
          assert.ok(queue.length <= 32)
          assert.ok(world.underWay !== undefined || queue.length === 0, 'a waiter is forgotten')
        }
        while (world.underWay !== undefined) {
          await finish(10)
        }
        assert.ok(all.every(({ outcome }) => outcome !== undefined))
        assert.ok(all.every(({ begun, outcome }) => begun || kind(outcome) === REFUSED || outcome === 'CANCELLED'))
      }),
      { numRuns: 150 }
    )
  })

  it('serves a peer that asks once within the quotes that were before it, whoever floods', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(31), fc.integer({ min: 1, max: 40 }), async (others, floods) => {
        const world = new Bench()
        const flood = (): void => {
          for (let n = 0; n < floods; n++) {
            world.ask('flood')
          }
        }
        flood()
        for (let n = 0; n < others; n++) {
          world.ask(`${n}`)
          flood()
        }
        const honest = world.ask('honest')
        for (let served = 0; served <= others; served++) {
          assert.equal(honest.begun, false)
          await world.finish(20)
          flood()
        }
        assert.equal(world.underWay, honest)
        await world.finish(20)
        assert.equal(honest.outcome, 'quote of honest')
        await world.finishAll(20)
      }),
      { numRuns: 40 }
    )
  })
})
