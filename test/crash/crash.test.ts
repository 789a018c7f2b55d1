import assert from 'node:assert/strict'
import { violationText } from './crash-report.ts'
import { countKills, crashRun } from './crash-run.ts'

const KILLS = 10

describe('crash matrix', function () {
  this.timeout(120_000)

  it(`loses no voucher, pays nothing twice and adds up after ${KILLS} processes were killed (all of it: npm run crash)`, async () => {
    const { results } = await crashRun({ seed: 'npm test', kills: KILLS, lanes: 1, complete: false })
    assert.deepEqual(results.filter(({ violations }) => violations.length > 0).map(violationText), [])
    assert.ok(countKills(results) >= KILLS)
  })
})
