import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { AbortOptions } from '../../../src/core/abort.ts'

const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')
const FOLDER = join(import.meta.dirname, '..')
const HOOKS = join(FOLDER, '../support/root-hooks.js')
// Tests of single messages take milliseconds, but a mutant may run beside seven other things.
const MOCHA_OPTIONS = ['--no-config', '--exit', '--timeout', '60000', '--require', HOOKS]

/** They look at the pinned code, the source, or at gas, which any change moves: to fail there is no merit. */
const NOT_ABOUT_BEHAVIOUR = /^(?:channel-code|channel-gas|channel-fees|voucher-hash)\b/
/** Random schedules against a model: finds whatever the tests of single messages miss. */
export const PROPERTY = 'channel-stateful.test.js'
const RANDOM = [PROPERTY, 'channel-conservation.test.js']

/**
 * Test files of what the channel does: those of single messages, then random ones.
 *
 * @param part only files with this in their names
 * @param topic files with this in their names come first
 */
export function behaviourTests(part = '', topic = ''): string[] {
  const files = readdirSync(FOLDER).filter(file => file.startsWith('channel') && file.endsWith('.test.js'))
  const single = files.filter(file => !NOT_ABOUT_BEHAVIOUR.test(file) && !RANDOM.includes(file)).toSorted()
  const near = single.filter(file => file.includes(topic))
  const all = [...near, ...single.filter(file => !near.includes(file)), ...RANDOM]
  return all.filter(file => file.includes(part))
}

export interface SuiteResult {
  /** Full title of the first test that failed; undefined if all passed. */
  failed: string | undefined
  /** What it said. */
  message: string
  passed: number
  elapsedMs: number
}

interface JsonReport {
  stats: { passes: number; failures: number }
  failures: { fullTitle: string; err: { code?: string; message?: string } }[]
}

export interface SuiteOptions extends AbortOptions {
  /** Bag of cells in base64 that is tested in place of the pinned code. */
  codePath: string
  /** Messages of the stateful property, at least. */
  operations: number
}

/** Far more than all of it takes on a busy machine. */
const LIMIT_MS = 600_000

/**
 * Runs contract tests in a process of their own, up to the first that fails.
 *
 * @param files of {@link behaviourTests}
 * @throws {Error} if they did not run, not to the end, or not in time
 */
export async function runSuite(
  files: readonly string[],
  { codePath, operations, signal }: SuiteOptions
): Promise<SuiteResult> {
  const report = `${codePath}.json`
  const started = performance.now()
  const complaints = await runMocha(
    [...files.map(file => join(FOLDER, file)), '--bail', '--reporter', 'json', '--reporter-option', `output=${report}`],
    { COCOON_TEST_CHANNEL_CODE: codePath, COCOON_TEST_OPERATIONS: String(operations) },
    AbortSignal.any([AbortSignal.timeout(LIMIT_MS), ...(signal === undefined ? [] : [signal])])
  )
  const text = await readFile(report, 'utf8').catch(() => undefined)
  await rm(report, { force: true })
  if (text === undefined) {
    throw new Error(`The contract tests left no report: ${complaints}`)
  }
  const { stats, failures } = JSON.parse(text) as JsonReport
  const [failure] = failures
  if (stats.passes === 0 && failure === undefined) {
    throw new Error('No contract test ran')
  }
  if (failure?.err.code === 'ERR_MOCHA_TIMEOUT') {
    throw new Error(`"${failure.fullTitle}" did not end in time, which says nothing about the contract`)
  }
  return {
    failed: failure?.fullTitle,
    message: failure?.err.message ?? '',
    passed: stats.passes,
    elapsedMs: performance.now() - started
  }
}

/** Resolves to the end of what it complained about. */
async function runMocha(args: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<string> {
  const child = spawn(process.execPath, [MOCHA, ...MOCHA_OPTIONS, ...args], {
    env: { ...process.env, ...env },
    // The report is in a file.
    stdio: ['ignore', 'ignore', 'pipe'],
    signal
  })
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-2_000)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, killedBy) => {
      resolve(`ended with ${killedBy ?? code}. ${complaints}`)
    })
  })
}

/**
 * Runs contract tests of the pinned code for somebody to watch.
 *
 * @returns the exit status
 */
export async function showTests(files: readonly string[], operations: number): Promise<number> {
  const child = spawn(process.execPath, [MOCHA, ...MOCHA_OPTIONS, ...files.map(file => join(FOLDER, file))], {
    env: { ...process.env, COCOON_TEST_OPERATIONS: String(operations) },
    stdio: 'inherit'
  })
  return new Promise(resolve => {
    child.on('close', code => {
      resolve(code ?? 1)
    })
  })
}
