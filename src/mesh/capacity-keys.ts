import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as Digest from 'multiformats/hashes/digest'
import { sha256 } from '../core/bytes.ts'
import { CAPACITY_NAMESPACE } from '../wire/protocols.ts'
import { type Capacity, type CapacityQuery, capacityVramClass } from './capacity.ts'

// https://github.com/multiformats/multicodec/blob/master/table.csv
const SHA2_256 = 0x12

/** Tiers that are searched when a query names none. */
export const KNOWN_TIERS = ['tdx+gpu', 'tdx', 'snp', 'simulated'] as const

/** DHT key of a peer's own record: `/cocoon-cap/<peer id>`. */
export function capacityKey(peerId: string): Uint8Array {
  return new TextEncoder().encode(`/${CAPACITY_NAMESPACE}/${peerId}`)
}

/** The peer a DHT key speaks of, or undefined for a key of another shape. */
export function peerOfCapacityKey(key: Uint8Array): string | undefined {
  return new RegExp(`^/${CAPACITY_NAMESPACE}/([1-9A-HJ-NP-Za-km-z]{1,128})$`).exec(new TextDecoder().decode(key))?.[1]
}

/** Provider-record key of a model: SHA-256('cocoon/model' ‖ digest). */
export function modelKey(digest: Uint8Array): CID {
  return searchKey('cocoon/model', digest)
}

export function tierKey(tier: string): CID {
  return searchKey(`cocoon/tier/${tier}`)
}

export function vramKey(vramClass: string): CID {
  return searchKey(`cocoon/vram/${vramClass}`)
}

/** All keys under which a provider can be found. */
export function searchKeys(capacity: Capacity): CID[] {
  return [...capacity.models.map(m => modelKey(m.digest)), tierKey(capacity.tier), vramKey(capacityVramClass(capacity))]
}

/** The fewest keys that reach every match: the most telling one of the query, or every tier. */
export function queryKeys(query: CapacityQuery): CID[] {
  if (query.modelDigest !== undefined) {
    return [modelKey(query.modelDigest)]
  }
  if (query.vramClass !== undefined) {
    return [vramKey(query.vramClass)]
  }
  return query.tier === undefined ? KNOWN_TIERS.map(tierKey) : [tierKey(query.tier)]
}

function searchKey(...parts: Array<string | Uint8Array>): CID {
  return CID.createV1(raw.code, Digest.create(SHA2_256, sha256(...parts)))
}
