import type { CrashRunResult } from './crash-run.ts'
import type { KillRecord, SessionResult } from './session-plan.ts'
import type { Role } from './side.ts'

const WAYS = ['before', 'torn', 'after', 'sent', 'confirmed', 'from outside'] as const

/** One line a step: how often a side died at it, in which way, and what came of it. */
export function killTable(results: readonly SessionResult[]): string {
  const steps = new Map<string, KillRecord[]>()
  for (const kill of results.flatMap(({ kills }) => kills)) {
    const name = `${kill.role.padEnd(5)} ${kill.step}`
    steps.set(name, [...(steps.get(name) ?? []), kill])
  }
  const rows = [...steps]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, kills]) => [
      name,
      String(kills.length),
      ...WAYS.map(way => String(kills.filter(({ phase }) => phase === way).length || '')),
      String(kills.filter(({ recovered }) => recovered).length),
      `${Math.round(Math.max(...kills.map(({ exposure }) => exposure)) * 100)} %`
    ])
  return alignColumns([['step', 'kills', ...WAYS, 'recovered', 'worst exposure'], ...rows])
}

/** What was broken, and how to see it again. */
export function violationText({ plan, violations }: SessionResult): string {
  const replay = `npm run crash -- --plan '${JSON.stringify(plan)}'`
  return [`Session ${plan.seed}:`, ...violations.map(violation => `  ${violation}`), `  again: ${replay}`].join('\n')
}

export function summaryText({ results, targets, open, missed }: CrashRunResult, seconds: number): string {
  const kills = results.flatMap(result => result.kills)
  const worst = (role: Role): number => Math.round(Math.max(0, ...results.map(result => result.worst[role])) * 100)
  const violations = results.flatMap(result => result.violations).length
  return [
    `${kills.length} kills in ${results.length} sessions, ${kills.filter(({ recovered }) => recovered).length} recovered, ${violations} violations, ${Math.round(seconds)} s`,
    `${targets} steps and ways to die at them were seen, ${targets - open - missed.length} hit; at stake at most, of a window a running job: payer ${worst('payer')} %, payee ${worst('payee')} %`,
    ...missed.map(name => `  not taken again when it was to be hit: ${name}`)
  ].join('\n')
}

/** Text to the left, numbers to the right. */
function alignColumns(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map(row => row[at]?.length ?? 0)))
  return rows
    .map(row =>
      row.map((cell, at) => (at === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ')
    )
    .join('\n')
}
