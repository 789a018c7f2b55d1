import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { EPOCH_MS, Epochs, type StatementFacts } from '../../../src/enclave/epoch.ts'
import { openEvidenceSource } from '../../../src/enclave/evidence/source.ts'
import { EnclaveProgram } from '../../../src/enclave/program.ts'
import type { Engine, GenerateEvent, GenerateOptions } from '../../../src/inference/index.ts'
import { SEAL_SUITES } from '../../../src/seal/index.ts'
import { EnclaveReply, EnclaveRequest } from '../../../src/wire/generated/enclave.ts'
import { SCRIPTED_LOAD, scriptedEngine } from '../../support/scripted-engine.ts'
import { PROVIDER_PEER_ID, type SealedQuestion, sealQuestion } from '../../support/sealed-question.ts'
import { until } from '../../support/until.ts'

/** An engine that answers its self-test, and nobody after it before the signal fires. */
function stuckEngine(): Engine {
  let selfTested = false
  return scriptedEngine(async function* (_request, { signal }: GenerateOptions = {}): AsyncGenerator<GenerateEvent> {
    if (selfTested) {
      await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)))
    }
    selfTested = true
    yield { type: 'text', text: 'x', completionTokens: 1 }
    yield { type: 'end', finishReason: 'stop', promptTokens: 1, completionTokens: 1 }
  })
}

describe('what an enclave holds at most', () => {
  let program: EnclaveProgram
  let replies: Map<number, EnclaveReply>
  let lastId: number
  let statement: Uint8Array

  beforeEach(async () => {
    replies = new Map()
    lastId = 0
    program = new EnclaveProgram(
      {
        clock: { nowMs: () => 1_800_000_000_000 },
        openEngine: async () => stuckEngine(),
        openEvidence: openEvidenceSource,
        send: bytes => {
          const reply = EnclaveReply.decode(bytes)
          replies.set(reply.id, reply)
        }
      },
      { software: { version: '0.1.0', bundleDigest: new Uint8Array(32) } }
    )
    await ask({ load: SCRIPTED_LOAD })
    const input = { peerId: PROVIDER_PEER_ID, globalId: -3, beaconHeight: 1, beaconHash: new Uint8Array(32) }
    const { attested } = await ask({ attest: { ...input, challenge: new Uint8Array() } })
    statement = attested?.statement ?? new Uint8Array()
  })

  async function ask(body: Omit<EnclaveRequest, 'id'>): Promise<EnclaveReply> {
    const id = send(body)
    await until(() => replies.has(id))
    return replies.get(id) as EnclaveReply
  }

  function send(body: Omit<EnclaveRequest, 'id'>): number {
    program.handle(EnclaveRequest.encode({ id: ++lastId, ...body }))
    return lastId
  }

  function start({ job }: SealedQuestion): number {
    const { recipient, prices, ...rest } = job
    return send({ run: { ...rest, ...recipient, ...prices } })
  }

  async function running(): Promise<number | undefined> {
    return (await ask({ inspect: {} })).inspection?.running
  }

  function codes(): Set<string | undefined> {
    return new Set([...replies.values()].flatMap(({ failed }) => (failed === undefined ? [] : [failed.code])))
  }

  it('512 jobs, whatever its host sends; those that end make room', async () => {
    const question = (): SealedQuestion => sealQuestion(statement, { messages: [{ role: 'user', content: 'q' }] })
    const ids = Array.from({ length: 2_000 }, () => start(question()))
    await until(() => codes().size > 0)
    assert.equal(await running(), 512)
    assert.deepEqual([...codes()], ['ENCLAVE_FULL'])
    ids.forEach(id => program.handle(EnclaveRequest.encode({ id, cancel: {} })))
    await until(async () => (await running()) === 0)
    start(question())
    assert.equal(await running(), 1)
  }).timeout(20_000)

  it('64 MiB of sealed requests', async () => {
    const content = randomBytes(1.5e6).toString('hex')
    const large = (): SealedQuestion => sealQuestion(statement, { messages: [{ role: 'user', content }] })
    const ids = Array.from({ length: 18 }, () => start(large()))
    assert.equal(await running(), 16)
    assert.deepEqual([...codes()], ['ENCLAVE_FULL'])
    ids.forEach(id => program.handle(EnclaveRequest.encode({ id, cancel: {} })))
    await until(async () => (await running()) === 0)
  }).timeout(20_000)
})

describe("what an enclave's keys outlive", () => {
  const FACTS: StatementFacts = {
    tier: 'simulated',
    peerId: '12D3KooWaaaaaaaaaaaa',
    modelDigests: ['11'.repeat(32)],
    configDigest: '11'.repeat(32),
    software: { version: '0.1.0', bundleDigest: '11'.repeat(32) },
    bootId: '22'.repeat(16),
    beacon: { globalId: -3, height: 5, hash: '11'.repeat(32) }
  }

  function isWiped(epoch: ReturnType<Epochs['current']>): boolean {
    return SEAL_SUITES.every(suite => {
      try {
        epoch.keys[suite].keyPair.decapsulate(new Uint8Array(suite === 'x25519' ? 32 : 1_120).fill(9))
        return false
      } catch (err) {
        return (err as { code?: string }).code === 'SEAL_KEY_WIPED'
      }
    })
  }

  it('no more than eight statements: the oldest is wiped when a host asks for ever new ones', () => {
    const epochs = new Epochs({ nowMs: () => 1_800_000_000_000 })
    const made = Array.from({ length: 20 }, (_, at) =>
      epochs.current({ ...FACTS, peerId: `12D3KooWaaaaaaaaaaa${'abcdefghijkmnopqrstuv'[at]}` })
    )
    assert.equal(epochs.size, 8)
    assert.deepEqual(made.map(isWiped), [...Array<boolean>(12).fill(true), ...Array<boolean>(8).fill(false)])
  })

  it('their hour, also where nobody asks for anything afterwards', () => {
    const real = globalThis.setTimeout
    const timers: Array<{ call: () => void; ms: number | undefined }> = []
    const kept = (call: () => void, ms?: number): object => ({ unref: () => void timers.push({ call, ms }) })
    globalThis.setTimeout = kept as unknown as typeof setTimeout
    try {
      let nowMs = 1_800_000_000_000
      const epoch = new Epochs({ nowMs: () => nowMs }).current(FACTS)
      nowMs += EPOCH_MS
      assert.ok(!isWiped(epoch))
      assert.deepEqual(
        timers.map(({ ms }) => ms),
        [EPOCH_MS]
      )
      timers.forEach(({ call }) => call())
      assert.ok(isWiped(epoch))
    } finally {
      globalThis.setTimeout = real
    }
  })
})
