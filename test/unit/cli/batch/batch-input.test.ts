import assert from 'node:assert/strict'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { planBatch, readJobs } from '../../../../src/cli/batch/batch-input.ts'
import { useTempFolder } from '../../../support/temp-folder.ts'
import { batchLine } from './batch-fixture.ts'

describe('the input of a batch', () => {
  const folder = useTempFolder()

  async function file(...lines: string[]): Promise<string> {
    const path = join(folder(), 'in.jsonl')
    await writeFile(path, lines.join('\n'))
    return path
  }

  it('is read as a whole before anything is asked', async () => {
    const path = await file(batchLine('a'), '', batchLine('b', { model: 'other' }), ' \r')
    const plan = await planBatch(path)
    assert.deepEqual(
      [...plan.ids],
      [
        ['a', 1],
        ['b', 3]
      ]
    )
    assert.deepEqual([...plan.models], ['pocket', 'other'])
    assert.deepEqual(plan.invalid, [])
  })

  it('names malformed lines by number, and the others run', async () => {
    const path = await file('{bad', batchLine('a'), batchLine('b', { n: 2 }))
    const plan = await planBatch(path)
    assert.deepEqual(
      plan.invalid.map(({ line, code, customId }) => ({ line, code, customId })),
      [
        { line: 1, code: 'BATCH_LINE_INVALID', customId: undefined },
        { line: 3, code: 'BATCH_LINE_INVALID', customId: 'b' }
      ]
    )
    assert.match(plan.invalid[0]?.message ?? '', /^line 1: /)
    assert.deepEqual(await idsOf(path, plan), ['a'])
  })

  it('names a repeated id by both lines, and runs the first', async () => {
    const path = await file(batchLine('a'), batchLine('b'), batchLine('a'))
    const plan = await planBatch(path)
    assert.deepEqual(
      plan.invalid.map(({ line, code }) => ({ line, code })),
      [{ line: 3, code: 'BATCH_ID_DUPLICATE' }]
    )
    assert.match(plan.invalid[0]?.message ?? '', /line 3.*line 1/)
    assert.deepEqual(await idsOf(path, plan), ['a', 'b'])
  })

  it('may begin with a byte order mark and end its lines like Windows', async () => {
    const plan = await planBatch(await file(`\ufeff${batchLine('a')}\r`, `${batchLine('b')}\r`))
    assert.deepEqual([[...plan.ids.keys()], plan.invalid], [['a', 'b'], []])
  })

  it('gives only the jobs that are wanted', async () => {
    const path = await file(batchLine('a'), batchLine('b'))
    assert.deepEqual(await idsOf(path, await planBatch(path), id => id !== 'a'), ['b'])
  })

  it('gives no job that was not planned, when the file grows meanwhile', async () => {
    const path = await file(batchLine('a'), '')
    const plan = await planBatch(path)
    await appendFile(path, `${batchLine('late')}\n`)
    assert.deepEqual(await idsOf(path, plan), ['a'])
  })

  it('must be there and hold something', async () => {
    await assert.rejects(planBatch(join(folder(), 'none')), {
      code: 'BATCH_INPUT_UNREADABLE',
      errorClass: 'environment'
    })
    await assert.rejects(planBatch(folder()), { code: 'BATCH_INPUT_UNREADABLE' })
    await assert.rejects(planBatch(await file('', '')), { code: 'BATCH_INPUT_EMPTY', errorClass: 'usage' })
  })
})

async function idsOf(
  path: string,
  plan: Awaited<ReturnType<typeof planBatch>>,
  isWanted = (_id: string): boolean => true
): Promise<string[]> {
  const ids: string[] = []
  for await (const { customId } of readJobs(path, plan, isWanted)) {
    ids.push(customId)
  }
  return ids
}
