import assert from 'node:assert/strict'
import { decodeStatement } from '../../../src/attest/index.ts'
import { EnvironmentError } from '../../../src/core/errors.ts'
import { openEvidenceSource } from '../../../src/enclave/evidence/source.ts'
import { EnclaveProgram } from '../../../src/enclave/program.ts'
import type { Engine, GenerateEvent, LlamaEngineInit } from '../../../src/inference/index.ts'
import { EnclaveReply, EnclaveRequest } from '../../../src/wire/generated/enclave.ts'
import { SCRIPTED_LOAD, scriptedEngine } from '../../support/scripted-engine.ts'
import { PROVIDER_PEER_ID, sealQuestion } from '../../support/sealed-question.ts'
import { until } from '../../support/until.ts'

/** An engine that says `words`, then fails if it is told to. */
function scripted(words: string[], failure?: Error): Engine {
  return scriptedEngine(async function* (): AsyncGenerator<GenerateEvent> {
    yield { type: 'prompt', promptTokens: 3, cachedPromptTokens: 0 }
    for (const [index, text] of words.entries()) {
      yield { type: 'text', text, completionTokens: index + 1 }
    }
    if (failure !== undefined && asked++ > 0) {
      throw failure
    }
    yield { type: 'end', finishReason: 'stop', promptTokens: 3, completionTokens: words.length }
  })
}

/** The self-test asks first: only later questions fail. */
let asked = 0

const ATTEST = {
  peerId: PROVIDER_PEER_ID,
  globalId: -3,
  beaconHeight: 1,
  beaconHash: new Uint8Array(32),
  challenge: new Uint8Array()
}

describe('enclave program', () => {
  let program: EnclaveProgram
  let replies: EnclaveReply[]
  let opened: LlamaEngineInit[]
  let lastId: number

  function start(engine: Engine | Error): void {
    asked = 0
    replies = []
    opened = []
    lastId = 0
    program = new EnclaveProgram(
      {
        clock: { nowMs: () => 1_800_000_000_000 },
        openEngine: async init => {
          opened.push(init)
          if (engine instanceof Error) {
            throw engine
          }
          return engine
        },
        openEvidence: openEvidenceSource,
        send: reply => void replies.push(EnclaveReply.decode(reply))
      },
      { software: { version: '0.1.0', bundleDigest: new Uint8Array(32).fill(2) } }
    )
  }

  async function ask(body: Omit<EnclaveRequest, 'id'>): Promise<EnclaveReply> {
    const id = ++lastId
    program.handle(EnclaveRequest.encode({ id, ...body }))
    const last = (): EnclaveReply | undefined => replies.find(reply => reply.id === id && reply.chunk === undefined)
    await until(() => last() !== undefined)
    return last() as EnclaveReply
  }

  async function run(question: ReturnType<typeof sealQuestion>): Promise<EnclaveReply> {
    const { recipient, prices, ...job } = question.job
    return ask({ run: { ...job, ...recipient, ...prices } })
  }

  it('does nothing before it has a model', async () => {
    start(scripted(['x']))
    assert.equal((await ask({ attest: ATTEST })).failed?.code, 'ENCLAVE_NOT_LOADED')
  })

  it('tries the model before it calls it loaded', async () => {
    start(scripted(['']))
    assert.equal((await ask({ load: SCRIPTED_LOAD })).failed?.code, 'MODEL_SELF_TEST_FAILED')
    assert.equal((await ask({ attest: ATTEST })).failed?.code, 'ENCLAVE_NOT_LOADED')
  })

  it('leaves what the host did not say to the engine', async () => {
    start(scripted(['x']))
    await ask({ load: SCRIPTED_LOAD })
    assert.deepEqual(opened, [{ modelPath: '/m.gguf', gpu: 'auto' }])
  })

  it('loads one model only', async () => {
    start(scripted(['x']))
    assert.equal((await ask({ load: SCRIPTED_LOAD })).loaded?.name, 'scripted')
    assert.equal((await ask({ load: SCRIPTED_LOAD })).failed?.code, 'ENCLAVE_LOADED')
  })

  it('tells why a model did not load', async () => {
    start(new EnvironmentError('MODEL_TRUNCATED', 'cut'))
    const { failed } = await ask({ load: SCRIPTED_LOAD })
    assert.deepEqual({ ...failed }, { code: 'MODEL_TRUNCATED', message: 'cut', errorClass: 'environment' })
  })

  it('attests under the tier simulated, whoever asks', async () => {
    start(scripted(['x']))
    await ask({ load: SCRIPTED_LOAD })
    const { attested } = await ask({ attest: ATTEST })
    assert.equal(decodeStatement(attested?.statement ?? new Uint8Array()).tier, 'simulated')
  })

  it('refuses a challenge of another length', async () => {
    start(scripted(['x']))
    await ask({ load: SCRIPTED_LOAD })
    assert.equal(
      (await ask({ attest: { ...ATTEST, challenge: new Uint8Array(31) } })).failed?.code,
      'MESSAGE_MALFORMED'
    )
  })

  it('survives bytes that are no message, and messages that say nothing', async () => {
    start(scripted(['x']))
    program.handle(Uint8Array.of(255, 255, 255))
    await until(() => replies.length === 1)
    assert.equal(replies[0]?.failed?.code, 'MESSAGE_MALFORMED')
    assert.equal((await ask({})).failed?.code, 'MESSAGE_MALFORMED')
    assert.equal((await ask({ load: { ...SCRIPTED_LOAD, gpu: 'abacus' } })).failed?.code, 'MESSAGE_MALFORMED')
  })

  it('ignores grants and cancels of jobs it does not know', async () => {
    start(scripted(['x']))
    program.handle(EnclaveRequest.encode({ id: 99, cancel: {} }))
    program.handle(EnclaveRequest.encode({ id: 99, grant: { completionTokens: 5 } }))
    assert.equal((await ask({ load: SCRIPTED_LOAD })).loaded?.name, 'scripted')
    assert.ok(replies.every(reply => reply.id !== 99))
  })

  it('says nothing of the content when the engine breaks in the middle', async () => {
    start(scripted(['one', ' two'], new Error('while saying: one two')))
    await ask({ load: SCRIPTED_LOAD })
    const { attested } = await ask({ attest: ATTEST })
    asked = 1
    const { failed } = await run(
      sealQuestion(attested?.statement ?? new Uint8Array(), { messages: [{ role: 'user', content: 'q' }] })
    )
    assert.equal(failed?.code, 'ENCLAVE_FAILED')
    assert.ok(!failed.message.includes('two'))
    assert.equal((await ask({ inspect: {} })).inspection?.running, 0)
  })
})
