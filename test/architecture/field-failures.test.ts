import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot, sharedPath } from '../support/shared-data.ts'

// A row: | P01 | what broke | our answer | `test/…` or why it cannot happen here |
const ROW = /^\| (P\d\d) \| .+ \| .+ \| (.+) \|$/gm
const TITLE = /[`'"](P\d\d) \w/g
const ROOT = projectRoot()

describe('what broke for others', () => {
  const rows = [...readFileSync(join(ROOT, 'docs/field-failures.md'), 'utf8').matchAll(ROW)].map(match => ({
    id: match[1] ?? '',
    where: match[2] ?? ''
  }))
  const tests = testFiles(join(ROOT, 'test')).map(file => ({ file, ids: idsIn(file) }))

  it('has one row for each failure, in order', () => {
    const ids = rows.map(({ id }) => id)
    assert.deepEqual(ids, [...new Set(ids)].toSorted())
    assert.ok(ids.length > 30)
    const source = sharedPath('design', 'field-failures', 'payments.md')
    if (source === undefined) {
      console.warn('SKIPPED: the list of field failures is not beside this project, its ids were not compared')
      return
    }
    const listed = [...readFileSync(source, 'utf8').matchAll(/^- \*\*(P\d\d) /gm)].map(match => match[1] ?? '')
    assert.deepEqual(ids, listed.toSorted())
  })

  it('names for each row a test that carries its id, or says why it cannot happen', () => {
    for (const { id, where } of rows) {
      const files = [...where.matchAll(/`(test\/[^`]+)`/g)].map(match => join(ROOT, match[1] ?? ''))
      assert.ok(files.length > 0 || where.startsWith('Cannot happen here: '), `${id} names no test and no reason`)
      for (const file of files) {
        assert.ok(existsSync(file), `${id} names ${file}, which is not there`)
        assert.ok(idsIn(file).has(id), `${file} has no test whose title begins with ${id}`)
      }
    }
  })

  it('knows every test that carries an id', () => {
    for (const { file, ids } of tests) {
      for (const id of ids) {
        const row = rows.find(candidate => candidate.id === id)
        assert.ok(row?.where.includes(file.slice(ROOT.length + 1)), `${file} tests ${id}: name it in its row`)
      }
    }
  })
})

function testFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map(entry => join(entry.parentPath, entry.name))
}

function idsIn(file: string): Set<string> {
  return new Set([...readFileSync(file, 'utf8').matchAll(TITLE)].map(match => match[1] ?? ''))
}
