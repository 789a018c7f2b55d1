import assert from 'node:assert/strict'
import { verifyAttestation } from '../../../src/attest/index.ts'
import { type WarmSession, WarmSessions } from '../../../src/client/warm-sessions.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { attestation } from '../attest/fixtures.ts'
import { ManualClock, sampleCapacity } from '../mesh/samples.ts'

const MODEL = 'aa'.repeat(32)

async function session(peerId: string, slotsTotal = 1, expiresAtMs = Number.MAX_SAFE_INTEGER): Promise<WarmSession> {
  const input = attestation()
  const { statement, evidence, peerSignature } = input
  const enclave = { ...(await verifyAttestation(input)), expiresAtMs }
  const capacity = sampleCapacity(peerId, { slotsTotal })
  const { tier, prices, slotsFree } = capacity
  return {
    candidate: { peerId, tier, prices, slotsFree, slotsTotal, tokensPerSecond: 1, networks: [-3], capacity },
    peer: { peerId, enclave, challenge: new Uint8Array(32), statement, evidence, peerSignature },
    terms: { prices, windowTokens: 32, minimumDeposit: nanoTon(1n) }
  }
}

describe('warm sessions', () => {
  it('are found by model, and by provider where one is asked for', async () => {
    const sessions = new WarmSessions(new ManualClock())
    assert.equal(sessions.find(MODEL), undefined)
    sessions.keep(MODEL, await session('p'))
    assert.equal(sessions.find(MODEL)?.peer.peerId, 'p')
    assert.equal(sessions.find(MODEL, 'p')?.peer.peerId, 'p')
    assert.equal(sessions.find(MODEL, 'q'), undefined)
    assert.equal(sessions.find('bb'.repeat(32)), undefined)
    sessions.drop(MODEL, 'p')
    sessions.drop('bb'.repeat(32), 'p')
    assert.equal(sessions.find(MODEL), undefined)
  })

  it('end with their terms or their attestation, whichever is first; another job renews the terms', async () => {
    const clock = new ManualClock()
    const sessions = new WarmSessions(clock)
    const lasting = await session('p')
    sessions.keep(MODEL, lasting)
    clock.advance(299_999)
    assert.ok(sessions.find(MODEL))
    sessions.keep(MODEL, lasting)
    clock.advance(299_999)
    assert.ok(sessions.find(MODEL))
    clock.advance(1)
    assert.equal(sessions.find(MODEL), undefined)

    sessions.keep(MODEL, await session('q', 1, clock.nowMs() + 10))
    clock.advance(9)
    assert.ok(sessions.find(MODEL))
    clock.advance(1)
    assert.equal(sessions.find(MODEL), undefined)
  })

  it('leave a provider alone whose places this client takes itself', async () => {
    const sessions = new WarmSessions(new ManualClock())
    sessions.keep(MODEL, await session('p', 2))
    sessions.keep(MODEL, await session('q', 1))
    const over = [sessions.begin('p'), sessions.begin('p')]
    assert.equal(sessions.running('p'), 2)
    assert.equal(sessions.find(MODEL)?.peer.peerId, 'q')
    assert.equal(sessions.find(MODEL, 'p'), undefined)
    const other = sessions.begin('q')
    assert.equal(sessions.find(MODEL), undefined)
    over[0]?.()
    assert.equal(sessions.find(MODEL)?.peer.peerId, 'p')
    over[1]?.()
    other()
    assert.equal(sessions.running('p') + sessions.running('q'), 0)
  })
})
