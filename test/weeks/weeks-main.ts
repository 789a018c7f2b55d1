import { commandOptions } from '../../simnet/command-options.ts'
import { formatTon } from '../../src/core/nano-ton.ts'
import { complaints, Village } from './village.ts'

const { whole } = commandOptions('npm run weeks -- [--days 30] [--seed 1]', {
  options: { days: { type: 'string', default: '30' }, seed: { type: 'string', default: '1' } }
})
const days = whole('days', 1, 3_650)
const seed = whole('seed', 0)
const startMs = performance.now()
const village = new Village({
  days,
  seed,
  onDay: (day, { jobs }) => {
    const total = [...jobs.values()].reduce((sum, times) => sum + times, 0)
    console.log(`day ${day}: ${total} jobs so far, ${((performance.now() - startMs) / 1000).toFixed(0)} s`)
  }
})
const report = await village.run()
print('Jobs', village.jobs)
print('Steps taken without anybody asking', village.steps)
print('What happened', village.events)
console.log(`
${report.days} days, seed ${seed}, ${((performance.now() - startMs) / 1000).toFixed(0)} s
channels opened  ${report.channels}, not ended by themselves ${report.stuck.length}
tokens           ${village.tokens}
network fees     ${formatTon(report.fees)}
unaccounted      ${report.unaccounted} nanotons
chain requests   ${report.chainRequests}`)
for (const { provider, left, delivered, paid, cuts } of report.sales) {
  const gone = left ? ', and left for good' : ''
  console.log(
    `${provider}       delivered ${formatTon(delivered)}, was paid ${formatTon(paid)}, ${cuts} jobs cut${gone}`
  )
}
const found = complaints(report)
found.forEach(complaint => console.error(`WRONG: ${complaint}`))
console.log(found.length === 0 ? '\nNothing is stuck and every nanoton is accounted for' : '')
process.exitCode = found.length === 0 ? 0 : 1

function print(title: string, counts: ReadonlyMap<string, number>): void {
  console.log(`\n${title}`)
  for (const [what, times] of [...counts].toSorted(([, a], [, b]) => b - a)) {
    console.log(`${String(times).padStart(7)}  ${what}`)
  }
}
