import assert from 'node:assert/strict'
import { decodeStatement, SIMNET_POLICY, verifyAttestation } from '../../src/attest/index.ts'
import { toHex } from '../../src/core/bytes.ts'
import { type Logger, silentLogger } from '../../src/core/logger.ts'
import { tokenCost } from '../../src/core/price.ts'
import { type Enclave, type SpawnEnclaveInit, spawnEnclave } from '../../src/enclave/index.ts'
import { defaultModelPath, type Engine, openLlamaEngine } from '../../src/inference/index.ts'
import { AnswerChain } from '../../src/seal/index.ts'
import type { JobRequest } from '../../src/wire/job-request.ts'
import { type OpenedAnswer, openAnswer, PRICES, PROVIDER_PEER_ID, sealQuestion } from '../support/sealed-question.ts'
import { sharedPath } from '../support/shared-data.ts'
import { until } from '../support/until.ts'

const FOX: JobRequest = {
  messages: [{ role: 'user', content: 'Tell me a story about a fox.' }],
  maxTokens: 200,
  temperature: 0
}
const ask = (content: string): JobRequest => ({ ...FOX, messages: [{ role: 'user', content }] })

function spawn(more: Partial<SpawnEnclaveInit> = {}): Promise<Enclave> {
  return spawnEnclave({ modelPath: defaultModelPath(), threads: 1, gpu: 'off', logger: silentLogger, ...more })
}

async function attest(enclave: Enclave): Promise<Uint8Array> {
  const { statement } = await enclave.attest({
    peerId: PROVIDER_PEER_ID,
    globalId: -3,
    beaconHeight: 5,
    beaconHash: new Uint8Array(32).fill(1)
  })
  return statement
}

async function inProcess(engine: Engine, request: JobRequest): Promise<string> {
  let text = ''
  for await (const event of engine.generate({ ...request, maxTokens: request.maxTokens ?? 100 })) {
    text += event.type === 'text' ? event.text : ''
  }
  return text
}

describe('enclave process', function () {
  this.timeout(30_000)
  let enclave: Enclave
  let engine: Engine
  let statement: Uint8Array
  const stderrWarnings: string[] = []

  before(async () => {
    const logger: Logger = { ...silentLogger, warn: message => void stderrWarnings.push(message) }
    enclave = await spawn({ logger, slots: 3 })
    engine = await openLlamaEngine({ modelPath: defaultModelPath(), threads: 1, slots: 1, gpu: 'off' })
    statement = await attest(enclave)
  })
  after(async () => {
    await engine.close()
    await enclave.stop()
  })

  async function answer(request: JobRequest): Promise<OpenedAnswer> {
    const question = sealQuestion(statement, request)
    return openAnswer(statement, question, enclave.run(question.job))
  }

  it('says what it loaded and how fast it is', () => {
    const { info } = enclave
    assert.equal(toHex(info.model.digest), toHex(engine.model.digest))
    assert.deepEqual({ ...info.model, digest: undefined }, { ...engine.model, digest: undefined })
    assert.equal(info.backend, 'cpu')
    assert.equal(info.slots, 3)
    assert.equal(info.threads, 1)
    assert.ok(info.tokensPerSecond > 10)
    assert.notEqual(info.pid, process.pid)
  })

  it('attests keys that a simnet client accepts', async () => {
    const input = { peerId: PROVIDER_PEER_ID, globalId: -3, beaconHeight: 5, beaconHash: new Uint8Array(32).fill(1) }
    const challenge = new Uint8Array(32).fill(4)
    const fresh = await enclave.attest({ ...input, challenge })
    assert.deepEqual(fresh.statement, statement)
    const verified = await verifyAttestation({
      ...fresh,
      challenge,
      peerSignature: new Uint8Array(64),
      expectedPeerId: decodeStatement(statement).peerId,
      verifyPeerSignature: () => true,
      policy: SIMNET_POLICY,
      nowMs: Date.now()
    })
    assert.equal(verified.tier, 'simulated')
    assert.deepEqual(verified.modelDigests.map(toHex), [toHex(engine.model.digest)])
    assert.equal(verified.statement.software.bundleDigest, toHex(enclave.info.bundleDigest))
  })

  it('answers a sealed question exactly as the engine does in process', async () => {
    const opened = await answer(FOX)
    assert.equal(opened.text, await inProcess(engine, FOX))
    assert.equal(opened.finishReason, 'stop')
    assert.ok(opened.usage.completionTokens > 20)
  })

  it('sends frames of one size, the first with one token, none with more than 32', async () => {
    const { chunks } = await answer(FOX)
    assert.deepEqual(new Set(chunks.map(chunk => chunk.bytes)).size, 1)
    assert.equal(chunks[0]?.completionTokens, 1)
    chunks.reduce((before, { completionTokens }) => {
      assert.ok(completionTokens - before <= 32)
      return completionTokens
    }, 0)
  })

  it('signs a receipt for this request, these frames, this model and this price', async () => {
    const question = sealQuestion(statement, { ...FOX, temperature: 0.25, topP: 0.5, seed: 7 })
    const chain = new AnswerChain(question.job.jobId)
    const run = enclave.run(question.job)
    const tapped = {
      grant: (tokens: number) => run.grant(tokens),
      cancel: () => run.cancel(),
      async *[Symbol.asyncIterator]() {
        for await (const event of run) {
          if (event.type === 'chunk') {
            chain.add(event.sealed)
          }
          yield event
        }
      }
    }
    const { receipt, usage } = await openAnswer(statement, question, tapped)
    assert.equal(receipt.jobId, toHex(question.job.jobId))
    assert.equal(receipt.answerDigest, toHex(chain.value))
    assert.equal(receipt.modelDigest, toHex(engine.model.digest))
    assert.deepEqual(receipt.sampling, { maxTokens: 200, temperatureMilli: 250, topPMilli: 500, seed: 7 })
    assert.equal(receipt.completionTokens, usage.completionTokens)
    assert.equal(receipt.cost, String(tokenCost(PRICES, usage)))
    assert.equal(receipt.openedLt, '42')
    assert.equal(receipt.providerPeerId, decodeStatement(statement).peerId)
  })

  it('keeps to the smaller of both token limits', async () => {
    const byHost = sealQuestion(statement, FOX, { maxCompletionTokens: 7 })
    assert.equal((await openAnswer(statement, byHost, enclave.run(byHost.job))).usage.completionTokens, 7)
    const byClient = await answer({ ...FOX, maxTokens: 5 })
    assert.equal(byClient.usage.completionTokens, 5)
    assert.equal(byClient.finishReason, 'length')
  })

  it('makes no token that was not granted', async () => {
    const question = sealQuestion(statement, { ...FOX, maxTokens: 20 }, { grantedTokens: 3 })
    const run = enclave.run(question.job)
    const seen: number[] = []
    const opening = openAnswer(statement, question, run, tokens => void seen.push(tokens))
    await until(() => seen.at(-1) === 3)
    // Another answer of many tokens comes and goes; this one stays where it is.
    assert.ok((await answer(FOX)).usage.completionTokens > 20)
    assert.equal(seen.at(-1), 3)
    run.grant(20)
    const opened = await opening
    assert.equal(opened.usage.completionTokens, 20)
  })

  it('cancels with a receipt for what was delivered, and frees the slot', async () => {
    const question = sealQuestion(statement, FOX, { grantedTokens: 4 })
    const run = enclave.run(question.job)
    const opened = await openAnswer(statement, question, run, tokens => {
      if (tokens === 4) {
        run.cancel()
      }
    })
    assert.equal(opened.finishReason, 'cancelled')
    assert.equal(opened.receipt.finishReason, 'cancelled')
    assert.equal(opened.receipt.completionTokens, 4)
    await until(async () => (await enclave.inspect()).running === 0)
  })

  it('throws at once when the signal fires, and when the reader leaves it stops too', async () => {
    const abort = new AbortController()
    const aborted = sealQuestion(statement, FOX, { grantedTokens: 2 })
    await assert.rejects(
      openAnswer(statement, aborted, enclave.run(aborted.job, { signal: abort.signal }), () => abort.abort()),
      { code: 'CANCELLED' }
    )
    const left = sealQuestion(statement, FOX, { grantedTokens: 2 })
    for await (const _ of enclave.run(left.job)) {
      break
    }
    await until(async () => (await enclave.inspect()).running === 0)
  })

  it('runs three answers at once, each as if alone', async () => {
    const questions = ['Tell me a story about a fox.', 'What is Cocoon?', 'Tell me a story about a cat.']
    const together = await Promise.all(questions.map(question => answer(ask(question))))
    const alone: string[] = []
    for (const question of questions) {
      alone.push(await inProcess(engine, ask(question)))
    }
    assert.deepEqual(
      together.map(opened => opened.text),
      alone
    )
  })

  describe('refuses, and lives on', () => {
    const cases: Array<[string, string, (q: ReturnType<typeof sealQuestion>) => void]> = [
      ['a forged request', 'SEAL_OPEN_FAILED', q => q.job.sealedRequest.set([255], 100)],
      ['a request of a size that is none', 'SEAL_REQUEST_SIZE', q => void (q.job.sealedRequest = new Uint8Array(1000))],
      ['a request to another key', 'SEAL_WRONG_RECIPIENT', q => q.job.recipient.hint.fill(0)],
      ['a wrapped key that is none', 'SEAL_OPEN_FAILED', q => q.job.recipient.wrappedKey.fill(0)],
      [
        'an encapsulated key of the wrong length',
        'SEAL_LENGTH_INVALID',
        q => void (q.job.recipient.enc = new Uint8Array(3))
      ],
      ['a job that allows no token', 'JOB_REQUEST_INVALID', q => void (q.job.maxCompletionTokens = 0)]
    ]
    for (const [name, code, spoil] of cases) {
      it(name, async () => {
        const question = sealQuestion(statement, FOX)
        spoil(question)
        await assert.rejects(openAnswer(statement, question, enclave.run(question.job)), { code, errorClass: 'peer' })
      })
    }

    it('a body that is no request, without a word of it', async () => {
      const question = sealQuestion(statement, Buffer.from('{"messages":[],"canary":1}'))
      await assert.rejects(
        openAnswer(statement, question, enclave.run(question.job)),
        (err: Error & { code?: string }) => err.code === 'JOB_REQUEST_INVALID' && !err.message.includes('canary')
      )
    })

    it('a replayed request', async () => {
      const question = sealQuestion(statement, { ...FOX, maxTokens: 2 })
      await openAnswer(statement, question, enclave.run(question.job))
      await assert.rejects(openAnswer(statement, question, enclave.run(question.job)), {
        code: 'SEAL_REPLAYED',
        errorClass: 'peer'
      })
    })

    it('a prompt that does not fit, without a word of it', async () => {
      const question = sealQuestion(statement, ask('canary '.repeat(2000)))
      await assert.rejects(
        openAnswer(statement, question, enclave.run(question.job)),
        (err: Error & { code?: string }) => err.code === 'PROMPT_TOO_LONG' && !err.message.includes('canary')
      )
    })

    after(async () => {
      assert.equal((await answer(FOX)).finishReason, 'stop')
    })
  })

  it('ignores the signals of a terminal and of the debugger, silently', async () => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'] as const) {
      process.kill(enclave.info.pid, signal)
    }
    assert.equal((await answer(FOX)).finishReason, 'stop')
    assert.deepEqual(stderrWarnings, [])
  })

  it('reports its memory', async () => {
    const { rssBytes, running } = await enclave.inspect()
    assert.ok(rssBytes > 20e6 && rssBytes < 1e9)
    assert.equal(running, 0)
  })

  it('rejects every run under way when it dies, and tells the host once', async () => {
    let exits = 0
    const mortal = await spawn({ slots: 1, onExit: () => void exits++ })
    const own = await attest(mortal)
    const first = sealQuestion(own, FOX, { grantedTokens: 2 })
    const second = sealQuestion(own, FOX)
    const runs = Promise.all(
      [first, second].map(question =>
        assert.rejects(openAnswer(own, question, mortal.run(question.job)), { code: 'ENCLAVE_DIED' })
      )
    )
    process.kill(mortal.info.pid, 'SIGKILL')
    await runs
    await assert.rejects(mortal.inspect(), { code: 'ENCLAVE_DIED' })
    const late = sealQuestion(own, FOX)
    await assert.rejects(openAnswer(own, late, mortal.run(late.job)), { code: 'ENCLAVE_DIED' })
    assert.equal(exits, 1)
    await mortal.stop()
  })

  it('stops in order: runs end with a code, the process is gone, nobody is alarmed', async () => {
    let exits = 0
    const mortal = await spawn({ slots: 1, onExit: () => void exits++ })
    const own = await attest(mortal)
    const question = sealQuestion(own, FOX, { grantedTokens: 2 })
    const run = assert.rejects(openAnswer(own, question, mortal.run(question.job)), { code: 'ENCLAVE_STOPPED' })
    await mortal.stop()
    await run
    assert.throws(() => process.kill(mortal.info.pid, 0), { code: 'ESRCH' })
    assert.equal(exits, 0)
  })

  it('runs a foreign model', async function () {
    const modelPath = sharedPath('models', 'stories260K.gguf')
    if (modelPath === undefined) {
      this.skip()
    }
    const stories = await spawn({ modelPath, slots: 1 })
    try {
      const own = await attest(stories)
      const question = sealQuestion(own, { ...ask('Once upon a time, there was a'), maxTokens: 40 })
      const { text, finishReason } = await openAnswer(own, question, stories.run(question.job))
      assert.match(text, /[a-z]+ [a-z]+/)
      assert.equal(finishReason, 'length')
    } finally {
      await stories.stop()
    }
  })

  const bad: Array<[string, Partial<SpawnEnclaveInit>, string]> = [
    ['a missing model', { modelPath: '/nowhere/model.gguf' }, 'MODEL_NOT_FOUND'],
    ['a file that is no model', { modelPath: process.execPath }, 'MODEL_NOT_GGUF'],
    ['a program that is none', { entry: '/nowhere/main.js' }, 'ENCLAVE_DIED']
  ]
  for (const [name, init, code] of bad) {
    it(`does not start with ${name}`, async () => {
      await assert.rejects(spawn(init), { code, errorClass: 'environment' })
    })
  }
})
