import assert from 'node:assert/strict'
import { CancelledError, EnvironmentError } from '../../../src/core/errors.ts'
import type { EnclaveEvent } from '../../../src/enclave/enclave.ts'
import { RunQueue } from '../../../src/enclave/run-queue.ts'

const chunk = (completionTokens: number): EnclaveEvent => ({
  type: 'chunk',
  sealed: new Uint8Array(),
  promptTokens: 1,
  cachedPromptTokens: 0,
  completionTokens
})
const ENDED: EnclaveEvent = {
  type: 'ended',
  receipt: new Uint8Array(),
  receiptSignature: new Uint8Array(),
  finishReason: 'stop'
}

describe('run queue', () => {
  let calls: string[]
  let queue: RunQueue

  beforeEach(() => {
    calls = []
    queue = new RunQueue({
      grant: total => void calls.push(`grant ${total}`),
      cancel: () => void calls.push('cancel'),
      onDone: () => void calls.push('done')
    })
  })

  async function read(): Promise<string[]> {
    const seen: string[] = []
    for await (const event of queue) {
      seen.push(event.type === 'chunk' ? String(event.completionTokens) : event.type)
    }
    return seen
  }

  it('hands on events in order, those before the reading and those after', async () => {
    queue.push(chunk(1))
    const reading = read()
    queue.push(chunk(2))
    await Promise.resolve()
    queue.push(ENDED)
    assert.deepEqual(await reading, ['1', '2', 'ended'])
    assert.deepEqual(calls, ['done'])
  })

  it('fails after the events that came before', async () => {
    queue.push(chunk(1))
    queue.fail(new EnvironmentError('ENCLAVE_DIED', 'gone'))
    const seen: EnclaveEvent[] = []
    await assert.rejects(
      async () => {
        for await (const event of queue) {
          seen.push(event)
        }
      },
      { code: 'ENCLAVE_DIED' }
    )
    assert.equal(seen.length, 1)
  })

  it('fails a reader that waits', async () => {
    const reading = assert.rejects(read(), { code: 'ENCLAVE_DIED' })
    await Promise.resolve()
    queue.fail(new EnvironmentError('ENCLAVE_DIED', 'gone'))
    await reading
  })

  it('is abandoned at once, and tells the enclave', async () => {
    queue.push(chunk(1))
    queue.abandon(new CancelledError())
    await assert.rejects(queue[Symbol.asyncIterator]().next(), { code: 'CANCELLED' })
    assert.deepEqual(calls, ['cancel', 'done'])
  })

  it('cancels when the reader leaves', async () => {
    queue.push(chunk(1))
    for await (const _ of queue) {
      break
    }
    assert.deepEqual(calls, ['cancel', 'done'])
  })

  it('bothers nobody once it has ended', async () => {
    queue.grant(9)
    queue.push(ENDED)
    await read()
    queue.grant(10)
    queue.cancel()
    assert.deepEqual(calls, ['grant 9', 'done'])
  })
})
