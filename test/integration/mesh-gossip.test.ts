import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import { CapacityBook } from '../../src/mesh/capacity-book.ts'
import { Gossip } from '../../src/mesh/gossip.ts'
import { encodeHeartbeat } from '../../src/mesh/heartbeat.ts'
import type { Mesh } from '../../src/mesh/index.ts'
import { createNode, type MeshNode } from '../../src/mesh/libp2p-node.ts'
import { PeerKeys, peerIdentity } from '../../src/mesh/peer-identity.ts'
import { PeerStanding } from '../../src/mesh/peer-standing.ts'
import { LIMITS } from '../../src/wire/limits.ts'
import { HEARTBEAT_TOPIC, jobTopic } from '../../src/wire/protocols.ts'
import { until } from '../support/until.ts'
import { MeshLab, MODEL_HEX } from './mesh-support.ts'

describe('mesh gossip, four nodes', () => {
  const lab = new MeshLab()
  let client: Mesh
  let providers: Mesh[]

  before(async () => {
    await lab.node('first')
    providers = [await lab.node('provider 1'), await lab.node('provider 2')]
    client = await lab.node('client')
    for (const provider of providers) {
      await client.connect(provider.peerId, provider.addresses())
    }
  })

  after(() => lab.stop())

  it('delivers an announcement to every provider that listens, naming its author', async () => {
    const heard: Array<[string, string, Buffer]> = []
    const stops = providers.map(provider =>
      provider.onAnnouncement(
        MODEL_HEX,
        () => 'accept',
        (from, bytes) => heard.push([provider.peerId, from, Buffer.from(bytes)])
      )
    )
    const bytes = randomBytes(LIMITS.announcementBytes)
    await until(() => client.listeners(MODEL_HEX) === 2)
    assert.deepEqual(await client.announceJob(MODEL_HEX, bytes), { recipients: 2 })
    await until(() => heard.length === 2)
    assert.deepEqual(new Set(heard.map(([at]) => at)), new Set(providers.map(p => p.peerId)))
    heard.forEach(([, from, got]) => {
      assert.equal(from, client.peerId)
      assert.equal(Buffer.compare(got, bytes), 0)
    })
    stops.forEach(stop => stop())
  })

  it('waits for a listener, then says by name that there is none', async () => {
    const nobody = '00'.repeat(32)
    await assert.rejects(client.announceJob(nobody, new Uint8Array(10), { waitMs: 100 }), { code: 'NO_GOSSIP_PEERS' })
    const late = client.announceJob(nobody, new Uint8Array(10), { waitMs: 5_000 })
    providers[0]?.onAnnouncement(
      nobody,
      () => 'accept',
      () => undefined
    )
    assert.equal((await late).recipients, 1)
    const stop = new AbortController()
    const cancelled = client.announceJob('11'.repeat(32), new Uint8Array(10), { waitMs: 5_000, signal: stop.signal })
    stop.abort()
    await assert.rejects(cancelled, { code: 'CANCELLED' })
  })

  it('refuses to publish what is over the limit, to that caller only', async () => {
    await assert.rejects(client.announceJob(MODEL_HEX, new Uint8Array(LIMITS.announcementBytes + 1)), {
      code: 'ANNOUNCEMENT_TOO_LARGE'
    })
  })

  it('refuses a second listener for one model', () => {
    const stop = client.onAnnouncement(
      MODEL_HEX,
      () => 'accept',
      () => undefined
    )
    assert.throws(
      () =>
        client.onAnnouncement(
          MODEL_HEX,
          () => 'accept',
          () => undefined
        ),
      { code: 'TOPIC_TAKEN' }
    )
    stop()
    client.onAnnouncement(
      MODEL_HEX,
      () => 'accept',
      () => undefined
    )()
  })

  it('reaches a peer again whose gossip stream was reset while its connection lived on', async () => {
    const bare = await hostileNode(providers[0] as Mesh)
    const heard: number[] = []
    const stop = providers[0]?.onAnnouncement(
      MODEL_HEX,
      () => 'accept',
      (_, bytes) => heard.push(bytes.byteLength)
    )
    const gossip = new Gossip({
      service: bare.services.gossip,
      connections: peer => bare.getConnections(peer),
      clock: systemClock,
      logger: silentLogger,
      standing: new PeerStanding(systemClock),
      self: bare.peerId.toString(),
      tap: undefined
    })
    await gossip.waitForSubscribers(jobTopic(MODEL_HEX), 5_000)
    await gossip.publish(jobTopic(MODEL_HEX), randomBytes(1))
    await until(() => heard.length === 1)
    const [connection] = bare.getConnections()
    connection?.streams
      .filter(s => s.direction === 'outbound' && s.protocol.startsWith('/meshsub/'))
      .forEach(s => s.abort(new Error('Reset')))
    assert.deepEqual(await gossip.publish(jobTopic(MODEL_HEX), randomBytes(2)), { recipients: 1 })
    await until(() => heard.length === 2)
    assert.equal(connection?.status, 'open')
    await bare.stop()
    stop?.()
  })

  it('survives validators and handlers that throw', async () => {
    let calls = 0
    const stop = providers[1]?.onAnnouncement(
      MODEL_HEX,
      () => {
        calls++
        if (calls === 1) {
          throw new Error('Broken')
        }
        return 'accept'
      },
      () => {
        throw new Error('Broken too')
      }
    )
    await until(async () => {
      await client.announceJob(MODEL_HEX, randomBytes(20))
      return calls >= 2
    })
    stop?.()
  })
})

describe('mesh gossip with a hostile neighbour', () => {
  const lab = new MeshLab()
  let victim: Mesh
  let hostile: MeshNode

  beforeEach(async () => {
    // Its own clock stands still: rate limits do not refill.
    const nowMs = Date.now()
    victim = await lab.node('victim', {}, { clock: { nowMs: () => nowMs } })
    hostile = await hostileNode(victim)
  })

  afterEach(async () => {
    await Promise.all([hostile.stop(), lab.stop()])
  })

  /** Publishes when the victim listens. */
  async function publish(topic: string, bytes: Uint8Array): Promise<void> {
    await until(() => hostile.services.gossip.getSubscribers(topic).length > 0)
    await hostile.services.gossip.publish(topic, bytes)
  }

  it('does not even show oversize announcements to the validator, and stops listening to their sender', async () => {
    const topic = jobTopic(MODEL_HEX)
    const seen: number[] = []
    victim.onAnnouncement(
      MODEL_HEX,
      (_, bytes) => {
        seen.push(bytes.byteLength)
        return 'accept'
      },
      () => undefined
    )
    await publish(topic, randomBytes(100))
    await until(() => seen.length === 1)
    for (let i = 0; i < 4; i++) {
      await publish(topic, randomBytes(LIMITS.announcementBytes + 1))
    }
    // On a topic of its own, well below its rate limit: silence means that the peer is muted.
    const elsewhere = '22'.repeat(32)
    let sent = 0
    let heard = 0
    victim.onAnnouncement(
      elsewhere,
      () => 'accept',
      () => heard++
    )
    await until(async () => {
      const before = heard
      await publish(jobTopic(elsewhere), randomBytes(100 + sent++))
      // GossipSub looks at scores once a second: this is to take longer, in fewer messages than the rate limit allows.
      const [taken] = await Promise.allSettled([
        until(() => heard > before, 250),
        new Promise(resolve => setTimeout(resolve, 250))
      ])
      return taken.status === 'rejected'
    })
    assert.ok(sent < 9, `${sent} messages were taken`)
    assert.deepEqual(seen, [100])
  })

  it('lets a burst of announcements through and no flood', async () => {
    const topic = jobTopic(MODEL_HEX)
    let seen = 0
    victim.onAnnouncement(
      MODEL_HEX,
      () => {
        seen++
        return 'accept'
      },
      () => undefined
    )
    for (let i = 0; i < 40; i++) {
      await publish(topic, randomBytes(100))
    }
    await until(() => seen === 30)
    await assert.rejects(until(() => seen > 30, 500))
  })

  it('takes a heartbeat only from the peer it speaks of', async () => {
    const heard: string[] = []
    victim.onHeartbeat(heartbeat => heard.push(heartbeat.peerId))
    const prices = {
      promptPerMTokens: nanoTon(1n),
      cachedPromptPerMTokens: nanoTon(1n),
      completionPerMTokens: nanoTon(1n)
    }
    const honest = await peerIdentity(new Uint8Array(32).fill(67))
    const own = await peerIdentity(new Uint8Array(32).fill(66))
    await publish(HEARTBEAT_TOPIC, encodeHeartbeat(honest, { slotsFree: 1, prices }, Date.now()))
    await publish(HEARTBEAT_TOPIC, encodeHeartbeat(own, { slotsFree: 1, prices }, Date.now()))
    await until(() => heard.length === 1)
    // A replay teaches nothing new.
    await publish(HEARTBEAT_TOPIC, encodeHeartbeat(own, { slotsFree: 2, prices }, Date.now() - 1000))
    await assert.rejects(until(() => heard.length > 1, 300))
    assert.deepEqual(heard, [own.id])
  })
})

/** A node without the mesh's own rules, connected to `target`. */
async function hostileNode(target: Mesh): Promise<MeshNode> {
  const identity = await peerIdentity(new Uint8Array(32).fill(66))
  const node = await createNode(identity, new CapacityBook(systemClock, new PeerKeys()), {
    listen: [],
    bootstrap: target.addresses(),
    mdns: false,
    allowPrivateAddresses: true,
    standing: () => 0,
    tap: undefined
  })
  await node.start()
  return node
}
