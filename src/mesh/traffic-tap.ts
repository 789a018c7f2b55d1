/** Bytes above the encryption of connections, as they were sent or received. */
export interface TrafficEvent {
  direction: 'in' | 'out'
  /**
   * - `gossip`: a message of a topic
   * - `stream`: a frame of one of our protocols
   * - `connection`: everything on a connection, the two above again and libp2p's own protocols (DHT, identify, ping),
   *   in the multiplexer's framing
   */
  kind: 'gossip' | 'stream' | 'connection'
  /** Protocol id of a stream, topic of a gossip message, protocol id of the multiplexer. */
  protocol: string
  /** Remote peer of a stream; author of a received gossip message, this node for one it sent; empty for `connection`. */
  peer: string
  /** The very bytes, not a copy: read, do not write. */
  bytes: Uint8Array
}

/** Sees all messages of this node, for audits and tests. Off unless given; never log what it shows. */
export type TrafficTap = (event: TrafficEvent) => void
