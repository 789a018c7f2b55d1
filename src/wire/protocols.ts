/** libp2p protocol ids and gossip topics. A breaking change of a message bumps its id. */
export const PROTOCOLS = {
  /** Kademlia, kept apart from the public IPFS DHT. */
  dht: '/cocoon/kad/1.0.0',
  /** Statement and evidence of the provider's enclave. */
  attest: '/cocoon/attest/1.0.0',
  /** Provider to client: one offer, one answer. */
  offer: '/cocoon/offer/1.0.0',
  /** Vouchers up, sealed chunks down. */
  job: '/cocoon/job/1.0.0',
  /** Channel reconciliation and cooperative close. */
  channel: '/cocoon/channel/1.0.0'
} as const

/** Version carried in announcements and records. */
export const WIRE_VERSION = 1

/** Topic on which jobs of one model are announced. `modelDigestHex`: SHA-256 of the GGUF, lower-case hex. */
export function jobTopic(modelDigestHex: string): string {
  return `/cocoon/jobs/1/${modelDigestHex}`
}

export const HEARTBEAT_TOPIC = '/cocoon/heartbeat/1'

/** DHT key space of capacity records: `/cocoon-cap/<peer id>`. */
export const CAPACITY_NAMESPACE = 'cocoon-cap'
