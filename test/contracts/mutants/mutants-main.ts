import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandOptions } from '../../../simnet/command-options.ts'
import { judge, testOriginal, type Verdict } from './judge.ts'
import { MUTANTS } from './list.ts'
import { type Mutant, readSource } from './mutant.ts'
import { behaviourTests, PROPERTY, showTests } from './suite.ts'

const USAGE = `npm run mutants                          every mutant of contracts/channel.tolk: a contract test has to fail for each
npm run mutants -- <part of a name> …    those only
npm run mutants -- --tests <part of a name> …      with those test files only, such as "stateful"
npm run mutants -- --property            no mutants: random schedules against the contract as it is, and what they met
npm run mutants -- --operations <n>      messages of random schedules for the contract as it is, at least (10000)`

const AT_A_TIME = 2

process.exitCode = await main()

async function main(): Promise<number> {
  const { values, positionals, whole, refuse } = commandOptions(USAGE, {
    allowPositionals: true,
    options: {
      property: { type: 'boolean', default: false },
      operations: { type: 'string', default: '10000' },
      tests: { type: 'string', default: '' }
    }
  })
  const operations = whole('operations', 1)
  const mutants = MUTANTS.filter(
    ({ name }) => positionals.length === 0 || positionals.some(part => name.includes(part))
  )
  if (mutants.length === 0) {
    return refuse(`No mutant is named "${positionals.join('" or "')}"`)
  }
  if (behaviourTests(values.tests).length === 0) {
    return refuse(`No test file is named "${values.tests}"`)
  }
  if (values.property) {
    return showTests([PROPERTY], operations)
  }
  const folder = await mkdtemp(join(tmpdir(), 'cocoon-mutants-'))
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stop.abort()
    })
  }
  try {
    return await run(folder, mutants, { tests: values.tests, operations, signal: stop.signal })
  } catch (err) {
    console.error(err instanceof Error ? err.message : err)
    return 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function run(
  folder: string,
  mutants: readonly Mutant[],
  options: { tests: string; operations: number; signal: AbortSignal }
): Promise<number> {
  const started = performance.now()
  const path = (name: number | 'original'): string => join(folder, `${name}.boc`)
  const original = await testOriginal(readSource(), { ...options, codePath: path('original') })
  if (original.failed !== undefined) {
    console.error(`The contract as it is fails "${original.failed}": that comes first\n\n${original.message}`)
    return 1
  }
  console.log(`The contract as it is: ${original.passed} tests pass (${seconds(original.elapsedMs)})\n`)
  const queue = [...mutants]
  const verdicts: Verdict[] = []
  const work = async (worker: number): Promise<void> => {
    for (let mutant = queue.shift(); mutant !== undefined && !options.signal.aborted; mutant = queue.shift()) {
      const verdict = await judge(original, mutant, { ...options, codePath: path(worker) })
      verdicts.push(verdict)
      console.log(`${verdict.kind.padEnd(10)}${seconds(verdict.elapsedMs)}  ${mutant.name} | ${verdict.text}`)
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, async (_, worker) => work(worker)))
  const count = (kind: Verdict['kind']): number => verdicts.filter(verdict => verdict.kind === kind).length
  const equivalent = count('equivalent')
  const killed = count('killed')
  const judged = `${killed} of ${mutants.length - equivalent} mutants killed, ${equivalent} equivalent`
  console.log(`\n${judged}, in ${seconds(performance.now() - started)}`)
  return killed + equivalent === mutants.length ? 0 : 1
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
