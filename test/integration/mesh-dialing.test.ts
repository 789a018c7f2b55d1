import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { multiaddr } from '@multiformats/multiaddr'
import { LevelDatastore } from 'datastore-level'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { systemRandom } from '../../src/core/random.ts'
import { CapacityBook } from '../../src/mesh/capacity-book.ts'
import type { Mesh } from '../../src/mesh/index.ts'
import { createMesh } from '../../src/mesh/index.ts'
import { KeepConnected } from '../../src/mesh/keep-connected.ts'
import { createNode, type MeshNode } from '../../src/mesh/libp2p-node.ts'
import { PeerKeys, peerIdentity } from '../../src/mesh/peer-identity.ts'
import { until } from '../support/until.ts'
import { MeshLab } from './mesh-support.ts'

const LIMIT = { maxFrameBytes: 1000 }
const components = { logger: silentLogger, clock: systemClock, random: systemRandom }

async function bareNode(): Promise<MeshNode> {
  const identity = await peerIdentity(new Uint8Array(32).fill(70))
  const book = new CapacityBook(systemClock, new PeerKeys())
  const node = await createNode(identity, book, {
    listen: [],
    bootstrap: [],
    mdns: false,
    allowPrivateAddresses: true,
    standing: () => 0,
    tap: undefined
  })
  await node.start()
  return node
}

describe('mesh dialing', () => {
  const lab = new MeshLab()
  const blackholes: Server[] = []
  const sockets = new Set<Socket>()
  let provider: Mesh
  let client: Mesh

  beforeEach(async () => {
    provider = await lab.node('provider')
    client = await lab.node('client', { bootstrap: [] })
  })

  afterEach(async () => {
    await lab.stop()
    sockets.forEach(socket => socket.destroy())
    sockets.clear()
    await Promise.all(blackholes.splice(0).map(server => new Promise(resolve => server.close(resolve))))
  })

  /** An address that accepts and never answers. */
  async function blackhole(): Promise<string> {
    const server = createServer(socket => {
      sockets.add(socket)
      socket.on('error', () => undefined)
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    blackholes.push(server)
    const address = server.address()
    assert.ok(typeof address === 'object' && address !== null)
    return `/ip4/127.0.0.1/tcp/${address.port}`
  }

  it('answers several pings of one connection at once, which libp2p takes for a dead peer by default', async () => {
    const node = await bareNode()
    try {
      const address = multiaddr(provider.addresses()[0])
      const connection = await node.dial(address)
      const pings = await Promise.all(Array.from({ length: 8 }, () => node.services.ping.ping(address)))
      assert.ok(pings.every(rttMs => rttMs >= 0))
      assert.equal(connection.status, 'open')
    } finally {
      await node.stop()
    }
  })

  it('reaches a provider behind five black holes in less than eight seconds', async () => {
    const dead = await Promise.all(Array.from({ length: 5 }, blackhole))
    const startedMs = performance.now()
    await client.connect(provider.peerId, [...dead, ...provider.addresses()])
    assert.ok(performance.now() - startedMs < 8_000)
    assert.deepEqual(
      client.peers().map(peer => [peer.peerId, peer.direction, peer.limited]),
      [[provider.peerId, 'outbound', false]]
    )
  })

  it('does not dial itself, whatever a record says', async () => {
    const own = client.addresses().map(address => address.split('/p2p/')[0] ?? '')
    const startedMs = performance.now()
    await client.connect(provider.peerId, [...own, ...provider.addresses()])
    assert.ok(performance.now() - startedMs < 1_000)
    await assert.rejects(client.connect(client.peerId, client.addresses()), { code: 'SELF_DIAL' })
    await assert.rejects(client.open(client.peerId, '/test/any', LIMIT), { code: 'SELF_DIAL' })
  })

  it('does not take one peer for another', async () => {
    const other = await lab.node('other', { bootstrap: [] })
    const misleading = provider.addresses().map(address => address.split('/p2p/')[0] ?? '')
    await assert.rejects(client.connect(other.peerId, misleading), { code: 'PEER_UNREACHABLE' })
    await client.connect(other.peerId, [...misleading, ...other.addresses()])
  })

  it('names what is no peer id and obeys its signal', async () => {
    await assert.rejects(client.connect('nobody', []), { code: 'PEER_ID_INVALID' })
    const stop = new AbortController()
    const dial = client.connect(provider.peerId, [await blackhole()], { signal: stop.signal })
    stop.abort()
    await assert.rejects(dial, { code: 'CANCELLED' })
  })

  it('dials again within the same request when its connection is gone', async () => {
    await provider.handle('/test/echo', async stream => stream.write((await stream.read()) ?? new Uint8Array()), LIMIT)
    await client.connect(provider.peerId, provider.addresses())
    await (await client.open(provider.peerId, '/test/echo', LIMIT)).close()
    const [port] = provider.addresses().map(address => Number(address.split('/')[4]))
    await provider.stop()
    lab.nodes.shift()
    provider = await lab.node('provider', { listen: [`/ip4/127.0.0.1/tcp/${port}`] })
    await provider.handle('/test/echo', async stream => stream.write((await stream.read()) ?? new Uint8Array()), LIMIT)
    const stream = await client.open(provider.peerId, '/test/echo', LIMIT)
    await stream.write(Uint8Array.of(5))
    assert.deepEqual([...((await stream.read()) ?? [])], [5])
  })

  it('says that its bootstrap is away, and finds it when it is back', async () => {
    const [address] = provider.addresses()
    await provider.stop()
    lab.nodes.shift()
    const orphan = await lab.node('orphan', { bootstrap: [address ?? ''] })
    await until(() => orphan.status().lastDiscoveryFailure?.code === 'NO_PEERS')
    assert.deepEqual(orphan.peers(), [])

    const node = await bareNode()
    const keep = new KeepConnected({ ...components, node, bootstrap: [address ?? ''], checkMs: 20 })
    keep.start()
    await until(() => keep.lastFailure?.code === 'NO_PEERS')
    provider = await lab.node('provider', { listen: [address?.split('/p2p/')[0] ?? ''] })
    await until(() => node.getPeers().map(String).includes(provider.peerId))
    keep.stop()
    await node.stop()
  })

  it('finds the peers it knew after a restart without any bootstrap', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cocoon-mesh-'))
    const datastore = new LevelDatastore(folder)
    await datastore.open()
    const before = await lab.node('survivor', { bootstrap: provider.addresses() }, { datastore })
    await until(() => before.status().dhtPeers === 1)
    await before.stop()
    const restarted = await lab.node('survivor', { bootstrap: [] }, { datastore })
    await until(() => restarted.peers().some(peer => peer.peerId === provider.peerId))
    await restarted.stop()
    await datastore.close()
    await rm(folder, { recursive: true })
  })

  it('serves no DHT in production while nobody can reach it', async () => {
    const behindNat = await lab.node('behind NAT', { allowPrivateAddresses: false })
    await until(() => behindNat.peers().length > 0)
    assert.equal(behindNat.status().dhtMode, 'client')
    assert.equal(provider.status().dhtMode, 'server')
  })

  it('names an address that is none, and a port that is taken', async () => {
    const init = {
      privateKeySeed: new Uint8Array(32),
      mdns: false,
      allowPrivateAddresses: true,
      role: 'client'
    } as const
    await assert.rejects(createMesh({ ...init, listen: ['localhost:1'], bootstrap: [] }, components), {
      code: 'ADDRESS_INVALID'
    })
    await assert.rejects(createMesh({ ...init, listen: [], bootstrap: ['/ip4/127.0.0.1/tcp/1'] }, components), {
      code: 'ADDRESS_INVALID'
    })
    const taken = provider.addresses().map(address => address.split('/p2p/')[0] ?? '')
    const second = await createMesh({ ...init, listen: taken, bootstrap: [] }, components)
    await assert.rejects(second.start(), { code: 'LISTEN_FAILED' })
    await second.stop()
  })
})
