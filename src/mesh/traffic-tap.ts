/** One message or frame above the encryption of connections, as it was sent or received. */
export interface TrafficEvent {
  direction: 'in' | 'out'
  kind: 'gossip' | 'stream'
  /** Protocol id of a stream, topic of a gossip message. */
  protocol: string
  /** Remote peer of a stream; author of a received gossip message, this node for one it sent. */
  peer: string
  /** The very bytes, not a copy: read, do not write. */
  bytes: Uint8Array
}

/** Sees all messages of this node, for audits and tests. Off unless given; never log what it shows. */
export type TrafficTap = (event: TrafficEvent) => void
