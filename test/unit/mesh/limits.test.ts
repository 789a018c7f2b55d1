import assert from 'node:assert/strict'
import { multiaddr } from '@multiformats/multiaddr'
import { modelKey, peerOfCapacityKey, queryKeys, tierKey, vramKey } from '../../../src/mesh/capacity-keys.ts'
import { PeerStanding } from '../../../src/mesh/peer-standing.ts'
import { isOwnAddress } from '../../../src/mesh/self-dial.ts'
import { TokenBuckets } from '../../../src/mesh/token-bucket.ts'
import { vramClass } from '../../../src/mesh/vram-class.ts'
import { ManualClock } from './samples.ts'

const GIB = 1024 ** 3

const peerOf = (text: string): string | undefined => peerOfCapacityKey(new TextEncoder().encode(text))

describe('token buckets', () => {
  it('let a burst through, then the rate, per sender', () => {
    const clock = new ManualClock()
    const buckets = new TokenBuckets(clock, { burst: 3, perSecond: 0.5 })
    assert.deepEqual(
      [1, 2, 3, 4].map(() => buckets.take('a')),
      [true, true, true, false]
    )
    assert.equal(buckets.take('b'), true)
    clock.advance(1999)
    assert.equal(buckets.take('a'), false)
    clock.advance(1)
    assert.equal(buckets.take('a'), true)
    assert.equal(buckets.take('a'), false)
  })

  it('forget the oldest sender, not the limit', () => {
    const buckets = new TokenBuckets(new ManualClock(), { burst: 1, perSecond: 0.001, maxKeys: 2 })
    assert.deepEqual(
      ['a', 'b', 'b', 'c', 'c'].map(key => buckets.take(key)),
      [true, true, false, true, false]
    )
  })

  it('survive a clock that steps back', () => {
    const clock = new ManualClock()
    const buckets = new TokenBuckets(clock, { burst: 1, perSecond: 1 })
    buckets.take('a')
    clock.advance(-60_000)
    assert.equal(buckets.take('a'), false)
    clock.advance(1000)
    assert.equal(buckets.take('a'), true)
  })
})

describe('peer standing', () => {
  it('falls with every penalty and recovers by half in five minutes', () => {
    const clock = new ManualClock()
    const standing = new PeerStanding(clock)
    assert.equal(standing.score('p'), 0)
    standing.penalize('p', 25)
    standing.penalize('p', 25)
    assert.equal(standing.score('p'), -50)
    clock.advance(300_000)
    assert.equal(standing.score('p'), -25)
    assert.equal(standing.score('q'), 0)
  })
})

describe('VRAM classes', () => {
  it('are filled to 95 percent at least', () => {
    assert.equal(vramClass(0), 'none')
    assert.equal(vramClass(8 * GIB * 0.95), '8g')
    assert.equal(vramClass(8 * GIB * 0.95 - 1), '4g')
    // What nvidia-smi reports for an RTX 4090 and an H100.
    assert.equal(vramClass(24_564 * 1024 ** 2), '24g')
    assert.equal(vramClass(81_559 * 1024 ** 2), '80g')
    assert.equal(vramClass(10_000 * GIB), '640g')
  })
})

describe('DHT keys', () => {
  it('are the digests the design names', () => {
    // printf 'cocoon/tier/tdx' | sha256sum
    assert.equal(
      Buffer.from(tierKey('tdx').multihash.digest).toString('hex'),
      '31f686c3a274cc6fde90aa9f1bc9fce8c1e2a4a5d8c2b4ad7da193ff732835c0'
    )
    assert.equal(
      Buffer.from(vramKey('80g').multihash.digest).toString('hex'),
      '6484bc05559fc825b37e7a32f2bff4ea2c69cca72558e1749502651f0ba92e21'
    )
    assert.equal(
      Buffer.from(modelKey(new Uint8Array(32)).multihash.digest).toString('hex'),
      '0fe3f82f9e564a71ef572e6198056afc44e463bb50a0cef33c9edad56b4c8742'
    )
  })

  it('search by the most telling part of a query', () => {
    const modelDigest = new Uint8Array(32)
    assert.deepEqual(queryKeys({ modelDigest, tier: 'tdx', vramClass: '80g' }), [modelKey(modelDigest)])
    assert.deepEqual(queryKeys({ tier: 'tdx', vramClass: '80g' }), [vramKey('80g')])
    assert.deepEqual(queryKeys({ tier: 'other' }), [tierKey('other')])
    assert.equal(queryKeys({}).length, 4)
  })

  it('name a peer or nothing', () => {
    assert.equal(peerOf('/cocoon-cap/12D3Koo'), '12D3Koo')
    for (const text of ['/cocoon-cap/', '/cocoon-cap/a/b', '/pk/12D3Koo', 'x/cocoon-cap/12D3Koo', '/cocoon-cap/0OIl']) {
      assert.equal(peerOf(text), undefined, text)
    }
  })
})

describe('self-dial filter', () => {
  it('knows own sockets under any peer id, and nothing else', () => {
    const own = [multiaddr('/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWNgkyrjWnazQipEnpnS2B9bjKuVWb83fsTeEF4bsJj1mJ')]
    assert.equal(isOwnAddress(multiaddr('/ip4/127.0.0.1/tcp/4001'), own), true)
    assert.equal(
      isOwnAddress(multiaddr('/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWAtnGtaK7URY5hFTuCFhuEBYwBkQWZABFx4Qf24qZVVyo'), own),
      true
    )
    assert.equal(isOwnAddress(multiaddr('/ip4/127.0.0.1/tcp/4002'), own), false)
    assert.equal(isOwnAddress(multiaddr('/ip4/127.0.0.1/udp/4001/quic-v1'), own), false)
    // A relay of ours leads to somebody else.
    const relayed = '/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWNgkyrjWnazQipEnpnS2B9bjKuVWb83fsTeEF4bsJj1mJ/p2p-circuit'
    assert.equal(isOwnAddress(multiaddr(relayed), own), false)
  })
})
