import { multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/logger.ts'
import type { Random } from '../core/random.ts'
import { PROTOCOLS } from '../wire/protocols.ts'
import type { DiscoveryFailure } from './discovery.ts'
import type { MeshNode } from './libp2p-node.ts'
import { dialReason } from './mesh-errors.ts'

/** With fewer peers than this, bootstraps and known peers are dialled again. */
const MIN_PEERS = 3
const MAX_DIALS = 8
/** Without any peer, the next look comes this soon, and each one after it twice as late. */
const FIRST_RETRY_MS = 1_000

export interface KeepConnectedComponents {
  node: MeshNode
  bootstrap: string[]
  clock: Clock
  random: Random
  logger: Logger
  /**
   * How often the number of peers is looked at, in milliseconds; up to a third more by chance.
   * @default 15_000
   */
  checkMs?: number
}

/**
 * Keeps a node from staying alone: libp2p dials bootstraps once, at start, and gives up. The peers that libp2p's
 * store remembers serve as bootstraps too, so a node that was in the mesh before does not depend on them.
 */
export class KeepConnected {
  readonly #components: KeepConnectedComponents
  /** Checks in a row that ended without a single peer. */
  #lonelyChecks = 0
  #timer: NodeJS.Timeout | undefined
  #stopped = new AbortController()
  #lastFailure: DiscoveryFailure | undefined

  constructor(components: KeepConnectedComponents) {
    this.#components = components
  }

  /** The last time no peer at all could be reached. */
  get lastFailure(): DiscoveryFailure | undefined {
    return this.#lastFailure
  }

  start(): void {
    this.#stopped = new AbortController()
    void this.#check()
  }

  stop(): void {
    this.#stopped.abort()
    clearTimeout(this.#timer)
  }

  async #check(): Promise<void> {
    const { checkMs = 15_000, logger, node, random } = this.#components
    try {
      if (node.getPeers().length < MIN_PEERS) {
        await this.#dialKnown()
      }
    } catch (err) {
      logger.warn('Looking for peers failed', { reason: dialReason(err) })
    }
    if (!this.#stopped.signal.aborted) {
      this.#lonelyChecks = node.getPeers().length === 0 ? this.#lonelyChecks + 1 : 0
      const waitMs =
        this.#lonelyChecks === 0 ? checkMs : Math.min(checkMs, FIRST_RETRY_MS * 2 ** (this.#lonelyChecks - 1))
      // A restarted network must not dial in step.
      const jitterMs = ((random.bytes(1)[0] ?? 0) / 256) * (waitMs / 3)
      this.#timer = setTimeout(() => void this.#check(), waitMs + jitterMs).unref()
    }
  }

  async #dialKnown(): Promise<void> {
    const { bootstrap, clock, logger, node } = this.#components
    const known = await node.peerStore.all({
      filters: [peer => peer.protocols.includes(PROTOCOLS.dht)],
      limit: MAX_DIALS
    })
    const connected = new Set(node.getPeers().map(String))
    const targets = [
      ...bootstrap.map(text => multiaddr(text)),
      ...known.filter(peer => !connected.has(peer.id.toString())).map(peer => peer.id)
    ]
    const dials = await Promise.allSettled(targets.map(target => node.dial(target, { signal: this.#stopped.signal })))
    const failed = dials.filter(dial => dial.status === 'rejected')
    if (failed.length > 0 && node.getPeers().length === 0 && !this.#stopped.signal.aborted) {
      const message = `None of ${dials.length} known peers was reached: ${dialReason(failed[0]?.reason)}`
      this.#lastFailure = { code: 'NO_PEERS', message, atMs: clock.nowMs() }
      logger.warn(message)
    }
  }
}
