import type { KadDHT } from '@libp2p/kad-dht'
import type { CID } from 'multiformats/cid'

/** The part of kad-dht's routing table that its interface leaves out. */
interface RoutingTable {
  readonly size: number
  addEventListener(type: 'peer:add', listener: () => void): void
  removeEventListener(type: 'peer:add', listener: () => void): void
}

/** DHT servers in the routing table. */
export function dhtPeerCount(dht: KadDHT): number {
  return routingTable(dht).size
}

/** True once the routing table has a peer, false if the signal aborts before. */
export async function waitForDhtPeer(dht: KadDHT, signal: AbortSignal): Promise<boolean> {
  const table = routingTable(dht)
  if (table.size === 0 && !signal.aborted) {
    await new Promise<void>(resolve => {
      const done = (): void => {
        table.removeEventListener('peer:add', done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      table.addEventListener('peer:add', done)
      signal.addEventListener('abort', done)
    })
  }
  return table.size > 0
}

/** Copies of a value as other peers return them, one by one. Ends quietly when the query fails: what came is real. */
export async function* remoteCopies(
  dht: KadDHT,
  key: Uint8Array,
  signal: AbortSignal
): AsyncGenerator<{ from: string; value: Uint8Array }> {
  try {
    for await (const event of dht.get(key, { signal })) {
      // VALUE events come only at the end, after corrections were sent, and include our own copy.
      if (event.name === 'PEER_RESPONSE' && event.record !== undefined) {
        yield { from: event.from.toString(), value: event.record.value }
      }
    }
  } catch {
    // A correction that a peer refuses fails the whole query, after its answers.
  }
}

/** Ids of peers with a provider record under `key`, repeats possible. Ends quietly when the query fails. */
export async function* providerIds(dht: KadDHT, key: CID, signal: AbortSignal): AsyncGenerator<string> {
  try {
    for await (const event of dht.findProviders(key, { signal })) {
      if (event.name === 'PROVIDER') {
        yield* event.providers.map(provider => provider.id.toString())
      }
    }
  } catch {
    // As above: the search as a whole reports what it found, or that it found nothing.
  }
}

export async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events) {
    // Queries run only while they are iterated.
  }
}

function routingTable(dht: KadDHT): RoutingTable {
  return (dht as KadDHT & { readonly routingTable: RoutingTable }).routingTable
}
