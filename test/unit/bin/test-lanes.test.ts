import assert from 'node:assert/strict'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { projectRoot } from '../../support/shared-data.ts'

interface TestLanes {
  LANES: Record<'processes' | 'aside', string[]>
  summaryOf(outputs: string[]): string
  failuresOf(output: string): string
}

describe('lanes of the test run', () => {
  let lanes: TestLanes

  before(async () => {
    lanes = (await import(pathToFileURL(join(projectRoot(), 'bin', 'test-lanes.js')).href)) as TestLanes
  })

  it('leave no test to nobody: the one takes all that the other does not', () => {
    const { processes, aside } = lanes.LANES
    assert.equal(aside[0], 'dist/test/**/*.test.js')
    const ignored = aside.slice(1).filter(word => word !== '--ignore')
    assert.deepEqual(ignored, processes)
    assert.equal(aside.length, 1 + 2 * processes.length)
  })

  it('add up to one line', () => {
    const [one, other] = ['noise\n12 passed, 0 failed, 1 skipped\n', '3 passed, 1 failed, 0 skipped\nmore noise']
    assert.equal(lanes.summaryOf([one, other]), '15 passed, 1 failed, 1 skipped')
  })

  it('count a run that ended before its summary as a failure, not as nothing', () => {
    assert.equal(lanes.summaryOf(['7 passed, 0 failed, 0 skipped\n', 'killed\n']), '7 passed, 1 failed, 0 skipped')
    assert.equal(lanes.summaryOf(['', '']), '0 passed, 2 failed, 0 skipped')
  })

  it('say once more at the end what failed', () => {
    const listed = '  1 failing\n\n  1) a test\n\n'
    const passed = '  ✔ a\n\n  1 passing\n'
    assert.equal(lanes.failuresOf(`${passed}${listed}1 passed, 1 failed, 0 skipped\n`), `\n${listed}`)
    const coloured = `\u001b[31m${listed}`
    assert.equal(lanes.failuresOf(`${passed}${coloured}1 passed, 1 failed, 0 skipped\n`), `\n${coloured}`)
    assert.equal(lanes.failuresOf(`${passed}1 passed, 0 failed, 0 skipped\n`), '')
    assert.equal(lanes.failuresOf('out of memory\n'), '\nout of memory\n')
  })
})
