import assert from 'node:assert/strict'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import type { Capacity } from '../../../src/mesh/capacity.ts'
import { CapacityBook } from '../../../src/mesh/capacity-book.ts'
import { encodeCapacity } from '../../../src/mesh/capacity-codec.ts'
import { capacityKey } from '../../../src/mesh/capacity-keys.ts'
import { type PeerIdentity, PeerKeys, peerIdentity } from '../../../src/mesh/peer-identity.ts'
import { ManualClock, NOW_MS, sampleCapacity } from './samples.ts'

describe('capacity book', () => {
  let clock: ManualClock
  let book: CapacityBook
  let peer: PeerIdentity
  let other: PeerIdentity

  before(async () => {
    peer = await peerIdentity(new Uint8Array(32).fill(1))
    other = await peerIdentity(new Uint8Array(32).fill(2))
  })

  beforeEach(() => {
    clock = new ManualClock()
    book = new CapacityBook(clock, new PeerKeys())
  })

  const record = (changes: Partial<Capacity> = {}): Uint8Array => encodeCapacity(peer, sampleCapacity(peer.id, changes))

  it('refuses to store a record that is older than the known one', () => {
    book.validate(capacityKey(peer.id), record({ sequence: 5n }))
    book.validate(capacityKey(peer.id), record({ sequence: 5n }))
    assert.throws(() => book.validate(capacityKey(peer.id), record({ sequence: 4n })), { code: 'CAPACITY_STALE' })
    assert.equal(book.current(peer.id)?.sequence, 5n)
  })

  it('refuses a record under the key of another peer or under no peer at all', () => {
    assert.throws(() => book.validate(capacityKey(other.id), record()), { code: 'CAPACITY_PEER_MISMATCH' })
    assert.throws(() => book.validate(new TextEncoder().encode('/cocoon-cap/'), record()), {
      code: 'CAPACITY_PEER_MISMATCH'
    })
    assert.throws(() => book.validate(Uint8Array.of(0xff, 0x2f), record()), { code: 'CAPACITY_PEER_MISMATCH' })
  })

  it('selects the highest sequence among valid records only', () => {
    const forged = Uint8Array.from(record({ sequence: 99n }))
    forged[20] = (forged[20] ?? 0) ^ 1
    const values = [record({ sequence: 3n }), forged, record({ sequence: 7n }), record({ sequence: 5n })]
    assert.equal(book.select(capacityKey(peer.id), values), 2)
  })

  it('overlays a fresh heartbeat and forgets it after a minute', () => {
    const prices = {
      promptPerMTokens: nanoTon(9n),
      cachedPromptPerMTokens: nanoTon(9n),
      completionPerMTokens: nanoTon(9n)
    }
    book.learn(record())
    assert.equal(book.hear({ peerId: peer.id, slotsFree: 60, prices, sentAtMs: NOW_MS }), true)
    assert.equal(book.hear({ peerId: peer.id, slotsFree: 0, prices, sentAtMs: NOW_MS }), false)
    assert.deepEqual(book.current(peer.id)?.prices, prices)
    assert.equal(book.current(peer.id)?.slotsFree, 4)
    clock.advance(60_001)
    assert.equal(book.current(peer.id)?.slotsFree, 3)
  })

  it('drops a record after its expiry and the clock tolerance', () => {
    book.learn(record({ expiresAtMs: NOW_MS + 1000 }))
    clock.advance(601_000)
    assert.deepEqual(book.peers({}), [peer.id])
    clock.advance(1)
    assert.deepEqual(book.peers({}), [])
  })

  it('counts only news from the network as recent', () => {
    book.validate(capacityKey(peer.id), record())
    assert.equal(book.isRecent(peer.id, 5000), false)
    book.learn(record(), peer.id)
    assert.equal(book.isRecent(peer.id, 5000), true)
    clock.advance(5000)
    assert.equal(book.isRecent(peer.id, 5000), false)
  })

  it('lists peers by model, tier and VRAM class', () => {
    book.learn(record())
    const modelDigest = new Uint8Array(32).fill(7)
    assert.deepEqual(book.peers({ modelDigest, tier: 'simulated', vramClass: '80g' }), [peer.id])
    for (const query of [{ modelDigest: new Uint8Array(32) }, { tier: 'tdx' }, { vramClass: '48g' }]) {
      assert.deepEqual(book.peers(query), [])
    }
  })
})
