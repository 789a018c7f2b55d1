import assert from 'node:assert/strict'
import { SIMNET_POLICY, verifyAttestation } from '../../../src/attest/index.ts'
import type { AttestReply } from '../../../src/wire/attest-exchange.ts'
import { PEER_ID, verifyPeerSignature } from '../attest/fixtures.ts'
import { FakeAttester, HPKE_KEY, recipientOf } from './provider-fixture.ts'

const OTHER_KEY = new Uint8Array(32).fill(0x44)
const JOB_ID = new Uint8Array(16).fill(3)

function verify(reply: AttestReply, nowMs: number, challenge?: Uint8Array) {
  return verifyAttestation({
    ...reply,
    ...(challenge === undefined ? {} : { challenge }),
    expectedPeerId: PEER_ID,
    verifyPeerSignature,
    policy: SIMNET_POLICY,
    nowMs,
    chainView: { globalId: -3, height: 1_000, beaconHash: 'ee'.repeat(32) }
  })
}

describe('enclave identity', () => {
  it('is not there before the first statement', () => {
    assert.throws(() => new FakeAttester().identity().current, { code: 'ENCLAVE_NOT_ATTESTED' })
  })

  it('asks for a statement bound to the newest block, and co-signs it so that a client accepts it', async () => {
    const attester = new FakeAttester()
    const identity = attester.identity()
    assert.equal(await identity.refresh(), true)
    assert.deepEqual(attester.calls, [
      { peerId: Uint8Array.of(1, 2), globalId: -3, beaconHeight: 1_000, beaconHash: new Uint8Array(32).fill(0xee) }
    ])
    const enclave = await verify(identity.current, attester.clock.nowMs())
    assert.deepEqual(enclave.statementDigest, identity.current.digest)
    assert.equal(identity.current.tier, 'simulated')
  })

  it('binds a challenge, and keeps its standing statement', async () => {
    const attester = new FakeAttester()
    const identity = attester.identity()
    await identity.refresh()
    const standing = identity.current
    const challenge = new Uint8Array(32).fill(5)
    const reply = await identity.challenged(challenge)
    await verify(reply, attester.clock.nowMs(), challenge)
    await assert.rejects(verify(reply, attester.clock.nowMs()), { code: 'ATTESTATION_REPORT_DATA_MISMATCH' })
    assert.equal(identity.current, standing)
  })

  it('says whether a refresh changed anything', async () => {
    const attester = new FakeAttester()
    const identity = attester.identity()
    await identity.refresh()
    assert.equal(await identity.refresh(), false)
    attester.hpkeKey = OTHER_KEY
    assert.equal(await identity.refresh(), true)
  })

  it('ages at half of its statement’s life', async () => {
    const attester = new FakeAttester()
    const identity = attester.identity()
    await identity.refresh()
    attester.clock.advance(1_800_000)
    assert.equal(identity.isAging(), false)
    attester.clock.advance(1)
    assert.equal(identity.isAging(), true)
  })

  it('knows jobs for itself, for the enclave key before until that one ends, and no others', async () => {
    const attester = new FakeAttester()
    const identity = attester.identity()
    const [old, next] = [recipientOf(HPKE_KEY, JOB_ID), recipientOf(OTHER_KEY, JOB_ID)]
    const stranger = recipientOf(new Uint8Array(32), JOB_ID)
    assert.equal(identity.addressed(JOB_ID, [old]), undefined)
    await identity.refresh()
    assert.equal(identity.addressed(JOB_ID, [stranger, old, next]), old)
    assert.equal(identity.addressed(new Uint8Array(16), [old]), undefined)
    attester.clock.advance(2_000_000)
    attester.hpkeKey = OTHER_KEY
    await identity.refresh()
    assert.equal(identity.addressed(JOB_ID, [stranger, next]), next)
    assert.equal(identity.addressed(JOB_ID, [old]), old)
    attester.clock.advance(1_600_000)
    assert.equal(identity.addressed(JOB_ID, [old]), undefined)
    assert.equal(identity.addressed(JOB_ID, [next]), next)
  })
})
