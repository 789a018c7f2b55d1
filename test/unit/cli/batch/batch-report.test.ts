import assert from 'node:assert/strict'
import { type BatchReport, renderReport, reportError, reportObject } from '../../../../src/cli/batch/batch-report.ts'
import { automaticParallel } from '../../../../src/cli/batch/parallelism.ts'
import { progressLines } from '../../../../src/cli/batch/progress.ts'

const report: BatchReport = {
  output: 'out.jsonl',
  answered: 3,
  failed: 0,
  skipped: 2,
  invalid: [],
  completionTokens: 40,
  cost: 10n,
  paid: 12n
}
const invalid = Array.from({ length: 25 }, (_, index) => ({
  line: index + 1,
  code: 'BATCH_LINE_INVALID' as const,
  message: ''
}))

describe('the report of a batch', () => {
  it('is no error where everything was answered', () => {
    assert.equal(reportError(report), undefined)
    assert.deepEqual(reportObject(report), {
      output: 'out.jsonl',
      answered: 3,
      skipped: 2,
      failed: 0,
      invalid: [],
      completionTokens: 40,
      costNano: 10n,
      paidNano: 12n
    })
    assert.match(renderReport(report), /3 answered, 2 were there already: 40 tokens for 0\.00000001 TON/)
  })

  it('is a usage error where lines could not run, whatever else failed', () => {
    const error = reportError({ ...report, failed: 1, invalid: invalid.slice(0, 2) })
    assert.equal(error?.code, 'BATCH_LINES_INVALID')
    assert.equal(error.errorClass, 'usage')
    assert.match(error.message, /^Line 1, 2 could not run; 1 job/)
  })

  it('names only so many lines', () => {
    assert.match(reportError({ ...report, invalid })?.message ?? '', /19, 20 and 5 more/)
  })

  it('is a peer error where jobs failed', () => {
    const error = reportError({ ...report, failed: 2 })
    assert.deepEqual([error?.code, error?.errorClass], ['BATCH_JOBS_FAILED', 'peer'])
  })
})

describe('the progress of a batch without a terminal', () => {
  it('is said at most ten times, the last time at the end', () => {
    const notes: string[] = []
    const progress = progressLines({ note: text => void notes.push(text) }, 1000)
    for (let answered = 1; answered <= 1000; answered++) {
      progress.update({ answered, failed: 0, completionTokens: 0, cost: 0n, paid: 0n })
    }
    assert.equal(notes.length, 10)
    assert.match(notes.at(-1) ?? '', /^1000 of 1000 done/)
  })
})

describe('how many jobs run at once', () => {
  const provider = (peerId: string, slotsTotal: number) => ({ peerId, slotsTotal })

  it('is one for each slot, each provider counted once, within bounds', () => {
    assert.equal(automaticParallel([provider('a', 2), provider('b', 3), provider('a', 2)]), 5)
    assert.equal(automaticParallel([]), 1)
    assert.equal(automaticParallel([provider('a', 1_000_000), provider('b', -5)]), 16)
  })
})
