// What the npm scripts call. Plain JavaScript without dependencies: it sets up whatever is missing first.
import './node-version.js'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { buildIfStale, generateMessages } from './build.js'
import { ensureDependencies, root, SetupError } from './setup.js'
import { runLanes } from './test-lanes.js'

const MOCHA_BIN = 'node_modules/mocha/bin/mocha.js'
const MOCHA = ['--require', 'dist/test/support/root-hooks.js', '--reporter', 'dist/test/support/summary-reporter.js']
if (process.env.CI !== undefined) {
  // A forgotten `it.only` would leave the others out.
  MOCHA.push('--forbid-only')
}
const ALL_TESTS = 'dist/test/**/*.test.js'

/** Checks that take seconds, in the order in which `npm run check` runs them. */
const CHECKS = {
  lint: args => tool('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings', ...args]),
  format: args => tool('@biomejs/biome/bin/biome', ['check', ...args]),
  // The generated messages are out of git, but they count as users of what they import.
  knip: args => tool('knip/bin/knip.js', ['--no-gitignore', ...args]),
  publint: args => tool('publint/src/cli.js', ['--strict', ...args]),
  architecture: args => mocha(['dist/test/architecture/**/*.test.js', ...args])
}

const VERBS = {
  ...CHECKS,
  build: () => 0,
  start,
  test: args =>
    args.length === 0
      ? runLanes([MOCHA_BIN, ...MOCHA], root)
      : mocha(args.some(arg => arg.endsWith('.test.js')) ? args : [ALL_TESTS, ...args]),
  coverage: args => tool('c8/bin/c8.js', [process.execPath, join(root, MOCHA_BIN), ...MOCHA, ALL_TESTS, ...args]),
  bench: args => node(['dist/simnet/bench/main.js', ...args]),
  gas: args => node(['dist/test/contracts/gas-main.js', ...args]),
  mutants: args => node(['dist/test/contracts/mutants/mutants-main.js', ...args]),
  crash: args => node(['dist/test/crash/crash-main.js', ...args]),
  weeks: args => node(['dist/test/weeks/weeks-main.js', ...args]),
  fuzz: args => node(['dist/test/fuzz/fuzz-main.js', ...args]),
  leak: args => node(['dist/test/leak/leak-main.js', ...args]),
  'attest:diff': args => node(['dist/test/attest-diff/attest-diff-main.js', ...args]),
  canary: args => node(['dist/test/canary/canary-main.js', ...args]),
  bundle: args => node(['dist/test/bundle/bundle-main.js', ...args]),
  'format:fix': args => tool('@biomejs/biome/bin/biome', ['check', '--write', ...args]),
  check
}

/** They read sources only, and should speak about those that do not compile too. */
const NEED_NO_BUILD = ['lint', 'format', 'format:fix']

const [verb = '', ...given] = process.argv.slice(2)
if (VERBS[verb] === undefined) {
  console.error(`"${verb}" is not a task: expected one of ${Object.keys(VERBS).join(', ')}`)
  process.exit(2)
}
try {
  await ensureDependencies()
  if (NEED_NO_BUILD.includes(verb)) {
    generateMessages()
  } else {
    ensureBuild()
  }
  process.exitCode = await VERBS[verb](given)
} catch (err) {
  if (!(err instanceof SetupError)) {
    throw err
  }
  console.error(err.message)
  process.exitCode = 3
}

function ensureBuild() {
  const startMs = Date.now()
  try {
    if (buildIfStale()) {
      console.log(`Built in ${((Date.now() - startMs) / 1000).toFixed(1)} s`)
    }
  } catch (err) {
    if (typeof err.status !== 'number') {
      throw err
    }
    throw new SetupError("The build failed: see the compiler's lines above")
  }
}

/** Runs the CLI in this process, so that signals and the terminal are its own. */
async function start(words) {
  process.argv.splice(2, Infinity, 'simnet', 'demo', ...(words.length === 0 ? [] : ['--', ...words]))
  await import('./cocoon-node.js')
  return process.exitCode
}

async function check() {
  const failed = []
  for (const [name, run] of Object.entries(CHECKS)) {
    const startMs = Date.now()
    console.log(`── ${name}`)
    if ((await run([])) !== 0) {
      failed.push(name)
    }
    console.log(
      `── ${name}: ${failed.includes(name) ? 'FAILED' : 'ok'} (${((Date.now() - startMs) / 1000).toFixed(1)} s)`
    )
  }
  console.log(failed.length === 0 ? 'All checks passed' : `Failed: ${failed.join(', ')}`)
  return failed.length === 0 ? 0 : 1
}

function mocha(args) {
  return node([MOCHA_BIN, ...MOCHA, ...args])
}

function tool(bin, args) {
  return node([join('node_modules', bin), ...args])
}

/** Runs a program to its end and returns its exit status. */
function node(args) {
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' })
  // Ctrl-C reaches the child by itself; its exit decides ours.
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => {
      process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM')
      if (signal !== null) {
        console.error(`${args[0]} was ended by ${signal}`)
      }
      resolve(status ?? 1)
    })
  })
}
