import assert from 'node:assert/strict'
import fc from 'fast-check'
import { peerJobKey, Slots } from '../../../src/provider/slots.ts'
import { ManualClock } from '../mesh/samples.ts'

describe('slots', () => {
  it('turn a reservation of a peer into a running job, once', () => {
    const slots = new Slots(1, new ManualClock())
    assert.equal(slots.begin('a', 'p'), false)
    assert.equal(slots.reserve('a', 'p', 100), true)
    assert.equal(slots.begin('a', 'q'), false)
    assert.equal(slots.begin('a', 'p'), true)
    assert.equal(slots.begin('a', 'p'), false)
    assert.equal(slots.free, 0)
    slots.release('a')
    assert.equal(slots.free, 1)
  })

  it('give no job a second place, and none when all are taken', () => {
    const slots = new Slots(2, new ManualClock())
    assert.deepEqual(
      [
        slots.reserve('a', 'p', 100),
        slots.reserve('a', 'p', 100),
        slots.reserve('b', 'p', 100),
        slots.reserve('c', 'p', 100)
      ],
      [true, false, true, false]
    )
  })

  it('fall free when a reservation runs out, but not while a job runs', () => {
    const clock = new ManualClock()
    const slots = new Slots(2, clock)
    slots.reserve('a', 'p', 100)
    slots.reserve('b', 'p', 100)
    slots.begin('b', 'p')
    clock.advance(50)
    slots.extend('a', 100)
    slots.extend('b', 1)
    clock.advance(99)
    assert.equal(slots.free, 0)
    clock.advance(1)
    assert.equal(slots.free, 1)
    assert.equal(slots.begin('a', 'p'), false)
  })

  it('never hold more than there are, whatever is asked of them', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    const peer = fc.constantFrom('p', 'q')
    const ttl = fc.nat({ max: 50 })
    const step = fc.oneof(
      fc.tuple(fc.constant('reserve' as const), key, peer, ttl),
      fc.tuple(fc.constant('begin' as const), key, peer, ttl),
      fc.tuple(fc.constant('extend' as const), key, peer, ttl),
      fc.tuple(fc.constant('release' as const), key, peer, ttl),
      fc.tuple(fc.constant('wait' as const), key, peer, ttl)
    )
    fc.assert(
      fc.property(fc.nat({ max: 3 }), fc.array(step, { maxLength: 40 }), (total, steps) => {
        const clock = new ManualClock()
        const slots = new Slots(total, clock)
        const running = new Set<string>()
        for (const [action, job, by, ms] of steps) {
          if (action === 'reserve') {
            const before = slots.free
            assert.ok(!slots.reserve(job, by, ms) || (before > 0 && !running.has(job)))
          } else if (action === 'begin') {
            if (slots.begin(job, by)) {
              assert.ok(!running.has(job))
              running.add(job)
            }
          } else if (action === 'extend') {
            slots.extend(job, ms)
          } else if (action === 'release') {
            slots.release(job)
            running.delete(job)
          } else {
            clock.advance(ms)
          }
          assert.ok(
            slots.free >= 0 && slots.free <= total - running.size,
            `${slots.free} free of ${total}, ${running.size} run`
          )
        }
      })
    )
  })

  it('are named by peer and job, because job ids are public', () => {
    const jobId = new Uint8Array(16).fill(1)
    assert.notEqual(peerJobKey('p', jobId), peerJobKey('q', jobId))
  })
})
