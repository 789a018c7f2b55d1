import '../core/node20-shim.ts'
import { type GossipSub, gossipsub } from '@chainsafe/libp2p-gossipsub'
import { noise } from '@chainsafe/libp2p-noise'
import type { YamuxMuxerInit } from '@chainsafe/libp2p-yamux'
import { bootstrap } from '@libp2p/bootstrap'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { type KadDHT, kadDHT, passthroughMapper, removePrivateAddressesMapper } from '@libp2p/kad-dht'
import { prefixLogger } from '@libp2p/logger'
import { mdns } from '@libp2p/mdns'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import { CAPACITY_NAMESPACE, PROTOCOLS } from '../wire/protocols.ts'
import type { CapacityBook } from './capacity-book.ts'
import { gossipOptions } from './gossip-options.ts'
import { eagerYamux } from './muxer.ts'
import type { PeerIdentity } from './peer-identity.ts'
import { isOwnAddress } from './self-dial.ts'
import { steadyDatastore } from './steady-datastore.ts'
import type { TrafficTap } from './traffic-tap.ts'

/** Where libp2p keeps peers, provider records and values; `datastore-level` over the home's LevelDB in production. */
export type Datastore = NonNullable<Libp2pOptions['datastore']>

export interface MeshServices extends Record<string, unknown> {
  identify: Identify
  ping: Ping
  dht: KadDHT
  gossip: GossipSub
}

export type MeshNode = Libp2p<MeshServices>

export interface NodeInit {
  listen: string[]
  bootstrap: string[]
  mdns: boolean
  allowPrivateAddresses: boolean
  /** Lower than 0 mutes a peer in gossip; see `PeerStanding`. */
  standing: (peerId: string) => number
  tap: TrafficTap | undefined
}

/** Protocols whose streams carry data at once; everyone in the mesh who serves any of them is expected to serve it. */
export const EAGER_PROTOCOLS: ReadonlySet<string> = new Set([
  PROTOCOLS.attest,
  PROTOCOLS.offer,
  PROTOCOLS.job,
  PROTOCOLS.channel
])

const MUXER: YamuxMuxerInit = {
  // Streams that arrive while the connection is still being set up. At libp2p's 10, a client that connects and asks for
  // a dozen jobs at once loses the whole connection.
  maxEarlyStreams: 256,
  streamOptions: { maxStreamWindowSize: 1024 * 1024 }
}

/**
 * The connection monitor, the DHT and our own checks ping the same peer. At libp2p's limits of one stream out and two
 * in, two pings at one moment look like a dead peer, and the monitor aborts a healthy connection with all its streams.
 */
const PING = { maxInboundStreams: 32, maxOutboundStreams: 32 }

const HOUR_MS = 3_600_000

/** A provider record without renewal is forgotten after this long. Providers publish every few minutes. */
const PROVIDER_VALIDITY_MS = 2 * HOUR_MS

/** libp2p with exactly the parts the mesh uses. Does not start it. */
export function createNode(
  identity: PeerIdentity,
  book: CapacityBook,
  init: NodeInit,
  datastore?: Datastore
): Promise<MeshNode> {
  let node: MeshNode | undefined
  const local = init.allowPrivateAddresses
  // Nagle's algorithm with delayed ACKs would add 40 ms to every small frame. libp2p's default agrees today.
  const socket = { noDelay: true, keepAlive: true }
  const options: Libp2pOptions<MeshServices> = {
    start: false,
    privateKey: identity.privateKey,
    logger: prefixLogger(identity.id.slice(-6)),
    nodeInfo: { name: 'cocoon-node', userAgent: 'cocoon-node' },
    addresses: { listen: init.listen },
    transports: [tcp({ dialOpts: socket, listenOpts: socket })],
    connectionEncrypters: [noise()],
    streamMuxers: [eagerYamux(MUXER, EAGER_PROTOCOLS, init.tap)],
    connectionGater: {
      denyDialMultiaddr: address => node !== undefined && isOwnAddress(address, node.getMultiaddrs())
    },
    connectionManager: {
      dialTimeout: 10_000,
      addressDialTimeout: 3_000,
      maxConnections: 300,
      // Limits are per host: a simnet's nodes share one.
      ...(local ? { inboundConnectionThreshold: 10_000, maxIncomingPendingConnections: 1_000 } : {})
    },
    // Half-open connections (M20): unanswered for 10 to 20 s, they are aborted, and their streams fail.
    connectionMonitor: { pingInterval: 10_000, pingTimeout: { minTimeout: 5_000, maxTimeout: 10_000 } },
    // Longer than provider records live: kad-dht fails a whole answer if the peer of one record was forgotten.
    peerStore: { maxAddressAge: 2 * PROVIDER_VALIDITY_MS, maxPeerAge: 24 * HOUR_MS },
    peerDiscovery: [
      ...(init.bootstrap.length > 0 ? [bootstrap({ list: init.bootstrap, timeout: 0 })] : []),
      ...(init.mdns ? [mdns()] : [])
    ],
    services: {
      identify: identify(),
      ping: ping(PING),
      dht: kadDHT({
        protocol: PROTOCOLS.dht,
        peerInfoMapper: local ? passthroughMapper : removePrivateAddressesMapper,
        validators: { [CAPACITY_NAMESPACE]: (key, value) => book.validate(key, value) },
        selectors: { [CAPACITY_NAMESPACE]: (key, values) => book.select(key, values) },
        // Unset in production: a client until a public address is confirmed (M04).
        ...(local ? { clientMode: false } : {}),
        // Discovery waits for DHT peers itself, with a limit and a named cause (M01).
        allowQueryWithZeroPeers: true,
        reprovide: { validity: PROVIDER_VALIDITY_MS, threshold: HOUR_MS, interval: 10 * 60_000 }
      }),
      gossip: gossipsub(gossipOptions(init.standing, local))
    },
    ...(datastore === undefined ? {} : { datastore: steadyDatastore(datastore) })
  }
  return createLibp2p(options).then(created => {
    node = created
    return created
  })
}
