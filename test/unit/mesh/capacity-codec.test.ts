import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { decodeCapacity, encodeCapacity } from '../../../src/mesh/capacity-codec.ts'
import { type PeerIdentity, PeerKeys, peerIdentity } from '../../../src/mesh/peer-identity.ts'
import { sealRecord } from '../../../src/mesh/signed-record.ts'
import { CapacityRecord, SignedRecord } from '../../../src/wire/generated/capacity.ts'
import { anyCapacity, NOW_MS, sampleCapacity } from './samples.ts'

describe('capacity record', () => {
  const keys = new PeerKeys()
  let peer: PeerIdentity
  let other: PeerIdentity

  before(async () => {
    peer = await peerIdentity(new Uint8Array(32).fill(1))
    other = await peerIdentity(new Uint8Array(32).fill(2))
  })

  /** The record's own bytes with changed fields, signed by `signer`. */
  function forge(change: (wire: CapacityRecord) => void, signer = peer): Uint8Array {
    const wire = CapacityRecord.decode(SignedRecord.decode(encodeCapacity(peer, sampleCapacity(peer.id))).payload)
    change(wire)
    return sealRecord(signer, 'cocoon/cap/v1', CapacityRecord.encode(wire))
  }

  it('comes back as it was published', () => {
    fc.assert(
      fc.property(anyCapacity(peer.id), capacity => {
        assert.deepEqual(decodeCapacity(keys, encodeCapacity(peer, capacity), NOW_MS, peer.id), capacity)
      }),
      { numRuns: 100 }
    )
  })

  it('is refused after any flip of one bit', () => {
    const bytes = encodeCapacity(peer, sampleCapacity(peer.id))
    for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
      const flipped = Uint8Array.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      assert.throws(() => decodeCapacity(keys, flipped, NOW_MS), { name: 'PeerError' }, `bit ${bit}`)
    }
  })

  it('never throws anything but a peer error for arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), bytes => {
        assert.throws(() => decodeCapacity(keys, bytes, NOW_MS), { name: 'PeerError' })
      })
    )
  })

  it('never throws anything but a peer error for arbitrary signed payloads', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), payload => {
        assert.throws(() => decodeCapacity(keys, sealRecord(peer, 'cocoon/cap/v1', payload), NOW_MS), {
          name: 'PeerError'
        })
      })
    )
  })

  it('is refused when another peer signed it', () => {
    assert.throws(
      () =>
        decodeCapacity(
          keys,
          forge(() => undefined, other),
          NOW_MS
        ),
      { code: 'RECORD_SIGNATURE_INVALID' }
    )
  })

  it('is refused when signed for another purpose', () => {
    const { payload } = SignedRecord.decode(encodeCapacity(peer, sampleCapacity(peer.id)))
    assert.throws(() => decodeCapacity(keys, sealRecord(peer, 'cocoon/hb/v1', payload), NOW_MS), {
      code: 'RECORD_SIGNATURE_INVALID'
    })
  })

  it('is refused in the place of another peer', () => {
    const bytes = encodeCapacity(peer, sampleCapacity(peer.id))
    assert.throws(() => decodeCapacity(keys, bytes, NOW_MS, other.id), { code: 'CAPACITY_PEER_MISMATCH' })
  })

  it('is refused past 4 KiB', () => {
    const bytes = forge(wire => {
      wire.backend = 'x'.repeat(4096)
    })
    assert.throws(() => decodeCapacity(keys, bytes, NOW_MS), { code: 'MESSAGE_TOO_LARGE' })
  })

  it('tolerates a clock that is ten minutes off, not more', () => {
    const { expiresAtMs } = sampleCapacity(peer.id)
    const bytes = encodeCapacity(peer, sampleCapacity(peer.id))
    assert.equal(decodeCapacity(keys, bytes, expiresAtMs + 600_000).expiresAtMs, expiresAtMs)
    assert.throws(() => decodeCapacity(keys, bytes, expiresAtMs + 600_001), { code: 'CAPACITY_EXPIRED' })
  })

  it('is refused when it promises more than a day', () => {
    const bytes = forge(wire => {
      wire.expiresAtMs = BigInt(NOW_MS + 25 * 3_600_000)
    })
    assert.throws(() => decodeCapacity(keys, bytes, NOW_MS), { code: 'CAPACITY_EXPIRED' })
  })

  const malformed: Array<[string, (wire: CapacityRecord) => void]> = [
    ['another version', wire => void (wire.version = 2)],
    ['no payment terms', wire => void delete wire.payment],
    ['a short statement digest', wire => void (wire.statementDigest = new Uint8Array(31))],
    ['a short model digest', wire => wire.models.forEach(model => void (model.digest = new Uint8Array(20)))],
    ['a short payee key', wire => void (wire.payment && (wire.payment.payeeKey = new Uint8Array(33)))],
    ['more free slots than slots', wire => void (wire.slotsFree = wire.slotsTotal + 1)],
    ['sequence zero', wire => void (wire.sequence = 0n)],
    ['an address that is none', wire => void (wire.addresses = [Uint8Array.of(4, 1)])],
    [
      'too many addresses',
      wire => void (wire.addresses = Array.from({ length: 17 }, () => wire.addresses[0] ?? new Uint8Array()))
    ],
    ['too many models', wire => void (wire.models = Array.from({ length: 17 }, () => wire.models[0] as never))],
    ['a terminal escape in a name', wire => wire.gpus.forEach(gpu => void (gpu.name = 'H100\u001b[2J'))],
    ['a reversing mark in a name', wire => wire.gpus.forEach(gpu => void (gpu.name = 'H100\u202egnp'))],
    ['an expiry past safe integers', wire => void (wire.expiresAtMs = 1n << 60n)]
  ]
  for (const [what, change] of malformed) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => decodeCapacity(keys, forge(change), NOW_MS), { code: 'MESSAGE_MALFORMED' })
    })
  }

  it('is not published with what a peer would refuse', () => {
    const bad = [
      sampleCapacity(other.id),
      sampleCapacity(peer.id, { sequence: 0n }),
      sampleCapacity(peer.id, { slotsFree: 5 }),
      sampleCapacity(peer.id, { slotsTotal: 4.5 }),
      sampleCapacity(peer.id, { addresses: ['127.0.0.1:4001'] }),
      sampleCapacity(peer.id, { backend: 'a\nb' }),
      sampleCapacity(peer.id, { expiresAtMs: Number.NaN }),
      sampleCapacity(peer.id, { statementDigest: new Uint8Array() }),
      sampleCapacity(peer.id, { prices: { ...sampleCapacity(peer.id).prices, promptPerMTokens: nanoTon(1n << 64n) } }),
      sampleCapacity(peer.id, {
        models: Array.from({ length: 16 }, () => ({
          ...sampleCapacity(peer.id).models[0],
          name: 'x'.repeat(128),
          digest: new Uint8Array(32),
          contextTokens: 1,
          quantization: 'q'.repeat(32),
          tokensPerSecond: 1
        })),
        gpus: Array.from({ length: 16 }, () => ({ name: 'g'.repeat(128), vramTotalBytes: 1, vramFreeBytes: 1 }))
      })
    ]
    for (const capacity of bad) {
      assert.throws(() => encodeCapacity(peer, capacity), { code: 'CAPACITY_INVALID' })
    }
  })
})
