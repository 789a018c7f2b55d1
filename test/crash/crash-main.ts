import { randomBytes } from 'node:crypto'
import { commandOptions } from '../../simnet/command-options.ts'
import { killTable, summaryText, violationText } from './crash-report.ts'
import { countKills, crashRun } from './crash-run.ts'
import type { SessionPlan } from './session-plan.ts'

// Kills paying and serving processes at every step they take. Ends with 1 if one of them broke a promise.

const USAGE =
  'npm run crash -- [--seed <text>] [--kills <n>] [--lanes <n>] [--plan <json>] [--break early | lost-deposit]'

const { values, whole, refuse } = commandOptions(USAGE, {
  options: {
    seed: { type: 'string' },
    kills: { type: 'string', default: '240' },
    lanes: { type: 'string', default: '4' },
    plan: { type: 'string' },
    break: { type: 'string' }
  }
})

const seed = values.seed ?? randomBytes(4).toString('hex')
const breakages = ['early', 'lost-deposit'] as const
const breakage = breakages.find(name => name === values.break)
if (breakage !== values.break) {
  refuse(`--break ${values.break}: expected ${breakages.join(' or ')}`)
}
const kills = whole('kills', 1)
const lanes = whole('lanes', 1, 64)
const began = performance.now()
const seconds = (): number => (performance.now() - began) / 1_000
console.log(`Crash matrix with --seed ${seed}`)

let killed = 0
const result = await crashRun({
  seed,
  kills,
  lanes,
  complete: true,
  ...(values.plan === undefined ? {} : { plan: readPlan(values.plan) }),
  ...(breakage === undefined ? {} : { breakage }),
  onSession: (session, open) => {
    killed += countKills([session])
    console.log(
      `${seconds().toFixed(0).padStart(4)} s  session ${session.plan.seed}: ${session.kills.length} kills (${killed}), ${open} targets left${session.violations.length > 0 ? ', VIOLATED' : ''}`
    )
  }
})
console.log(`\n${killTable(result.results)}\n\n${summaryText(result, seconds())}`)
for (const session of result.results.filter(({ violations }) => violations.length > 0)) {
  console.error(violationText(session))
  process.exitCode = 1
}

/** As a run prints it of a session that broke a promise. */
function readPlan(json: string): SessionPlan {
  try {
    return JSON.parse(json) as SessionPlan
  } catch {
    return refuse('--plan: expected the JSON that an earlier run printed')
  }
}
