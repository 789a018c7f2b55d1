import assert from 'node:assert/strict'
import { gpuNonce } from '../../../src/attest/gpu-nonce.ts'
import { decodeStatement } from '../../../src/attest/index.ts'
import { toHex } from '../../../src/core/bytes.ts'
import { EnvironmentError } from '../../../src/core/errors.ts'
import { EPOCH_MS, type Epoch, Epochs, type StatementFacts } from '../../../src/enclave/epoch.ts'
import { enclaveKeyId, recipientHint, SEAL_SUITES, type SealSuite } from '../../../src/seal/index.ts'

const HASH = '11'.repeat(32)
const FACTS: StatementFacts = {
  tier: 'simulated',
  peerId: '12D3KooWaaaaaaaaaaaa',
  modelDigests: [HASH],
  configDigest: HASH,
  software: { version: '0.1.0', bundleDigest: HASH },
  bootId: '22'.repeat(16),
  beacon: { globalId: -3, height: 5, hash: HASH }
}
const JOB_ID = new Uint8Array(16).fill(6)

function hintOf(epoch: Epoch, suite: SealSuite = 'x25519'): Uint8Array {
  return recipientHint(enclaveKeyId(epoch.keys[suite].keyPair.publicKey), JOB_ID)
}

describe('epochs of keys', () => {
  let nowMs: number
  let epochs: Epochs

  beforeEach(() => {
    nowMs = 1_800_000_000_000
    epochs = new Epochs({ nowMs: () => nowMs })
  })

  it('states keys that it holds, for one hour', () => {
    const { statement, statementBytes, keys } = epochs.current(FACTS)
    assert.deepEqual(decodeStatement(statementBytes), statement)
    assert.equal(statement.hpkeKey, toHex(keys.x25519.keyPair.publicKey))
    assert.equal(statement.xwingKeyId, toHex(enclaveKeyId(keys.xwing.keyPair.publicKey)))
    assert.equal(statement.notBeforeMs, nowMs)
    assert.equal(statement.notAfterMs, nowMs + EPOCH_MS)
  })

  it('keeps one statement for half of its life, whatever block is newest', () => {
    const first = epochs.current(FACTS)
    nowMs += EPOCH_MS / 2 - 1
    assert.equal(epochs.current({ ...FACTS, beacon: { ...FACTS.beacon, height: 99 } }), first)
  })

  it('makes new keys when half of its life is over, and still opens what was sealed to the old ones', () => {
    const first = epochs.current(FACTS)
    nowMs += EPOCH_MS / 2
    const second = epochs.current(FACTS)
    for (const suite of SEAL_SUITES) {
      assert.notEqual(toHex(second.keys[suite].keyId), toHex(first.keys[suite].keyId))
    }
    assert.notEqual(second.statement.receiptKey, first.statement.receiptKey)
    for (const epoch of [first, second]) {
      for (const suite of SEAL_SUITES) {
        assert.deepEqual(epochs.addressed(JOB_ID, hintOf(epoch, suite)), { epoch, key: epoch.keys[suite] })
      }
    }
  })

  it('forgets and wipes keys when their statement expires', () => {
    const first = epochs.current(FACTS)
    const hint = hintOf(first)
    const enc = { x25519: new Uint8Array(32).fill(9), xwing: new Uint8Array(1_120).fill(9) }
    SEAL_SUITES.forEach(suite => first.keys[suite].keyPair.decapsulate(enc[suite]))
    nowMs += EPOCH_MS
    assert.throws(() => epochs.addressed(JOB_ID, hint), { code: 'SEAL_WRONG_RECIPIENT' })
    assert.equal(epochs.size, 0)
    for (const suite of SEAL_SUITES) {
      assert.throws(() => first.keys[suite].keyPair.decapsulate(enc[suite]), { code: 'SEAL_KEY_WIPED' })
    }
  })

  it('makes a new statement for another peer or network', () => {
    const first = epochs.current(FACTS)
    const second = epochs.current({ ...FACTS, peerId: '12D3KooWbbbbbbbbbbbb' })
    assert.notEqual(second, first)
    assert.notEqual(epochs.current({ ...FACTS, beacon: { ...FACTS.beacon, globalId: -239 } }), second)
  })

  it('names GPUs that answered a nonce over all the rest, asked once for calls at once', async () => {
    const asked: Uint8Array[] = []
    const askGpus = async (nonce: Uint8Array) => {
      asked.push(nonce)
      await new Promise(setImmediate)
      return { gpus: [], rims: [], digests: ['ab'.repeat(32)] }
    }
    const [first, second] = await Promise.all([
      epochs.currentWithGpus(FACTS, askGpus),
      epochs.currentWithGpus(FACTS, askGpus)
    ])
    assert.equal(first, second)
    assert.deepEqual(first.statement.gpuEvidence, ['ab'.repeat(32)])
    assert.deepEqual(asked.map(toHex), [toHex(gpuNonce(first.statement))])
  })

  it('makes no statement that GPUs did not answer, and asks them again the next time', async () => {
    await assert.rejects(
      epochs.currentWithGpus(FACTS, async () => {
        throw new EnvironmentError('EVIDENCE_GPU_FAILED', 'No answer')
      }),
      { code: 'EVIDENCE_GPU_FAILED' }
    )
    assert.equal(epochs.size, 0)
    const { statement } = await epochs.currentWithGpus(FACTS, async () => ({ gpus: [], rims: [], digests: [] }))
    assert.deepEqual(statement.gpuEvidence, [])
  })

  it('refuses a hint of somebody else', () => {
    epochs.current(FACTS)
    assert.throws(() => epochs.addressed(JOB_ID, new Uint8Array(8)), { code: 'SEAL_WRONG_RECIPIENT' })
  })
})
