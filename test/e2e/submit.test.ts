import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCli } from '../support/cli-process.ts'
import { TestMesh } from '../support/test-mesh.ts'

interface ResultLine {
  custom_id: string
  response: {
    status_code: number
    body: { choices: Array<{ message: { content: string } }>; cocoon: { provider: string } }
  }
}

describe('a batch over several providers', function () {
  this.timeout(60_000)
  let mesh: TestMesh
  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cocoon-submit-'))
    mesh = await TestMesh.start()
    const oneSlot = { slots: 1 }
    await mesh.provider(oneSlot)
    await mesh.provider(oneSlot)
    await mesh.published()
  })
  after(async () => {
    await mesh.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it('keeps all of them busy and answers every line once', async () => {
    const home = await mesh.home()
    const input = join(folder, 'in.jsonl')
    const output = join(folder, 'out.jsonl')
    const ids = Array.from({ length: 6 }, (_, at) => `line-${at}`)
    const line = (id: string) =>
      JSON.stringify({
        custom_id: id,
        method: 'POST',
        url: '/v1/chat/completions',
        body: {
          model: 'pocket',
          messages: [{ role: 'user', content: 'Tell me a story about a fox.' }],
          max_tokens: 100
        }
      })
    await writeFile(input, ids.map(line).join('\n'))
    const outcome = await runCli(['submit', '--home', home, '--parallel', '2', input, '-o', output])
    assert.equal(outcome.code, 0, outcome.stderr)
    const results = (await readFile(output, 'utf8'))
      .trim()
      .split('\n')
      .map(text => JSON.parse(text) as ResultLine)
    assert.deepEqual(new Set(results.map(result => result.custom_id)), new Set(ids))
    assert.equal(results.length, ids.length)
    for (const { response } of results) {
      assert.equal(response.status_code, 200)
      assert.ok((response.body.choices[0]?.message.content ?? '').length > 40)
    }
    assert.equal(new Set(results.map(result => result.response.body.cocoon.provider)).size, 2)
  })
})
