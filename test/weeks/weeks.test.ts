import assert from 'node:assert/strict'
import { complaints, Village } from './village.ts'

describe('simulated days', () => {
  it('end with nothing stuck and every nanoton accounted for, whatever breaks meanwhile', async function () {
    this.timeout(180_000)
    const village = new Village({ seed: 7, days: 2 })
    const report = await village.run()
    assert.deepEqual(complaints(report), [])
    // It must have been a life: jobs, cuts, channels that closed, a disk that burnt.
    assert.ok((village.jobs.get('done') ?? 0) > 50)
    assert.ok(report.channels >= 3)
    assert.ok(village.events.has('client lost its disk') && village.events.has('provider gone for good'))
  })
})
