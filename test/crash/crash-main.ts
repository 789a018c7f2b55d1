import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { killTable, summaryText, violationText } from './crash-report.ts'
import { countKills, crashRun } from './crash-run.ts'
import type { SessionPlan } from './session-plan.ts'

// npm run crash -- [--seed <text>] [--kills <n>] [--lanes <n>] [--plan <json>]
// Kills paying and serving processes at every step they take. Ends with 1 if one of them broke a promise.

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    kills: { type: 'string', default: '240' },
    lanes: { type: 'string', default: '4' },
    plan: { type: 'string' },
    break: { type: 'string' }
  }
})

const seed = values.seed ?? randomBytes(4).toString('hex')
const began = performance.now()
const seconds = (): number => (performance.now() - began) / 1_000
console.log(`Crash matrix with --seed ${seed}`)

let kills = 0
const result = await crashRun({
  seed,
  kills: Number(values.kills),
  lanes: Number(values.lanes),
  complete: true,
  ...(values.plan === undefined ? {} : { plan: JSON.parse(values.plan) as SessionPlan }),
  ...(values.break === undefined ? {} : { breakage: values.break as 'early' | 'lost-deposit' }),
  onSession: (session, open) => {
    kills += countKills([session])
    console.log(
      `${seconds().toFixed(0).padStart(4)} s  session ${session.plan.seed}: ${session.kills.length} kills (${kills}), ${open} targets left${session.violations.length > 0 ? ', VIOLATED' : ''}`
    )
  }
})
console.log(`\n${killTable(result.results)}\n\n${summaryText(result, seconds())}`)
for (const session of result.results.filter(({ violations }) => violations.length > 0)) {
  console.error(violationText(session))
  process.exitCode = 1
}
