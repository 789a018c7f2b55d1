import assert from 'node:assert/strict'
import { EndpointHealth } from '../../../src/ton/endpoint-health.ts'

describe('EndpointHealth', () => {
  let nowMs: number
  let health: EndpointHealth
  beforeEach(() => {
    nowMs = 1_000_000
    health = new EndpointHealth({
      clock: { nowMs: () => nowMs },
      random: { bytes: length => new Uint8Array(length).fill(255) }
    })
  })

  function failNow(): number {
    health.begin().failed()
    return health.waitMs
  }

  it('rests twice as long after each failure, at most half a minute', () => {
    const rests: number[] = []
    for (let failure = 0; failure < 10; failure++) {
      rests.push(Math.ceil(failNow()))
      nowMs += health.waitMs
    }
    assert.deepEqual(rests, [250, 500, 999, 1_997, 3_993, 7_985, 15_969, 29_942, 29_942, 29_942])
  })

  it('is well again with the first answer', () => {
    failNow()
    nowMs += failNow()
    health.begin().succeeded()
    assert.deepEqual([health.isWell, health.waitMs], [true, 0])
    assert.ok(failNow() <= 250)
  })

  it('counts requests that fail together as one failure', () => {
    const together = Array.from({ length: 20 }, () => health.begin())
    assert.deepEqual(
      together.map(request => request.failed()),
      [true, ...Array.from({ length: 19 }, () => false)]
    )
    assert.ok(health.waitMs <= 250)
  })

  it('is tried by one at a time after its rest', () => {
    nowMs += failNow()
    assert.equal(health.waitMs, 0)
    const trial = health.begin()
    assert.equal(health.waitMs, 250)
    trial.abandoned()
    assert.equal(health.waitMs, 0)
    health.begin().failed()
    assert.ok(health.waitMs > 250)
  })

  it('does not rest for hours because the clock was set back', () => {
    failNow()
    nowMs -= 3_600_000
    assert.equal(health.waitMs, 0)
  })

  it('spreads rests of equal failures', () => {
    const low = new EndpointHealth({
      clock: { nowMs: () => nowMs },
      random: { bytes: length => new Uint8Array(length) }
    })
    low.fail()
    assert.equal(low.waitMs, 125)
    assert.ok(failNow() > 249)
  })
})
