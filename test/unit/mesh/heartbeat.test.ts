import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { decodeHeartbeat, encodeHeartbeat } from '../../../src/mesh/heartbeat.ts'
import { type PeerIdentity, PeerKeys, peerIdentity } from '../../../src/mesh/peer-identity.ts'
import { sealRecord } from '../../../src/mesh/signed-record.ts'
import { SignedRecord } from '../../../src/wire/generated/capacity.ts'
import { NOW_MS } from './samples.ts'

describe('heartbeat', () => {
  const keys = new PeerKeys()
  const update = {
    slotsFree: 3,
    prices: { promptPerMTokens: nanoTon(1n), cachedPromptPerMTokens: nanoTon(0n), completionPerMTokens: nanoTon(5n) }
  }
  let peer: PeerIdentity
  let other: PeerIdentity

  before(async () => {
    peer = await peerIdentity(new Uint8Array(32).fill(1))
    other = await peerIdentity(new Uint8Array(32).fill(2))
  })

  it('comes back as it was sent', () => {
    const price = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(nanoTon)
    const prices = fc.record(
      { promptPerMTokens: price, cachedPromptPerMTokens: price, completionPerMTokens: price },
      { noNullPrototype: true }
    )
    fc.assert(
      fc.property(fc.nat({ max: 65_535 }), prices, (slotsFree, asked) => {
        const bytes = encodeHeartbeat(peer, { slotsFree, prices: asked }, NOW_MS)
        assert.deepEqual(decodeHeartbeat(keys, bytes, NOW_MS, peer.id), {
          peerId: peer.id,
          slotsFree,
          prices: asked,
          sentAtMs: NOW_MS
        })
      })
    )
  })

  it('speaks for its sender only', () => {
    const bytes = encodeHeartbeat(peer, update, NOW_MS)
    assert.throws(() => decodeHeartbeat(keys, bytes, NOW_MS, other.id), { code: 'MESSAGE_MALFORMED' })
    const { payload } = SignedRecord.decode(bytes)
    assert.throws(() => decodeHeartbeat(keys, sealRecord(other, 'cocoon/hb/v1', payload), NOW_MS, peer.id), {
      code: 'RECORD_SIGNATURE_INVALID'
    })
  })

  it('is refused when its clock is more than ten minutes off', () => {
    const bytes = encodeHeartbeat(peer, update, NOW_MS)
    assert.equal(decodeHeartbeat(keys, bytes, NOW_MS + 600_000, peer.id).slotsFree, 3)
    assert.throws(() => decodeHeartbeat(keys, bytes, NOW_MS + 600_001, peer.id), { code: 'HEARTBEAT_STALE' })
    assert.throws(() => decodeHeartbeat(keys, bytes, NOW_MS - 600_001, peer.id), { code: 'HEARTBEAT_STALE' })
  })

  it('is refused past its size limit and for arbitrary bytes', () => {
    assert.throws(() => decodeHeartbeat(keys, new Uint8Array(513), NOW_MS, peer.id), { code: 'MESSAGE_TOO_LARGE' })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 520 }), bytes => {
        assert.throws(() => decodeHeartbeat(keys, bytes, NOW_MS, peer.id), { name: 'PeerError' })
      })
    )
  })

  it('is not sent with what does not fit', () => {
    for (const slotsFree of [-1, 1.5, 65_536, Number.NaN]) {
      assert.throws(() => encodeHeartbeat(peer, { ...update, slotsFree }, NOW_MS), { code: 'HEARTBEAT_INVALID' })
    }
    const prices = { ...update.prices, completionPerMTokens: nanoTon(1n << 64n) }
    assert.throws(() => encodeHeartbeat(peer, { ...update, prices }, NOW_MS), { code: 'HEARTBEAT_INVALID' })
  })
})
