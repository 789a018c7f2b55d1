import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CancelledError, NetworkError } from '../../../src/core/errors.ts'
import { useTempFolder } from '../../support/temp-folder.ts'
import { answerEvents, batchLine, doneLine } from './batch/batch-fixture.ts'
import { advertised } from './fake-node.ts'
import { MainRun } from './run-main.ts'

describe('cocoon-node submit', () => {
  const folder = useTempFolder()
  const output = (): string => join(folder(), 'out.jsonl')
  const nobody = (): NetworkError => new NetworkError('NO_PROVIDERS', 'nobody')

  /** A run of these lines over a mesh that answers. */
  async function batchOf(...lines: string[]): Promise<MainRun> {
    await writeFile(join(folder(), 'in.jsonl'), `${lines.join('\n')}\n`)
    const run = new MainRun(folder())
    run.node.answer = async function* () {
      yield* answerEvents('Hello')
    }
    return run
  }

  function submit(run: MainRun, ...options: string[]) {
    return run.run(['submit', join(folder(), 'in.jsonl'), '-o', output(), ...options])
  }

  /** What each line of the output came to. */
  async function results(): Promise<Record<string, string>> {
    const lines = (await readFile(output(), 'utf8')).split('\n').filter(line => line !== '')
    return Object.fromEntries(
      lines.map(line => {
        const { custom_id: id, error } = JSON.parse(line) as { custom_id: string; error: { code: string } | null }
        return [id, error?.code ?? 'ok']
      })
    )
  }

  const asked = (run: MainRun): Array<string | undefined> =>
    run.node.requests.map(({ messages }) => messages[0]?.content)

  it('runs where a provider publishes only after the first look for one', async () => {
    const run = await batchOf(batchLine('a'), batchLine('b'))
    run.node.search = () => Promise.reject(nobody())
    const { code, stderr } = await submit(run)
    assert.equal(code, 0, stderr.text)
    assert.deepEqual(await results(), { a: 'ok', b: 'ok' })
    assert.deepEqual(asked(run), ['question a', 'question b'])
  })

  it('looks again for a model that nobody advertised at first', async () => {
    const run = await batchOf(batchLine('a', { model: 'qwen' }), batchLine('b', { model: 'qwen' }))
    let looks = 0
    run.node.advertised = [advertised('Qwen', 0xab)]
    run.node.search = async () => {
      if (++looks < 3) {
        throw nobody()
      }
    }
    const { code, stderr } = await submit(run)
    assert.equal(code, 0, stderr.text)
    assert.deepEqual(await results(), { a: 'ok', b: 'ok' })
    assert.deepEqual(
      run.node.requests.map(({ modelDigestHex }) => modelDigestHex),
      ['ab'.repeat(32), 'ab'.repeat(32)]
    )
  })

  it('says of every job that nobody was found, keeps what was there, and tries them again next time', async () => {
    await writeFile(output(), `${doneLine('a')}\n`)
    const run = await batchOf(batchLine('a'), batchLine('b'), batchLine('c'))
    const { answer } = run.node
    run.node.search = () => Promise.reject(nobody())
    run.node.answer = async function* () {
      yield* []
      throw nobody()
    }
    const failed = await submit(run)
    assert.equal(failed.code, 5)
    assert.match(
      failed.stderr.text,
      /error BATCH_JOBS_FAILED: 2 job\(s\) failed[^\n]*run the same command again[^\n]*\n$/
    )
    assert.deepEqual(await results(), { a: 'ok', b: 'NO_PROVIDERS', c: 'NO_PROVIDERS' })

    run.node.requests.length = 0
    run.node.search = async () => undefined
    run.node.answer = answer
    const { code, stderr } = await submit(run)
    assert.equal(code, 0, stderr.text)
    assert.deepEqual(await results(), { a: 'ok', b: 'ok', c: 'ok' })
    assert.deepEqual(asked(run), ['question b', 'question c'])
  })

  it('stops at a failure to look that is another one, before it asks anything', async () => {
    const run = await batchOf(batchLine('a'))
    run.node.search = () => Promise.reject(new NetworkError('NO_PEERS', 'alone'))
    const { code, stderr } = await submit(run)
    assert.equal(code, 4)
    assert.match(stderr.text, /^error NO_PEERS: alone\n$/)
    assert.deepEqual([run.node.requests, await results()], [[], {}])
  })

  // A search that is interrupted may end in either way.
  for (const end of [() => new CancelledError(), nobody]) {
    it(`ends at Ctrl-C while it looks for somebody, even if that ends with ${end().code}`, async () => {
      await writeFile(output(), `${doneLine('a')}\n`)
      const run = await batchOf(batchLine('a'), batchLine('b'))
      run.node.search = async signal => {
        run.signals.emit('SIGINT')
        assert.equal(signal?.aborted, true)
        throw end()
      }
      run.node.answer = async function* (_request, signal) {
        yield* []
        signal?.throwIfAborted()
      }
      const { code, stderr } = await submit(run)
      assert.equal(code, 130)
      assert.match(stderr.text, /error CANCELLED: [^\n]*\n$/)
      assert.deepEqual(await results(), { a: 'ok' })
      assert.deepEqual(run.node.calls, ['start', 'stop'])
    })
  }

  it('ends at Ctrl-C while a job waits to be tried again, at once', async () => {
    const run = await batchOf(batchLine('a'), batchLine('b'))
    run.node.search = () => Promise.reject(nobody())
    run.node.answer = async function* () {
      yield* []
      throw nobody()
    }
    run.pause = async (_ms, signal) => {
      setImmediate(() => run.signals.emit('SIGINT'))
      await delay(60_000, undefined, { signal })
    }
    const { code, stderr } = await submit(run)
    assert.equal(code, 130)
    assert.match(stderr.text, /0 of 2 done and kept: run the same command again/)
    assert.match(stderr.text, /error CANCELLED: [^\n]*\n$/)
    assert.deepEqual(await results(), {})
    assert.deepEqual(run.node.calls, ['start', 'stop'])
  })

  it('seals and travels as it is told, notes it beside each answer, and says which were kept that did not', async () => {
    const run = await batchOf(batchLine('a'), batchLine('b'))
    const first = await submit(run, '--privacy', 'strict', '--suite', 'xwing')
    assert.equal(first.code, 0, first.stderr.text)
    assert.deepEqual([run.node.config?.client.privacy, run.node.config?.client.suite], ['strict', 'xwing'])
    assert.doesNotMatch(first.stderr.text, /travel|privacy/)
    const [line = ''] = (await readFile(output(), 'utf8')).split('\n')
    const { response } = JSON.parse(line) as { response: { body: { cocoon: { privacy: string; suite: string } } } }
    assert.deepEqual([response.body.cocoon.privacy, response.body.cocoon.suite], ['strict', 'xwing'])

    const more = await batchOf(batchLine('a'), batchLine('b'), batchLine('c'))
    const second = await submit(more, '--privacy', 'standard')
    assert.equal(second.code, 0, second.stderr.text)
    assert.match(
      second.stderr.text,
      /^2 finished answer\(s\) of the output came with privacy strict, suite xwing, and are not asked again; this run uses privacy standard, suite x25519\./m
    )
    assert.deepEqual(asked(more), ['question c'])
  })
})
