// The whole suite as two runs of mocha side by side. Tests that start nodes mostly wait for their processes; meanwhile
// all others take what is left of the processors, at a lower priority, so that nobody's patience is measured wrongly.
import { spawn } from 'node:child_process'
import { setPriority } from 'node:os'

/** Folders of tests that start processes. Every other test belongs to the lane `aside`. */
const PROCESS_TESTS = ['bundle', 'canary', 'crash', 'e2e', 'integration'].map(name => `dist/test/${name}/**/*.test.js`)

/** What mocha is to run in each lane: between them every test once. */
export const LANES = {
  processes: PROCESS_TESTS,
  aside: ['dist/test/**/*.test.js', ...PROCESS_TESTS.flatMap(pattern => ['--ignore', pattern])]
}

const ASIDE_PRIORITY = 10
const SUMMARY = /^(\d+) passed, (\d+) failed, (\d+) skipped$/gm

/**
 * Runs both lanes; shows the one as it goes and the other when both are over; ends with one summary line of both.
 *
 * @param mocha arguments of node that start mocha, without the tests
 * @returns the exit status: 0 if both lanes passed
 */
export async function runLanes(mocha, cwd) {
  const start = (lane, onOutput) => run([...mocha, ...colours(), ...LANES[lane]], { cwd, onOutput })
  const processes = start('processes', part => process.stdout.write(part))
  const aside = start('aside', () => undefined)
  setPriority(aside.child.pid, ASIDE_PRIORITY)
  const forward = signal => [processes, aside].forEach(({ child }) => child.kill(signal))
  process.on('SIGTERM', forward)
  // Ctrl-C reaches the children by itself.
  process.on('SIGINT', ignore)
  try {
    const ends = await Promise.all([processes.ended, aside.ended])
    process.stdout.write(ends[1].output)
    console.log(`\n${summaryOf(ends.map(({ output }) => output))}`)
    return ends.every(({ status }) => status === 0) ? 0 : 1
  } finally {
    process.off('SIGTERM', forward).off('SIGINT', ignore)
  }
}

/** One summary line for several runs. One without a line was ended before its end: it counts as a failure. */
export function summaryOf(outputs) {
  const counts = outputs.map(output => {
    const last = [...output.matchAll(SUMMARY)].at(-1)
    return last === undefined ? undefined : last.slice(1).map(Number)
  })
  const [passed, failed, skipped] = [0, 1, 2].map(at => counts.reduce((sum, count) => sum + (count?.[at] ?? 0), 0))
  const broken = counts.filter(count => count === undefined).length
  return `${passed} passed, ${failed + broken} failed, ${skipped} skipped`
}

function colours() {
  return process.stdout.isTTY ? ['--color'] : []
}

function run(args, { cwd, onOutput }) {
  const child = spawn(process.execPath, args, { cwd, stdio: ['inherit', 'pipe', 'pipe'] })
  const parts = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', part => {
      parts.push(part)
      onOutput(part)
    })
  }
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => {
      if (signal !== null) {
        console.error(`A run of the tests was ended by ${signal}`)
      }
      resolve({ status, output: Buffer.concat(parts).toString() })
    })
  })
  return { child, ended }
}

function ignore() {
  return undefined
}
