import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import { systemClock } from '../../src/core/clock.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import { CapacityBook } from '../../src/mesh/capacity-book.ts'
import { encodeCapacity } from '../../src/mesh/capacity-codec.ts'
import { capacityKey } from '../../src/mesh/capacity-keys.ts'
import { drain, remoteCopies } from '../../src/mesh/dht-lookup.ts'
import type { Mesh } from '../../src/mesh/index.ts'
import { createNode, type MeshNode } from '../../src/mesh/libp2p-node.ts'
import { PeerKeys, peerIdentity } from '../../src/mesh/peer-identity.ts'
import { until } from '../support/until.ts'
import { capacityOf, collect, MeshLab, MODEL_DIGEST } from './mesh-support.ts'

describe('mesh discovery, four nodes', () => {
  const lab = new MeshLab()
  let provider: Mesh
  let client: Mesh

  before(async () => {
    await lab.node('first')
    await lab.node('second')
    provider = await lab.node('provider', { role: 'provider' })
    client = await lab.node('client')
  })

  after(() => lab.stop())

  it('finds a published provider by model, tier and VRAM class, and verifies its record', async () => {
    const record = capacityOf(provider)
    await provider.publishCapacity(record)
    const queries = [{ modelDigest: MODEL_DIGEST }, { tier: 'simulated' }, { vramClass: '80g' }, {}]
    for (const query of queries) {
      assert.deepEqual(await collect(client.findProviders(query)), [record])
    }
    assert.deepEqual(await client.getCapacity(provider.peerId), record)
  })

  it('does not find a provider of something else, and says so by name', async () => {
    const other = { modelDigest: new Uint8Array(32).fill(9) }
    await assert.rejects(collect(client.findProviders(other, { timeoutMs: 3_000 })), { code: 'NO_PROVIDERS' })
    await assert.rejects(
      collect(client.findProviders({ modelDigest: MODEL_DIGEST, tier: 'tdx' }, { timeoutMs: 3_000 })),
      { code: 'NO_PROVIDERS' }
    )
    assert.equal(client.status().lastDiscoveryFailure?.code, 'NO_PROVIDERS')
  })

  it('never finds itself', async () => {
    await assert.rejects(collect(provider.findProviders({ modelDigest: MODEL_DIGEST }, { timeoutMs: 3_000 })), {
      code: 'NO_PROVIDERS'
    })
  })

  it('replaces a record by one with a higher sequence number and never goes back', async () => {
    const newer = capacityOf(provider, { slotsFree: 1 })
    await provider.publishCapacity(newer)
    assert.equal((await client.getCapacity(provider.peerId)).slotsFree, 1)
    await assert.rejects(provider.publishCapacity({ ...newer, sequence: newer.sequence - 1n }), {
      code: 'CAPACITY_STALE'
    })
    assert.equal((await client.getCapacity(provider.peerId)).slotsFree, 1)
  })

  it('overlays heartbeats that came by gossip', async () => {
    const prices = {
      promptPerMTokens: nanoTon(1n),
      cachedPromptPerMTokens: nanoTon(2n),
      completionPerMTokens: nanoTon(3n)
    }
    const heard = new Promise(resolve => client.onHeartbeat(resolve))
    await until(async () => (await provider.publishHeartbeat({ slotsFree: 2, prices })).recipients > 0)
    await heard
    const [found] = await collect(client.findProviders({ modelDigest: MODEL_DIGEST }))
    assert.deepEqual([found?.slotsFree, found?.prices], [2, prices])
  })

  it('ends a search at its limit and when it is cancelled', async () => {
    assert.equal((await collect(client.findProviders({}, { limit: 1 }))).length, 1)
    const stop = new AbortController()
    stop.abort()
    await assert.rejects(collect(client.findProviders({}, { signal: stop.signal })), { code: 'CANCELLED' })
  })

  it('reaches a provider that restarted at another port, through its newer record, within five seconds', async () => {
    await client.connect(provider.peerId, provider.addresses())
    const before = provider.addresses()
    await provider.stop()
    lab.nodes.splice(lab.nodes.indexOf(provider), 1)
    provider = await lab.node('provider', { role: 'provider' })
    assert.notDeepEqual(provider.addresses(), before)
    await provider.handle('/test/echo', async stream => stream.write((await stream.read()) ?? new Uint8Array()), {
      maxFrameBytes: 100
    })
    await provider.publishCapacity(capacityOf(provider))
    const startedMs = performance.now()
    const [found] = await collect(client.findProviders({ modelDigest: MODEL_DIGEST }))
    assert.deepEqual(found?.addresses, provider.addresses())
    const stream = await client.open(provider.peerId, '/test/echo', { maxFrameBytes: 100 })
    await stream.write(Uint8Array.of(1, 2))
    assert.deepEqual(Buffer.from((await stream.read()) ?? []), Buffer.of(1, 2))
    assert.ok(performance.now() - startedMs < 5_000)
  })
})

describe('mesh discovery against a lying node', () => {
  const lab = new MeshLab()
  let liar: MeshNode
  let honest: Mesh
  let victim: Mesh

  before(async () => {
    honest = await lab.node('first')
    victim = await lab.node('victim')
    // A node whose own DHT accepts anything, so that it can hold and hand out what others refuse.
    const identity = await peerIdentity(new Uint8Array(32).fill(66))
    const book = new CapacityBook(systemClock, new PeerKeys())
    book.validate = () => undefined
    liar = await createNode(identity, book, {
      listen: ['/ip4/127.0.0.1/tcp/0'],
      bootstrap: [...honest.addresses(), ...victim.addresses()],
      mdns: false,
      allowPrivateAddresses: true,
      standing: () => 0,
      tap: undefined
    })
    await liar.start()
    await until(() => liar.getPeers().length === 2 && victim.status().dhtPeers === 2 && honest.status().dhtPeers === 2)
  })

  after(async () => {
    await Promise.all([liar.stop(), lab.stop()])
  })

  async function put(peerId: string, bytes: Uint8Array): Promise<string[]> {
    const signal = AbortSignal.timeout(5_000)
    await drain(liar.services.dht.put(capacityKey(peerId), bytes, { signal })).catch(() => undefined)
    const holders: string[] = []
    for await (const { from, value } of remoteCopies(liar.services.dht, capacityKey(peerId), signal)) {
      if (Buffer.compare(value, bytes) === 0) {
        holders.push(from)
      }
    }
    return holders
  }

  it('stores and believes a true record, not one signed by another, expired, too large or misplaced', async () => {
    const peer = await peerIdentity(new Uint8Array(32).fill(5))
    const other = await peerIdentity(new Uint8Array(32).fill(6))
    const now = Date.now()
    const record = { ...capacityOf(victim), peerId: peer.id }
    const truth = encodeCapacity(peer, record)
    const forged = Uint8Array.from(truth)
    forged[40] = (forged[40] ?? 0) ^ 1
    const lies = [
      forged,
      encodeCapacity(peer, { ...record, expiresAtMs: now - 3_600_000 }),
      encodeCapacity(other, { ...record, peerId: other.id }),
      new Uint8Array(5000)
    ]
    for (const lie of lies) {
      assert.deepEqual(await put(peer.id, lie), [])
      await assert.rejects(victim.getCapacity(peer.id), { code: 'CAPACITY_NOT_FOUND' })
    }
    assert.deepEqual((await put(peer.id, truth)).toSorted(), [honest.peerId, victim.peerId].toSorted())
    assert.deepEqual(await victim.getCapacity(peer.id), record)
    // Replay of an older one, truly signed.
    assert.deepEqual(await put(peer.id, encodeCapacity(peer, { ...record, sequence: record.sequence - 1n })), [])
    assert.equal((await victim.getCapacity(peer.id)).sequence, record.sequence)
  })
})

describe('mesh discovery among peers that refuse', () => {
  const lab = new MeshLab()

  after(() => lab.stop())

  it('does not take a put for a success that no other peer can give back', async () => {
    const dayAheadMs = 24 * 3_600_000
    await lab.node('wrong clock', {}, { clock: { nowMs: () => Date.now() + dayAheadMs } })
    const provider = await lab.node('provider')
    await assert.rejects(provider.publishCapacity(capacityOf(provider)), { code: 'CAPACITY_NOT_STORED' })
    assert.equal(provider.status().lastDiscoveryFailure?.code, 'CAPACITY_NOT_STORED')
  })
})

describe('mesh discovery with nobody there', () => {
  const lab = new MeshLab()
  const sockets = new Set<Socket>()
  let blackhole: Server

  before(async () => {
    // Accepts and never answers: what a filtered or hung bootstrap looks like.
    blackhole = createServer(socket => {
      sockets.add(socket)
      socket.on('error', () => undefined)
    })
    await new Promise<void>(resolve => blackhole.listen(0, '127.0.0.1', resolve))
  })

  after(async () => {
    await lab.stop()
    sockets.forEach(socket => socket.destroy())
    await new Promise(resolve => blackhole.close(resolve))
  })

  it('ends within its limit, names the cause, and stops in time', async () => {
    const address = blackhole.address()
    assert.ok(typeof address === 'object' && address !== null)
    const nobody = (await peerIdentity(new Uint8Array(32).fill(9))).id
    const lonely = await lab.node('lonely', { bootstrap: [`/ip4/127.0.0.1/tcp/${address.port}/p2p/${nobody}`] })
    const startedMs = performance.now()
    await assert.rejects(collect(lonely.findProviders({}, { timeoutMs: 700 })), { code: 'NO_PEERS' })
    await assert.rejects(lonely.publishCapacity(capacityOf(lonely), { timeoutMs: 300 }), { code: 'NO_PEERS' })
    await assert.rejects(lonely.getCapacity(nobody, { timeoutMs: 300 }), { code: 'NO_PEERS' })
    assert.ok(performance.now() - startedMs < 2_500)
    assert.equal(lonely.status().lastDiscoveryFailure?.code, 'NO_PEERS')
    assert.deepEqual(lonely.peers(), [])
    const stoppedMs = performance.now()
    await lonely.stop()
    assert.ok(performance.now() - stoppedMs < 10_000)
  })
})
