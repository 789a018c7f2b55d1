import assert from 'node:assert/strict'
import { poll, systemSleep } from '../../../src/ton/wait.ts'

describe('poll', () => {
  it('asks with growing pauses until there is an answer', async () => {
    const pauses: number[] = []
    let asked = 0
    const answer = await poll(
      async () => (++asked === 5 ? 'yes' : undefined),
      { limitMs: 60_000, firstDelayMs: 100, maxDelayMs: 250 },
      async ms => void pauses.push(ms)
    )
    assert.equal(answer, 'yes')
    assert.deepEqual(pauses, [100, 150, 225, 250])
  })

  it('gives up after its limit', async () => {
    let waited = 0
    const answer = await poll(
      async () => undefined,
      { limitMs: 1_000, firstDelayMs: 100, maxDelayMs: 100 },
      async ms => void (waited += ms)
    )
    assert.equal(answer, undefined)
    assert.ok(waited >= 1_000 && waited <= 1_200, `waited ${waited} ms`)
  })

  it('hands on what the question throws, and stops when aborted', async () => {
    const fails = Promise.reject(new RangeError('no'))
    await assert.rejects(
      poll(() => fails, { limitMs: 10 }, systemSleep),
      RangeError
    )
    const controller = new AbortController()
    const waiting = poll(async () => undefined, { limitMs: 60_000, firstDelayMs: 30_000 }, systemSleep, {
      signal: controller.signal
    })
    controller.abort()
    await assert.rejects(waiting, { code: 'CANCELLED' })
  })
})
