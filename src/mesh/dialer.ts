import type { Connection } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { type AbortOptions, withTimeLimit } from '../core/abort.ts'
import { UsageError } from '../core/errors.ts'
import type { CapacityBook } from './capacity-book.ts'
import type { MeshNode } from './libp2p-node.ts'
import { openError } from './mesh-errors.ts'
import { parsePeerId } from './peer-identity.ts'
import { isOwnAddress } from './self-dial.ts'

/** First try of each address, so that a black hole does not eat the time of the good one behind it (M17). */
const QUICK_ADDRESS_MS = 1_200
/** Second try, for slow but honest links. */
const PATIENT_ADDRESS_MS = 6_000
const DIAL_MS = 20_000

/** Connections to peers, by id and by what addresses are known. */
export class Dialer {
  readonly #node: MeshNode
  readonly #book: CapacityBook

  constructor(node: MeshNode, book: CapacityBook) {
    this.#node = node
    this.#book = book
  }

  /** An open connection to the peer, a direct one if there is any. */
  existing(peerId: string): Connection | undefined {
    const open = this.#node.getConnections(parsePeerId(peerId)).filter(connection => connection.status === 'open')
    return open.find(connection => connection.limits === undefined) ?? open[0]
  }

  /**
   * The open connection to a peer, or a new one: over the given addresses, over those of its capacity record, over what
   * libp2p remembers or the DHT knows, in that order.
   *
   * @throws {UsageError} `SELF_DIAL`
   * @throws {NetworkError} `PEER_UNREACHABLE`
   * @throws {CancelledError} `CANCELLED`
   */
  async connection(peerId: string, addresses: string[], options: AbortOptions = {}): Promise<Connection> {
    const target = parsePeerId(peerId)
    if (target.equals(this.#node.peerId)) {
      throw new UsageError('SELF_DIAL', `${peerId} is this node itself`)
    }
    const open = this.existing(peerId)
    if (open !== undefined && open.limits === undefined) {
      return open
    }
    const candidates = this.#candidates(peerId, [...addresses, ...(this.#book.current(peerId)?.addresses ?? [])])
    return withTimeLimit(DIAL_MS, options.signal, async signal => {
      const connection = await this.#firstOf(candidates, signal)
      if (connection !== undefined) {
        return connection
      }
      try {
        return open ?? (await this.#node.dial(target, { signal }))
      } catch (err) {
        throw openError(peerId, undefined, err, options.signal)
      }
    })
  }

  async #firstOf(candidates: readonly Multiaddr[], signal: AbortSignal): Promise<Connection | undefined> {
    for (const timeoutMs of [QUICK_ADDRESS_MS, PATIENT_ADDRESS_MS]) {
      for (const address of candidates) {
        if (signal.aborted) {
          return undefined
        }
        const dial = withTimeLimit(timeoutMs, signal, limit => this.#node.dial(address, { signal: limit }))
        const connection = await dial.catch(() => undefined)
        if (connection !== undefined) {
          return connection
        }
      }
    }
    return undefined
  }

  #candidates(peerId: string, addresses: string[]): Multiaddr[] {
    const own = this.#node.getMultiaddrs()
    const named = addresses.flatMap(text => withPeer(text, peerId)).filter(address => !isOwnAddress(address, own))
    return [...new Map(named.map(address => [address.toString(), address])).values()]
  }
}

/** The address with its `/p2p/<id>`, or nothing if it is malformed or names another peer. */
function withPeer(text: string, peerId: string): Multiaddr[] {
  try {
    const address = multiaddr(text)
    const named = address.getComponents().findLast(part => part.name === 'p2p')?.value
    if (named === undefined) {
      return [address.encapsulate(`/p2p/${peerId}`)]
    }
    return named === peerId ? [address] : []
  } catch {
    return []
  }
}
