import { writeFile } from 'node:fs/promises'
import { compile, countFinds, type Mutant, mutate } from './mutant.ts'
import { behaviourTests, runSuite, type SuiteOptions, type SuiteResult } from './suite.ts'

export interface Verdict {
  kind: 'killed' | 'SURVIVES' | 'equivalent' | 'BROKEN'
  /** The test that failed, or what is wrong. */
  text: string
  elapsedMs: number
}

/** Messages of the stateful property for a mutant: it comes after all tests of single messages. */
const OPERATIONS = 1_500

/** Which tests to run first: `claim: over the deposit` is about claims. */
const TOPICS: Readonly<Record<string, string>> = {
  fund: 'fund',
  claim: 'claim',
  external: 'external',
  start: 'close',
  finish: 'close',
  coop: 'close',
  end: 'close'
}

/** Where the code under test lies, and when to stop. */
export interface JudgeOptions extends Omit<SuiteOptions, 'operations'> {
  /** Part of the names of the test files to use. */
  tests: string
}

/** The contract as it is. */
export interface Original {
  source: string
  /** Of its code, hex. */
  hash: string
}

/**
 * Tests the contract as it is. Unless it passes, a test that fails says nothing about a mutant.
 *
 * @param options with the messages of the stateful property, at least
 */
export async function testOriginal(
  source: string,
  options: JudgeOptions & Pick<SuiteOptions, 'operations'>
): Promise<SuiteResult & Original> {
  const { code, hash } = await compile(source)
  await writeFile(options.codePath, code)
  const result = await runSuite(behaviourTests(options.tests), options)
  return { ...result, source, hash }
}

/** Runs the contract tests against a mutant, up to the first that fails. */
export async function judge(original: Original, mutant: Mutant, options: JudgeOptions): Promise<Verdict> {
  const started = performance.now()
  try {
    const found = await testMutant(original, mutant, options)
    return { ...found, elapsedMs: performance.now() - started }
  } catch (err) {
    const text = err instanceof Error ? err.message : String(err)
    return { kind: 'BROKEN', text, elapsedMs: performance.now() - started }
  }
}

async function testMutant(
  original: Original,
  mutant: Mutant,
  options: JudgeOptions
): Promise<Omit<Verdict, 'elapsedMs'>> {
  const finds = countFinds(original.source, mutant)
  if (finds !== 1) {
    return { kind: 'BROKEN', text: `what it replaces stands in the source ${finds} times: once is expected` }
  }
  const changed = await compile(mutate(original.source, mutant))
  if (changed.hash === original.hash) {
    return { kind: 'BROKEN', text: 'it compiles to the same code' }
  }
  await writeFile(options.codePath, changed.code)
  const topic = TOPICS[mutant.name.split(':')[0] ?? '']
  const { failed } = await runSuite(behaviourTests(options.tests, topic), { ...options, operations: OPERATIONS })
  if (mutant.equivalent !== undefined) {
    return failed === undefined
      ? { kind: 'equivalent', text: mutant.equivalent }
      : { kind: 'BROKEN', text: `it is said to be equivalent and fails "${failed}"` }
  }
  return failed === undefined ? { kind: 'SURVIVES', text: mutant.breaks } : { kind: 'killed', text: failed }
}
