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

/** The heading of mocha's list of failures, with a colour's few characters before it or without. */
const FAILURES = /^.{0,6} {2}\d+ failing\b/m

/** How much of the output of a run that ended before its summary is shown once more, in characters. */
const LAST_WORDS = 4_000

/**
 * Runs both lanes; shows the one as it goes and the other when both are over; ends with what failed in either and one
 * summary line of both.
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
    const outputs = ends.map(({ output }) => output)
    process.stdout.write(outputs.map(failuresOf).join(''))
    console.log(`\n${summaryOf(outputs)}`)
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

/** What a run says of its failed tests, or its last words where it did not come to its summary; otherwise nothing. */
export function failuresOf(output) {
  const summary = [...output.matchAll(SUMMARY)].at(-1)
  if (summary === undefined) {
    return `\n${output.slice(-LAST_WORDS)}`
  }
  const listed = Number(summary[2]) === 0 ? -1 : output.search(FAILURES)
  return listed < 0 ? '' : `\n${output.slice(listed, summary.index)}`
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
