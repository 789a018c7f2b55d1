import assert from 'node:assert/strict'
import { chmod, link, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { openResults, requireDifferentFiles } from '../../../../src/cli/batch/result-file.ts'
import { useTempFolder } from '../../../support/temp-folder.ts'
import { doneLine, failedLine } from './batch-fixture.ts'

const everyId = (_id: string): boolean => true

describe('the output of a batch', () => {
  const folder = useTempFolder()
  const path = (): string => join(folder(), 'out.jsonl')

  async function reopen(content: string | Uint8Array, isWanted = everyId) {
    await writeFile(path(), content)
    const { writer, ...found } = await openResults(path(), isWanted)
    await writer.close()
    return {
      ...found,
      finished: [...found.finished],
      sealings: [...found.sealings],
      content: await readFile(path(), 'utf8')
    }
  }

  it('is made for its owner alone', async () => {
    const { writer, finished } = await openResults(path(), everyId)
    await writer.append('a\n')
    await writer.close()
    assert.equal(finished.size, 0)
    assert.equal(await readFile(path(), 'utf8'), 'a\n')
    assert.equal((await stat(path())).mode & 0o777, 0o600)
  })

  it('keeps what is finished and adds behind it', async () => {
    const before = `${doneLine('a')}\n${doneLine('b')}\n`
    await writeFile(path(), before)
    const { writer, finished } = await openResults(path(), everyId)
    await writer.append('c\n')
    await writer.close()
    assert.deepEqual([...finished], ['a', 'b'])
    assert.equal(await readFile(path(), 'utf8'), `${before}c\n`)
  })

  it('loses only the line that a crash cut, wherever it was cut', async () => {
    const first = doneLine('a')
    const last = Buffer.from(doneLine('b👋'))
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: last.byteLength - 1 }), async cut => {
        const found = await reopen(Buffer.concat([Buffer.from(`${first}\n`), last.subarray(0, cut)]))
        assert.deepEqual([found.finished, found.retried, found.repaired], [['a'], 0, true])
        assert.equal(found.content, `${first}\n`)
      }),
      { numRuns: 60 }
    )
  })

  it('keeps a last line that lacks only its line feed', async () => {
    const found = await reopen(`${doneLine('a')}\n${doneLine('b')}`)
    assert.deepEqual([found.finished, found.retried, found.repaired], [['a', 'b'], 0, false])
    assert.equal(found.content, `${doneLine('a')}\n${doneLine('b')}\n`)
  })

  it('loses failed lines of this batch, which run again, and no others', async () => {
    const lines = [doneLine('a'), failedLine('b'), failedLine('of another batch'), doneLine('c')]
    await writeFile(path(), `${lines.join('\n')}\n`)
    await chmod(path(), 0o640)
    const found = await reopen(`${lines.join('\n')}\n{"id":"batch_req_torn`, id => id.length === 1)
    assert.deepEqual(found.finished, ['a', 'c'])
    assert.deepEqual([found.retried, found.repaired], [1, true])
    assert.equal(found.content, `${[lines[0], lines[2], lines[3]].join('\n')}\n`)
    assert.equal((await stat(path())).mode & 0o777, 0o640)
    assert.deepEqual(await readdir(folder()), ['out.jsonl'])
  })

  it('tells how its finished answers travelled, those of this batch alone', async () => {
    const strict = { privacy: 'strict', suite: 'x25519' }
    const lines = [
      doneLine('a', strict),
      doneLine('b', { ...strict, suite: 'xwing' }),
      doneLine('c', strict),
      doneLine('of another batch', strict),
      failedLine('d'),
      // What is no mode of ours is repeated to nobody.
      doneLine('e', { privacy: '\u001b[2J', suite: 'x25519' }),
      doneLine('f')
    ]
    const found = await reopen(`${lines.join('\n')}\n`, id => id.length === 1)
    assert.deepEqual(found.sealings, [
      ['privacy strict, suite x25519', 2],
      ['privacy strict, suite xwing', 1],
      ['settings that it does not tell', 2]
    ])
  })

  it('is followed through a link, which stays one', async () => {
    await writeFile(join(folder(), 'target'), `${failedLine('a')}\n`)
    await symlink(join(folder(), 'target'), path())
    const { writer } = await openResults(path(), everyId)
    await writer.append('x\n')
    await writer.close()
    assert.equal(await readFile(join(folder(), 'target'), 'utf8'), 'x\n')
  })

  const foreign: Array<[what: string, content: string | Uint8Array]> = [
    ['text', 'my notes\n'],
    ['text without a line feed', 'my notes'],
    ['other JSON', '{"a":1}\n'],
    ['a broken line before the last', `{"id":"batch_req_\n${doneLine('a')}\n`],
    ['bytes', Uint8Array.of(0xff, 0x0a)]
  ]
  for (const [what, content] of foreign) {
    it(`is left untouched if it holds ${what}`, async () => {
      await assert.rejects(reopen(content), { code: 'BATCH_OUTPUT_INVALID', errorClass: 'usage' })
      assert.deepEqual(await readFile(path()), Buffer.from(content))
    })
  }

  it('must be a plain file', async () => {
    await mkdir(path())
    await assert.rejects(openResults(path(), everyId), { code: 'BATCH_OUTPUT_INVALID' })
    await assert.rejects(openResults('/dev/full', everyId), { code: 'BATCH_OUTPUT_INVALID' })
  })

  it('must be in a folder that is there', async () => {
    await assert.rejects(openResults(join(folder(), 'none', 'out'), everyId), { code: 'BATCH_OUTPUT_NOT_WRITABLE' })
  })

  it('is never the input under another name', async () => {
    const input = join(folder(), 'in.jsonl')
    await writeFile(input, '')
    await symlink(input, join(folder(), 'symbolic'))
    await link(input, join(folder(), 'hard'))
    for (const output of [input, join(folder(), 'symbolic'), join(folder(), 'hard'), join(folder(), '.', 'in.jsonl')]) {
      await assert.rejects(requireDifferentFiles(input, output), { code: 'BATCH_SAME_FILE', errorClass: 'usage' })
    }
    await requireDifferentFiles(input, path())
  })
})
