import type { GossipSub } from '@chainsafe/libp2p-gossipsub'
import type { Connection, PeerId } from '@libp2p/interface'

/** What GossipSub's class has and its interface leaves out. */
interface Internals {
  readonly streamsOutbound: ReadonlyMap<string, unknown>
  /** Called by libp2p for a new connection; opens the stream of a peer that has none. */
  onPeerConnected(peerId: PeerId, connection: Connection): void
}

/** How long a message waits for a stream that is opened again. */
const REOPEN_MS = 500

/**
 * Opens gossip streams again that were reset on a connection which lives on. GossipSub opens one per connection and
 * never another: without this, a peer whose stream was reset once hears nothing until it reconnects (M29).
 */
export class GossipRepair {
  readonly #service: GossipSub & Internals
  readonly #connections: (peer: PeerId) => Connection[]
  readonly #reached = new Set<string>()

  constructor(service: GossipSub, connections: (peer: PeerId) => Connection[]) {
    this.#service = service as GossipSub & Internals
    this.#connections = connections
    service.addEventListener('gossipsub:heartbeat', () => this.#reopen())
  }

  /** Resolves once no known peer lacks its stream, or after a short while. Immediate when nothing is broken. */
  async run(): Promise<void> {
    const deadlineMs = performance.now() + REOPEN_MS
    while (this.#reopen() > 0 && performance.now() < deadlineMs) {
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }

  /** Asks for the missing streams; how many there are. */
  #reopen(): number {
    const { streamsOutbound } = this.#service
    let missing = 0
    for (const peer of this.#service.getPeers()) {
      const id = peer.toString()
      if (streamsOutbound.has(id)) {
        this.#reached.add(id)
        continue
      }
      // Only peers that had a stream: one that refuses it is not asked every second.
      const connection = this.#reached.has(id) ? this.#connections(peer).find(c => c.status === 'open') : undefined
      if (connection !== undefined) {
        missing++
        this.#service.onPeerConnected(peer, connection)
      }
    }
    this.#forgetDisconnected()
    return missing
  }

  #forgetDisconnected(): void {
    if (this.#reached.size > 2 * this.#service.getPeers().length) {
      const connected = new Set(this.#service.getPeers().map(String))
      for (const id of this.#reached) {
        if (!connected.has(id)) {
          this.#reached.delete(id)
        }
      }
    }
  }
}
