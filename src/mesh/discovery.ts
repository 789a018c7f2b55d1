import { setMaxListeners } from 'node:events'
import type { KadDHT } from '@libp2p/kad-dht'
import type { CID } from 'multiformats/cid'
import { type AbortOptions, linkSignals, throwIfAborted, withTimeLimit } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import { CancelledError, errorCode, errorMessage, NetworkError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { TaskPool } from '../core/task-pool.ts'
import { AsyncQueue } from './async-queue.ts'
import { type Capacity, type CapacityQuery, matchesQuery } from './capacity.ts'
import type { CapacityBook } from './capacity-book.ts'
import { encodeCapacity } from './capacity-codec.ts'
import { capacityKey, queryKeys, searchKeys } from './capacity-keys.ts'
import { dhtPeerCount, drain, providerIds, remoteCopies, waitForDhtPeer } from './dht-lookup.ts'
import type { PeerIdentity } from './peer-identity.ts'

export interface LookupOptions extends AbortOptions {
  /**
   * Time limit, waiting for a first DHT peer included.
   * @default 10_000
   */
  timeoutMs?: number
}

export interface FindOptions extends LookupOptions {
  /**
   * Providers after which the search stops.
   * @default 20
   */
  limit?: number
}

export interface DiscoveryComponents {
  dht: KadDHT
  book: CapacityBook
  identity: PeerIdentity
  clock: Clock
  logger: Logger
}

/** The last failed attempt to find or publish anything, for a status page. */
export interface DiscoveryFailure {
  code: string
  message: string
  atMs: number
}

const DEFAULT_TIMEOUT_MS = 10_000
const DEFAULT_LIMIT = 20
/** Equal copies that settle a lookup. */
const ENOUGH_COPIES = 3
/** Records fetched at once by one search. */
const PARALLEL_FETCHES = 8
/** A record confirmed this recently is not fetched again. */
const RECENT_MS = 5_000

/** Capacity records in the DHT: values under the peer's own key, provider records under the keys clients search by. */
export class Discovery {
  readonly #components: DiscoveryComponents
  #provided: CID[] = []
  #lastFailure: DiscoveryFailure | undefined

  constructor(components: DiscoveryComponents) {
    this.#components = components
  }

  get lastFailure(): DiscoveryFailure | undefined {
    return this.#lastFailure
  }

  /**
   * Publishes this node's record: the value, a provider record per search key, and a read-back from other peers, for
   * a put that everyone refuses ends without an error (M05). Publish again within two hours, and at every change.
   *
   * @throws {UsageError} `CAPACITY_INVALID`
   * @throws {PeerError} `CAPACITY_STALE` if a record of this node with a higher sequence number is known
   * @throws {NetworkError} `NO_PEERS`, or `CAPACITY_NOT_STORED` if no other peer returned the record in time
   * @throws {CancelledError} `CANCELLED`
   */
  async publish(capacity: Capacity, options: LookupOptions = {}): Promise<void> {
    const { book, dht, identity, logger } = this.#components
    const bytes = encodeCapacity(identity, capacity)
    book.learn(bytes, identity.id)
    await this.#attempt(options, async signal => {
      const keys = searchKeys(capacity)
      const writes = [
        drain(dht.put(capacityKey(identity.id), bytes, { signal })),
        ...keys.map(key => drain(dht.provide(key, { signal })))
      ]
      for (const result of await Promise.allSettled(writes)) {
        if (result.status === 'rejected') {
          logger.debug('A DHT write failed', { reason: errorMessage(result.reason) })
        }
      }
      await this.#withdrawExcept(keys)
      if (!(await this.#isStored(bytes, signal))) {
        throw new NetworkError(
          'CAPACITY_NOT_STORED',
          `No other peer returned the capacity record just published (${dhtPeerCount(dht)} DHT peers): check this machine's clock and connection, and publish again`
        )
      }
    })
  }

  /**
   * The newest record of one peer, with the slots and prices of a fresh heartbeat.
   *
   * @throws {NetworkError} `NO_PEERS`, or `CAPACITY_NOT_FOUND` if no valid record is known
   * @throws {CancelledError} `CANCELLED`
   */
  async get(peerId: string, options: LookupOptions = {}): Promise<Capacity> {
    return this.#attempt(options, async signal => {
      await this.#fetch(peerId, signal)
      throwIfAborted(options.signal)
      const capacity = this.#components.book.current(peerId)
      if (capacity === undefined) {
        throw new NetworkError('CAPACITY_NOT_FOUND', `No valid capacity record of ${peerId} was found`, {
          details: { peer: peerId }
        })
      }
      return capacity
    })
  }

  /**
   * Verified, unexpired records that match, each peer once, this node never (M07). Ends at `limit`, at `timeoutMs`, or
   * when the network has no more. A known provider whose record is still valid is found even if this lookup misses
   * it (M02).
   *
   * @throws {NetworkError} `NO_PEERS` or `NO_PROVIDERS` if it ends with nothing found
   * @throws {CancelledError} `CANCELLED`
   */
  async *find(query: CapacityQuery, options: FindOptions = {}): AsyncGenerator<Capacity> {
    const stop = new AbortController()
    const found = new AsyncQueue<Capacity>()
    let count = 0
    const either = linkSignals(options.signal, stop.signal)
    this.#attempt({ ...options, signal: either.signal }, async signal => {
      await this.#search(query, signal, capacity => {
        count++
        found.push(capacity)
      })
      throwIfAborted(options.signal)
      if (count === 0) {
        throw new NetworkError(
          'NO_PROVIDERS',
          `No provider matches after asking ${dhtPeerCount(this.#components.dht)} DHT peers: try another model or tier, or again later`
        )
      }
    })
      .finally(either.unlink)
      .then(
        () => found.end(),
        (err: unknown) => found.fail(err)
      )
    let left = options.limit ?? DEFAULT_LIMIT
    try {
      for await (const capacity of found) {
        yield capacity
        left--
        if (left === 0) {
          return
        }
      }
    } finally {
      stop.abort()
    }
  }

  /** Runs a task once there is a DHT peer, within the time limit, and remembers why it failed. */
  async #attempt<T>(options: LookupOptions, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    throwIfAborted(options.signal)
    const { clock, dht } = this.#components
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    try {
      return await withTimeLimit(timeoutMs, options.signal, async signal => {
        // One query listens for every request it has under way.
        setMaxListeners(0, signal)
        const online = await waitForDhtPeer(dht, signal)
        throwIfAborted(options.signal)
        if (!online) {
          throw new NetworkError(
            'NO_PEERS',
            `No peer of the mesh was reached within ${timeoutMs} ms: check the network and the bootstrap addresses`
          )
        }
        return task(signal)
      })
    } catch (err) {
      if (!(err instanceof CancelledError)) {
        this.#lastFailure = { code: errorCode(err) ?? 'INTERNAL', message: errorMessage(err), atMs: clock.nowMs() }
      }
      throw err
    }
  }

  async #search(query: CapacityQuery, signal: AbortSignal, onFound: (capacity: Capacity) => void): Promise<void> {
    const { book, dht, identity } = this.#components
    const seen = new Set([identity.id])
    const pool = new TaskPool(PARALLEL_FETCHES)
    const consider = (peerId: string): void => {
      if (seen.has(peerId)) {
        return
      }
      seen.add(peerId)
      pool.add(async () => {
        if (!book.isRecent(peerId, RECENT_MS)) {
          await this.#fetch(peerId, signal)
        }
        const capacity = book.current(peerId)
        if (capacity !== undefined && matchesQuery(capacity, query)) {
          onFound(capacity)
        }
      })
    }
    book.peers(query).forEach(consider)
    await Promise.all(
      queryKeys(query).map(async key => {
        for await (const peerId of providerIds(dht, key, signal)) {
          consider(peerId)
        }
      })
    )
    await pool.idle()
  }

  /** Brings the book up to date on one peer. Stops early at the peer's own copy or at enough equal ones. */
  async #fetch(peerId: string, signal: AbortSignal): Promise<void> {
    const { book, dht, logger } = this.#components
    const copies = new Map<bigint, number>()
    for await (const { from, value } of remoteCopies(dht, capacityKey(peerId), signal)) {
      try {
        const { sequence } = book.learn(value, peerId)
        copies.set(sequence, (copies.get(sequence) ?? 0) + 1)
        if (from === peerId || copies.get(sequence) === ENOUGH_COPIES) {
          return
        }
      } catch (err) {
        logger.debug('Refused a capacity record', { from, peer: peerId, code: errorCode(err) })
      }
    }
  }

  async #isStored(bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const { dht, identity } = this.#components
    for await (const { value } of remoteCopies(dht, capacityKey(identity.id), signal)) {
      if (Buffer.compare(value, bytes) === 0) {
        return true
      }
    }
    return false
  }

  /** Stops renewing provider records for what is offered no more. */
  async #withdrawExcept(keys: CID[]): Promise<void> {
    const dropped = this.#provided.filter(old => !keys.some(key => key.equals(old)))
    this.#provided = keys
    await Promise.all(dropped.map(key => this.#components.dht.cancelReprovide(key)))
  }
}
