import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { EnvironmentError, NetworkError, UsageError } from '../core/errors.ts'
import { LIMITS } from '../wire/limits.ts'
import { HEARTBEAT_TOPIC, jobTopic } from '../wire/protocols.ts'
import type { Capacity, CapacityQuery } from './capacity.ts'
import { CapacityBook } from './capacity-book.ts'
import { dhtPeerCount } from './dht-lookup.ts'
import { Dialer } from './dialer.ts'
import { Discovery, type FindOptions, type LookupOptions } from './discovery.ts'
import { Gossip, noGossipPeers, type Verdict } from './gossip.ts'
import { decodeHeartbeat, encodeHeartbeat, type Heartbeat, type HeartbeatUpdate, isHonestFault } from './heartbeat.ts'
import { KeepConnected } from './keep-connected.ts'
import { createNode, type MeshNode } from './libp2p-node.ts'
import type {
  AnnounceOptions,
  HandleLimits,
  Mesh,
  MeshComponents,
  MeshInit,
  MeshStatus,
  OpenOptions,
  PeerView,
  StreamHandler
} from './mesh.ts'
import { dialReason } from './mesh-errors.ts'
import type { MeshStream } from './message-stream.ts'
import { type PeerIdentity, PeerKeys, peerIdentity } from './peer-identity.ts'
import { PeerStanding } from './peer-standing.ts'
import { Streams } from './streams.ts'

const ANNOUNCE_WAIT_MS = 3_000
/** Announcements of one author that are let through. Jobs of an open session are not announced. */
const ANNOUNCEMENT_RATE = { burst: 30, perSecond: 2 }
/** A heartbeat every ~15 s is expected. */
const HEARTBEAT_RATE = { burst: 4, perSecond: 0.2 }
/** Grace for libp2p's own shutdown, below the 10 s that `stop` promises. */
const STOP_MS = 8_000

/**
 * A node of the mesh, not started yet.
 *
 * @throws {UsageError} `ADDRESS_INVALID` for a listen or bootstrap address that is no multiaddr, or a bootstrap address
 *   that names no peer
 */
export async function createMesh(init: MeshInit, components: MeshComponents): Promise<Mesh> {
  const identity = await peerIdentity(init.privateKeySeed)
  const keys = new PeerKeys()
  const book = new CapacityBook(components.clock, keys)
  const standing = new PeerStanding(components.clock)
  const listen = init.listen.map(text => checkAddress('listen', text))
  const bootstrap = init.bootstrap
    .map(text => checkAddress('bootstrap', text))
    .filter(text => !text.endsWith(identity.id))
  const node = await createNode(
    identity,
    book,
    { ...init, listen, bootstrap, tap: init.tap, standing: peerId => standing.score(peerId) },
    components.datastore
  )
  return new Libp2pMesh({ node, identity, keys, book, standing, bootstrap, init, components })
}

interface Parts {
  node: MeshNode
  identity: PeerIdentity
  keys: PeerKeys
  book: CapacityBook
  standing: PeerStanding
  bootstrap: string[]
  init: MeshInit
  components: MeshComponents
}

class Libp2pMesh implements Mesh {
  readonly #parts: Parts
  readonly #dialer: Dialer
  readonly #discovery: Discovery
  readonly #gossip: Gossip
  readonly #keepConnected: KeepConnected
  readonly #streams: Streams
  readonly #heartbeatHandlers = new Set<(heartbeat: Heartbeat) => void>()

  constructor(parts: Parts) {
    const { book, bootstrap, identity, init, node, standing } = parts
    const { clock, logger, random } = parts.components
    const { dht, gossip } = node.services
    this.#parts = parts
    this.#dialer = new Dialer(node, book)
    this.#discovery = new Discovery({ dht, book, identity, clock, logger: logger.child('discovery') })
    this.#gossip = new Gossip({
      service: gossip,
      connections: peer => node.getConnections(peer),
      clock,
      standing,
      self: identity.id,
      logger: logger.child('gossip'),
      tap: init.tap
    })
    this.#keepConnected = new KeepConnected({ node, bootstrap, clock, random, logger: logger.child('peers') })
    this.#streams = new Streams({ node, dialer: this.#dialer, logger: logger.child('streams'), tap: init.tap })
    this.#listenForHeartbeats()
  }

  get peerId(): string {
    return this.#parts.identity.id
  }

  get peerIdBytes(): Uint8Array {
    return this.#parts.identity.idBytes
  }

  async start(): Promise<void> {
    const { init, node } = this.#parts
    try {
      await node.start()
    } catch (cause) {
      throw new EnvironmentError('LISTEN_FAILED', `Cannot listen on ${init.listen.join(', ')}: ${dialReason(cause)}`, {
        cause
      })
    }
    this.#gossip.start()
    this.#keepConnected.start()
  }

  async stop(): Promise<void> {
    const { components, node } = this.#parts
    this.#keepConnected.stop()
    this.#gossip.stop()
    this.#streams.abortAll(new NetworkError('MESH_STOPPED', 'This node is shutting down'))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>(resolve => {
      timer = setTimeout(() => resolve('late'), STOP_MS)
    })
    const outcome = await Promise.race([node.stop(), late])
    clearTimeout(timer)
    if (outcome === 'late') {
      components.logger.warn('libp2p did not stop in time: connections were reset', {
        connections: node.getConnections().length
      })
      node.getConnections().forEach(connection => connection.abort(new Error('Stopped')))
    }
  }

  addresses(): string[] {
    return this.#parts.node.getMultiaddrs().map(String)
  }

  peers(): PeerView[] {
    const { node } = this.#parts
    return node.getPeers().flatMap(peer => {
      const open = node.getConnections(peer).filter(connection => connection.status === 'open')
      return open.length === 0 ? [] : [peerView(peer.toString(), open)]
    })
  }

  status(): MeshStatus {
    const { node } = this.#parts
    const failures = [this.#discovery.lastFailure, this.#keepConnected.lastFailure].filter(
      failure => failure !== undefined
    )
    return {
      peers: node.getPeers().length,
      dhtPeers: dhtPeerCount(node.services.dht),
      dhtMode: node.services.dht.getMode(),
      lastDiscoveryFailure: failures.toSorted((a, b) => b.atMs - a.atMs)[0]
    }
  }

  sign(message: Uint8Array): Uint8Array {
    return this.#parts.identity.sign(message)
  }

  verifyPeerSignature(peerId: string, message: Uint8Array, signature: Uint8Array): boolean {
    return this.#parts.keys.verify(peerId, message, signature)
  }

  async connect(peerId: string, addresses: string[], options: AbortOptions = {}): Promise<void> {
    await this.#dialer.connection(peerId, addresses, options)
  }

  async publishCapacity(record: Capacity, options: LookupOptions = {}): Promise<void> {
    await this.#discovery.publish(record, options)
  }

  findProviders(query: CapacityQuery, options: FindOptions = {}): AsyncIterable<Capacity> {
    return this.#discovery.find(query, options)
  }

  async getCapacity(peerId: string, options: LookupOptions = {}): Promise<Capacity> {
    return this.#discovery.get(peerId, options)
  }

  async announceJob(
    modelDigestHex: string,
    bytes: Uint8Array,
    options: AnnounceOptions = {}
  ): Promise<{ recipients: number }> {
    throwIfAborted(options.signal)
    if (bytes.byteLength > LIMITS.announcementBytes) {
      throw new UsageError(
        'ANNOUNCEMENT_TOO_LARGE',
        `An announcement of ${bytes.byteLength} bytes cannot be gossiped: at most ${LIMITS.announcementBytes} are accepted`
      )
    }
    const topic = jobTopic(modelDigestHex)
    await this.#gossip.waitForSubscribers(topic, options.waitMs ?? ANNOUNCE_WAIT_MS, options)
    const sent = await this.#gossip.publish(topic, bytes, options)
    if (sent.recipients === 0) {
      throw noGossipPeers(topic, 'the last listener is gone')
    }
    return sent
  }

  listeners(modelDigestHex: string): number {
    return this.#parts.node.services.gossip.getSubscribers(jobTopic(modelDigestHex)).length
  }

  onAnnouncement(
    modelDigestHex: string,
    validate: (from: string, bytes: Uint8Array) => Verdict,
    handler: (from: string, bytes: Uint8Array) => void
  ): () => void {
    return this.#gossip.listen(jobTopic(modelDigestHex), {
      maxBytes: LIMITS.announcementBytes,
      rate: ANNOUNCEMENT_RATE,
      validate,
      handle: handler
    })
  }

  async publishHeartbeat(update: HeartbeatUpdate, options: AbortOptions = {}): Promise<{ recipients: number }> {
    const { components, identity } = this.#parts
    return this.#gossip.publish(HEARTBEAT_TOPIC, encodeHeartbeat(identity, update, components.clock.nowMs()), options)
  }

  onHeartbeat(handler: (heartbeat: Heartbeat) => void): () => void {
    this.#heartbeatHandlers.add(handler)
    return () => this.#heartbeatHandlers.delete(handler)
  }

  async handle(protocol: string, handler: StreamHandler, limits: HandleLimits): Promise<void> {
    await this.#streams.handle(protocol, handler, limits)
  }

  async open(peerId: string, protocol: string, options: OpenOptions): Promise<MeshStream> {
    return this.#streams.open(peerId, protocol, options)
  }

  #listenForHeartbeats(): void {
    const { book, components, keys } = this.#parts
    const decode = (from: string, bytes: Uint8Array): Heartbeat =>
      decodeHeartbeat(keys, bytes, components.clock.nowMs(), from)
    this.#gossip.listen(HEARTBEAT_TOPIC, {
      maxBytes: LIMITS.heartbeatBytes,
      rate: HEARTBEAT_RATE,
      validate: (from, bytes) => {
        try {
          return book.hear(decode(from, bytes)) ? 'accept' : 'ignore'
        } catch (err) {
          return isHonestFault(err) ? 'ignore' : 'reject'
        }
      },
      handle: (from, bytes) => {
        const heartbeat = decode(from, bytes)
        this.#heartbeatHandlers.forEach(handler => handler(heartbeat))
      }
    })
  }
}

function peerView(peerId: string, connections: Connection[]): PeerView {
  const [first] = connections
  return {
    peerId,
    addresses: connections.map(connection => connection.remoteAddr.toString()),
    direction: first?.direction ?? 'outbound',
    rttMs: connections.find(connection => connection.rtt !== undefined)?.rtt,
    limited: connections.every(connection => connection.limits !== undefined),
    connectedAtMs: Math.min(...connections.map(connection => connection.timeline.open))
  }
}

function checkAddress(setting: 'listen' | 'bootstrap', text: string): string {
  try {
    const address = multiaddr(text)
    if (setting === 'listen' || address.getComponents().at(-1)?.name === 'p2p') {
      return address.toString()
    }
  } catch {
    // Reported below, with what was expected.
  }
  const expected = setting === 'listen' ? '/ip4/0.0.0.0/tcp/4001' : '/ip4/203.0.113.7/tcp/4001/p2p/12D3Koo…'
  throw new UsageError('ADDRESS_INVALID', `"${text}" is not a ${setting} address: expected one like ${expected}`)
}
