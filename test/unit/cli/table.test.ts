import assert from 'node:assert/strict'
import { renderTable } from '../../../src/cli/table.ts'

describe('tables', () => {
  it('align their columns and end each line with its last cell', () => {
    assert.equal(
      renderTable(
        ['A', 'LONG'],
        [
          ['wide cell', '1'],
          ['ü', '']
        ]
      ),
      'A          LONG\nwide cell  1\nü\n'
    )
  })
})
