import assert from 'node:assert/strict'
import { decodeStatement } from '../../../src/attest/index.ts'
import { toHex } from '../../../src/core/bytes.ts'
import { EPOCH_MS, type Epoch, Epochs, type StatementFacts } from '../../../src/enclave/epoch.ts'
import { enclaveKeyId, recipientHint } from '../../../src/seal/index.ts'

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

function hintOf(epoch: Epoch): Uint8Array {
  return recipientHint(enclaveKeyId(epoch.hpke.publicKey), JOB_ID)
}

describe('epochs of keys', () => {
  let nowMs: number
  let epochs: Epochs

  beforeEach(() => {
    nowMs = 1_800_000_000_000
    epochs = new Epochs({ nowMs: () => nowMs })
  })

  it('states keys that it holds, for one hour', () => {
    const { statement, statementBytes, hpke } = epochs.current(FACTS)
    assert.deepEqual(decodeStatement(statementBytes), statement)
    assert.equal(statement.hpkeKey, toHex(hpke.publicKey))
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
    assert.notEqual(toHex(second.hpke.publicKey), toHex(first.hpke.publicKey))
    assert.notEqual(second.statement.receiptKey, first.statement.receiptKey)
    assert.equal(epochs.addressed(JOB_ID, hintOf(first)), first)
    assert.equal(epochs.addressed(JOB_ID, hintOf(second)), second)
  })

  it('forgets keys when their statement expires', () => {
    const first = epochs.current(FACTS)
    const hint = hintOf(first)
    nowMs += EPOCH_MS
    assert.throws(() => epochs.addressed(JOB_ID, hint), { code: 'SEAL_WRONG_RECIPIENT' })
    assert.equal(epochs.size, 0)
  })

  it('makes a new statement for another peer or network', () => {
    const first = epochs.current(FACTS)
    const second = epochs.current({ ...FACTS, peerId: '12D3KooWbbbbbbbbbbbb' })
    assert.notEqual(second, first)
    assert.notEqual(epochs.current({ ...FACTS, beacon: { ...FACTS.beacon, globalId: -239 } }), second)
  })

  it('refuses a hint of somebody else', () => {
    epochs.current(FACTS)
    assert.throws(() => epochs.addressed(JOB_ID, new Uint8Array(8)), { code: 'SEAL_WRONG_RECIPIENT' })
  })
})
