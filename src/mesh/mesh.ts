import type { AbortOptions } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/logger.ts'
import type { Random } from '../core/random.ts'
import type { Capacity, CapacityQuery } from './capacity.ts'
import type { DiscoveryFailure, FindOptions, LookupOptions } from './discovery.ts'
import type { Verdict } from './gossip.ts'
import type { Heartbeat, HeartbeatUpdate } from './heartbeat.ts'
import type { Datastore } from './libp2p-node.ts'
import type { MeshStream } from './message-stream.ts'
import type { TrafficTap } from './traffic-tap.ts'

export interface MeshInit {
  /** 32-byte Ed25519 seed of the peer key. */
  privateKeySeed: Uint8Array
  /** TCP multiaddrs to listen on, e.g. `/ip4/0.0.0.0/tcp/4001`; empty for a node that only dials. */
  listen: string[]
  /** Multiaddrs of known peers, each ending in `/p2p/<id>`. */
  bootstrap: string[]
  /** Looks for peers on the local network. */
  mdns: boolean
  /**
   * Treats loopback and private addresses as reachable, serves the DHT at once and lifts libp2p's per-host limits: for
   * simnets and closed networks. In production a node is a DHT client until it has a public address (M04).
   */
  allowPrivateAddresses: boolean
  /** Told to peers in the agent string only; what a node does follows from what is called. */
  role: 'provider' | 'client'
  /**
   * Sees every frame and gossip message, for audits.
   * @default none
   */
  tap?: TrafficTap
}

export interface MeshComponents {
  logger: Logger
  clock: Clock
  random: Random
  /**
   * Keeps known peers and DHT records over restarts.
   * @default in memory
   */
  datastore?: Datastore
}

/** A connected peer. */
export interface PeerView {
  peerId: string
  /** Address of each open connection. */
  addresses: string[]
  direction: 'inbound' | 'outbound'
  /** Last ping, in milliseconds. */
  rttMs: number | undefined
  /** Only a relay with limits on time and bytes leads there. */
  limited: boolean
  connectedAtMs: number
}

/** How well the node is connected, for a status page (M01). */
export interface MeshStatus {
  peers: number
  dhtPeers: number
  /** `client` until the node is known to be reachable. */
  dhtMode: 'client' | 'server'
  lastDiscoveryFailure: DiscoveryFailure | undefined
}

export interface HandleLimits {
  maxFrameBytes: number
  /**
   * Streams of this protocol that one connection may have open to us.
   * @default 32
   */
  maxInboundStreams?: number
}

export interface OpenOptions extends AbortOptions {
  maxFrameBytes: number
}

export interface AnnounceOptions extends AbortOptions {
  /**
   * How long to wait for a peer that listens.
   * @default 3_000
   */
  waitMs?: number
}

export type StreamHandler = (stream: MeshStream, peer: { id: string }) => Promise<void>

/** The node's place in the mesh: identity, connections, discovery, gossip and streams. */
export interface Mesh {
  readonly peerId: string
  /** Multihash of the peer id, as records carry it. */
  readonly peerIdBytes: Uint8Array

  /** @throws {EnvironmentError} `LISTEN_FAILED` if an address cannot be listened on; nothing is left running */
  start(): Promise<void>

  /** Resets open streams, closes connections, frees the ports. Ends within 10 seconds whatever peers do (M26). */
  stop(): Promise<void>

  /** Multiaddrs under which this node believes it can be reached, with its peer id. */
  addresses(): string[]
  peers(): PeerView[]
  status(): MeshStatus

  /** Ed25519 signature by the peer key. Put a domain in front of `message`. */
  sign(message: Uint8Array): Uint8Array
  /** False too for an id that is no Ed25519 peer. */
  verifyPeerSignature(peerId: string, message: Uint8Array, signature: Uint8Array): boolean

  /**
   * Connects, unless connected already. Addresses that lead to this node itself are left out (M07), each is tried for a
   * short time first and a longer one after all others (M17).
   *
   * @throws {UsageError} `SELF_DIAL`
   * @throws {PeerError} `PEER_ID_INVALID`
   * @throws {NetworkError} `PEER_UNREACHABLE`
   * @throws {CancelledError} `CANCELLED`
   */
  connect(peerId: string, addresses: string[], options?: AbortOptions): Promise<void>

  /** See `Discovery.publish`. */
  publishCapacity(record: Capacity, options?: LookupOptions): Promise<void>
  /** See `Discovery.find`. */
  findProviders(query: CapacityQuery, options?: FindOptions): AsyncIterable<Capacity>
  /** See `Discovery.get`. */
  getCapacity(peerId: string, options?: LookupOptions): Promise<Capacity>

  /**
   * Gossips a job announcement to every connected peer that listens for this model.
   *
   * @param modelDigestHex - SHA-256 of the GGUF file, lower-case hex
   * @throws {UsageError} `ANNOUNCEMENT_TOO_LARGE`, with nothing sent (M28)
   * @throws {NetworkError} `NO_GOSSIP_PEERS` if nobody listens within `waitMs`
   * @throws {CancelledError} `CANCELLED`
   */
  announceJob(modelDigestHex: string, bytes: Uint8Array, options?: AnnounceOptions): Promise<{ recipients: number }>

  /** Connected peers that listen for jobs of this model: those an announcement would reach at once. */
  listeners(modelDigestHex: string): number

  /**
   * Listens for announcements of one model. Size and rate are checked before `validate`; answer `reject` only for what
   * every node would refuse, `ignore` for what depends on local state: rejected messages count against honest peers
   * that passed them on.
   *
   * @returns stops listening
   * @throws {UsageError} `TOPIC_TAKEN` if this node listens for the model already
   */
  onAnnouncement(
    modelDigestHex: string,
    validate: (from: string, bytes: Uint8Array) => Verdict,
    handler: (from: string, bytes: Uint8Array) => void
  ): () => void

  /**
   * Tells the mesh what changed since the capacity record, every ~15 s with jitter. Zero recipients are no error.
   *
   * @throws {UsageError} `HEARTBEAT_INVALID`
   */
  publishHeartbeat(update: HeartbeatUpdate, options?: AbortOptions): Promise<{ recipients: number }>
  /** Every verified heartbeat that is newer than the sender's last. Returns what stops it. */
  onHeartbeat(handler: (heartbeat: Heartbeat) => void): () => void

  /**
   * Serves a protocol. The stream is closed when the handler ends and reset when it throws. Callable before `start`.
   */
  handle(protocol: string, handler: StreamHandler, limits: HandleLimits): Promise<void>

  /**
   * Opens a stream, connecting first where needed, and once more where the connection turns out to be dead (M20). The
   * first frame may be written at once: the mesh's own protocols are not negotiated first, so a peer that does not speak
   * one, or is gone without our knowing, is noticed by the first read.
   *
   * @throws {UsageError} `SELF_DIAL`
   * @throws {PeerError} `PEER_ID_INVALID`, `PROTOCOL_UNSUPPORTED`
   * @throws {NetworkError} `PEER_UNREACHABLE`, `RELAY_LIMITED`, `STREAM_RESET`
   * @throws {CancelledError} `CANCELLED`
   */
  open(peerId: string, protocol: string, options: OpenOptions): Promise<MeshStream>
}
