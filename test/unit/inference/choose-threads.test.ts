import assert from 'node:assert/strict'
import { chooseThreads } from '../../../src/inference/choose-threads.ts'

async function choose(cores: number, speeds: number[]): Promise<{ threads: number; asked: number[] }> {
  const asked: number[] = []
  const threads = await chooseThreads(cores, async count => {
    asked.push(count)
    return speeds[count - 1] ?? 0
  })
  return { threads, asked }
}

describe('choosing threads', () => {
  it('stops at the first count that is slower', async () => {
    assert.deepEqual(await choose(8, [100, 180, 20, 900]), { threads: 2, asked: [1, 2, 3] })
  })

  it('does not take a second core for less than 5 %', async () => {
    assert.deepEqual(await choose(2, [100, 104]), { threads: 1, asked: [1, 2] })
  })

  it('asks for no more threads than cores, and never more than eight', async () => {
    assert.deepEqual(await choose(1, [100]), { threads: 1, asked: [1] })
    const { threads, asked } = await choose(
      64,
      Array.from({ length: 64 }, (_, i) => (i + 1) * 100)
    )
    assert.equal(threads, 8)
    assert.equal(asked.length, 8)
  })
})
