import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CHANNEL_CODE_HASH } from '../../../src/ton/channel-code.ts'
import { MUTANTS } from './list.ts'
import { compile, countFinds, mutate, readSource } from './mutant.ts'
import { behaviourTests, PROPERTY, runSuite } from './suite.ts'

/** What would cost the payee and what would cost the payer most, and the tests that find it soonest. */
const QUICK = ['finish: before its time', 'coop: the payee alone']
const QUICK_TESTS = ['channel-refuse-close.test.js']

describe('mutants of the channel contract', () => {
  const source = readSource()

  it('change one place of the source each', () => {
    assert.ok(MUTANTS.length >= 60)
    assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length)
    for (const mutant of MUTANTS) {
      assert.equal(countFinds(source, mutant), 1, `"${mutant.name}" of test/contracts/mutants/list.ts`)
      assert.notEqual(mutate(source, mutant), source, mutant.name)
    }
  })

  it('have all tests of behaviour against them', () => {
    const tests = behaviourTests()
    for (const file of [...QUICK_TESTS, PROPERTY]) {
      assert.ok(tests.includes(file), file)
    }
  })

  it('are found by the contract tests, of which the contract itself passes the same', async function () {
    // Processes that load the TVM, on a machine that may be busy.
    this.timeout(240_000)
    const folder = await mkdtemp(join(tmpdir(), 'cocoon-mutants-'))
    try {
      const path = join(folder, 'code.boc')
      const test = async (changed: string): Promise<{ hash: string; failed: string | undefined }> => {
        const { code, hash } = await compile(changed)
        await writeFile(path, code)
        return { hash, failed: (await runSuite(QUICK_TESTS, { codePath: path, operations: 0 })).failed }
      }
      assert.deepEqual(await test(source), { hash: CHANNEL_CODE_HASH, failed: undefined })
      for (const name of QUICK) {
        const mutant = MUTANTS.find(candidate => candidate.name === name) ?? assert.fail(name)
        const { failed } = await test(mutate(source, mutant))
        assert.notEqual(failed, undefined, `${name}: ${mutant.breaks}`)
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
