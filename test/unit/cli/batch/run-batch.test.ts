import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { BatchJob } from '../../../../src/cli/batch/batch-line.ts'
import { type BatchRunComponents, type BatchTally, runBatch } from '../../../../src/cli/batch/run-batch.ts'
import type { AnswerEvent, AskRequest } from '../../../../src/client/events.ts'
import {
  CancelledError,
  CocoonError,
  EnvironmentError,
  MoneyError,
  NetworkError,
  PeerError
} from '../../../../src/core/errors.ts'
import { until } from '../../../support/until.ts'
import { answerEvents } from './batch-fixture.ts'

const never = new AbortController().signal

function job(customId: string, model = 'pocket'): BatchJob {
  const request = { messages: [{ role: 'user' as const, content: customId }], maxTokens: 1 }
  return { line: 1, customId, body: { model, request } }
}

async function* jobsOf(...ids: string[]): AsyncGenerator<BatchJob> {
  for (const id of ids) {
    yield job(id)
  }
}

/** A mesh whose answers a test scripts: `answer` throws, waits or returns. */
class FakeMesh implements BatchRunComponents {
  readonly lines: Array<{ custom_id: string; error: { code: string } | null; response: object | null }> = []
  readonly asked: string[] = []
  readonly searches: string[] = []
  readonly pauses: number[] = []
  readonly clock = { nowMs: () => 5_000 }
  readonly sealing = { privacy: 'strict', suite: 'x25519' } as const
  running = 0
  mostRunning = 0
  tally: Readonly<BatchTally> | undefined
  answer: (question: string, signal: AbortSignal) => Promise<void> = async () => undefined
  append = async (line: string): Promise<void> => void this.lines.push(JSON.parse(line) as (typeof this.lines)[number])
  findModel: BatchRunComponents['findModel'] = async name => {
    this.searches.push(name)
    return { name, digestHex: 'ab'.repeat(32) }
  }

  async *ask(request: AskRequest, { signal }: { signal: AbortSignal }): AsyncGenerator<AnswerEvent> {
    const question = request.messages[0]?.content ?? ''
    this.asked.push(question)
    this.running++
    this.mostRunning = Math.max(this.mostRunning, this.running)
    try {
      await this.answer(question, signal)
      yield* answerEvents('an', 'swer')
    } finally {
      this.running--
    }
  }

  /** The first questions fail, each with one of these; the others are answered. */
  failFirst(...failures: Error[]): void {
    this.answer = async () => {
      const failure = failures.shift()
      if (failure !== undefined) {
        throw failure
      }
    }
  }

  async pause(ms: number): Promise<void> {
    this.pauses.push(ms)
  }

  onProgress(tally: Readonly<BatchTally>): void {
    this.tally = { ...tally }
  }

  get codes(): Record<string, string> {
    return Object.fromEntries(this.lines.map(line => [line.custom_id, line.error?.code ?? 'ok']))
  }
}

describe('a batch', () => {
  it('writes one OpenAI result a job and adds up what it cost', async () => {
    const mesh = new FakeMesh()
    const tally = await runBatch(jobsOf('a', 'b'), mesh, { parallel: 2 }, never)
    assert.deepEqual(tally, { answered: 2, failed: 0, completionTokens: 8, cost: 20n, paid: 24n })
    assert.deepEqual(mesh.tally, tally)
    assert.deepEqual(
      mesh.lines.find(line => line.custom_id === 'a'),
      {
        id: 'batch_req_0123456789abcdef0123456789abcdef',
        custom_id: 'a',
        response: {
          status_code: 200,
          request_id: '0123456789abcdef0123456789abcdef',
          body: {
            id: 'chatcmpl-0123456789abcdef0123456789abcdef',
            object: 'chat.completion',
            created: 5,
            model: 'pocket',
            choices: [
              { index: 0, message: { role: 'assistant', content: 'answer' }, logprobs: null, finish_reason: 'stop' }
            ],
            usage: {
              prompt_tokens: 5,
              completion_tokens: 4,
              total_tokens: 9,
              prompt_tokens_details: { cached_tokens: 2 }
            },
            cocoon: {
              model: 'ab'.repeat(32),
              provider: 'peer',
              tier: 'simulated',
              privacy: 'strict',
              suite: 'x25519',
              costNano: '10',
              paidNano: '12',
              receipt: '0123456789abcdef0123456789abcdef'
            }
          }
        },
        error: null
      }
    )
  })

  it('runs each job once and never more at once than allowed, in whatever order answers come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 0, max: 12 }),
        fc.integer({ min: 1, max: 5 }),
        async (scheduler, count, parallel) => {
          const mesh = new FakeMesh()
          mesh.answer = question => scheduler.schedule(Promise.resolve(), question)
          const ids = Array.from({ length: count }, (_, index) => `job ${index}`)
          await scheduler.waitFor(runBatch(jobsOf(...ids), mesh, { parallel }, never))
          assert.deepEqual(mesh.asked.toSorted(), ids.toSorted())
          assert.deepEqual(Object.keys(mesh.codes).toSorted(), ids.toSorted())
          assert.equal(mesh.mostRunning, Math.min(count, parallel))
        }
      ),
      { numRuns: 50 }
    )
  })

  it('tries again where a provider or the network fails, with growing pauses', async () => {
    const mesh = new FakeMesh()
    mesh.failFirst(new NetworkError('NO_OFFER', 'x'), new PeerError('PEER_SILENT', 'x'))
    await runBatch(jobsOf('a'), mesh, { parallel: 1 }, never)
    assert.deepEqual([mesh.codes, mesh.pauses], [{ a: 'ok' }, [1000, 2000]])
  })

  it('waits as long as a provider says that it makes no evidence for us', async () => {
    const mesh = new FakeMesh()
    const busyFor = (retryAfterMs: number) => new PeerError('ATTESTATION_BUSY', 'x', { details: { retryAfterMs } })
    mesh.failFirst(busyFor(40_000), busyFor(10))
    await runBatch(jobsOf('a'), mesh, { parallel: 1 }, never)
    assert.deepEqual([mesh.codes, mesh.pauses], [{ a: 'ok' }, [40_000, 2_000]])
  })

  it('gives a job up after its attempts, counts what was paid, and goes on', async () => {
    const mesh = new FakeMesh()
    mesh.answer = async question => {
      if (question === 'a') {
        throw new PeerError('STREAM_LOST', 'x', { details: { cost: 3n, paid: 5n } })
      }
    }
    const tally = await runBatch(jobsOf('a', 'b'), mesh, { parallel: 1 }, never)
    assert.deepEqual(mesh.codes, { a: 'STREAM_LOST', b: 'ok' })
    assert.deepEqual(mesh.asked, ['a', 'a', 'a', 'b'])
    assert.deepEqual(tally, { answered: 1, failed: 1, completionTokens: 4, cost: 19n, paid: 27n })
  })

  it('does not try again what can only fail again', async () => {
    const mesh = new FakeMesh()
    mesh.answer = async () => {
      throw new CocoonError('attestation', 'ATTESTATION_TIER_REFUSED', 'x')
    }
    await runBatch(jobsOf('a'), mesh, { parallel: 1 }, never)
    assert.deepEqual([mesh.codes, mesh.asked], [{ a: 'ATTESTATION_TIER_REFUSED' }, ['a']])
  })

  it('looks for a model once, and does not ask further where nobody has it', async () => {
    const mesh = new FakeMesh()
    await runBatch(jobsOf('a', 'b'), mesh, { parallel: 1 }, never)
    assert.deepEqual(mesh.searches, ['pocket'])

    const without = new FakeMesh()
    without.findModel = async name => {
      without.searches.push(name)
      throw new NetworkError('MODEL_NOT_FOUND', 'x')
    }
    await runBatch(jobsOf('a', 'b', 'c'), without, { parallel: 1, attempts: 2 }, never)
    assert.deepEqual(without.codes, { a: 'MODEL_NOT_FOUND', b: 'MODEL_NOT_FOUND', c: 'MODEL_NOT_FOUND' })
    assert.equal(without.searches.length, 2)
  })

  it('stops at what would fail every job, lets running ones end, and writes no line for it', async () => {
    const mesh = new FakeMesh()
    mesh.answer = async question => {
      if (question === 'broke') {
        throw new MoneyError('NOT_ENOUGH_BALANCE', 'x')
      }
      // Ends long after the other one has failed.
      await until(() => mesh.asked.includes('broke') && mesh.running === 1)
    }
    await assert.rejects(runBatch(jobsOf('slow', 'broke', 'later', 'latest'), mesh, { parallel: 2 }, never), {
      code: 'NOT_ENOUGH_BALANCE'
    })
    assert.deepEqual(mesh.codes, { slow: 'ok' })
    assert.deepEqual(mesh.asked, ['slow', 'broke'])
  })

  it('ends running answers when results cannot be kept', async () => {
    const mesh = new FakeMesh()
    const cancelled: string[] = []
    mesh.answer = async (question, signal) => {
      if (question === 'slow') {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new CancelledError()))).finally(
          () => cancelled.push(question)
        )
      }
    }
    mesh.append = async () => {
      throw new EnvironmentError('DISK_FULL', 'x')
    }
    await assert.rejects(runBatch(jobsOf('slow', 'a', 'b'), mesh, { parallel: 2 }, never), { code: 'DISK_FULL' })
    assert.deepEqual([cancelled, mesh.asked], [['slow'], ['slow', 'a']])
  })

  it('keeps what is done at Ctrl-C and writes nothing for what was not', async () => {
    const mesh = new FakeMesh()
    const controller = new AbortController()
    mesh.answer = async question => {
      if (question === 'b') {
        controller.abort(new CancelledError())
        // What an interrupted answer fails with is not always that it was.
        throw new PeerError('STREAM_LOST', 'x')
      }
    }
    await assert.rejects(runBatch(jobsOf('a', 'b', 'c'), mesh, { parallel: 1 }, controller.signal), {
      code: 'STREAM_LOST'
    })
    assert.deepEqual([mesh.codes, mesh.asked], [{ a: 'ok' }, ['a', 'b']])
  })
})
