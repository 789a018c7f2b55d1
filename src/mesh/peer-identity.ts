import type { KeyObject } from 'node:crypto'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey, PeerId } from '@libp2p/interface'
import { peerIdFromMultihash, peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import * as Digest from 'multiformats/hashes/digest'
import { ed25519FromSeed, ed25519PublicKey, ed25519Sign, ed25519Verify } from '../core/ed25519.ts'
import { PeerError } from '../core/errors.ts'

/** This node's key and the names that follow from it. */
export interface PeerIdentity {
  /** Text form, `12D3Koo…`. */
  readonly id: string
  /** Multihash bytes, as they stand in records. */
  readonly idBytes: Uint8Array
  readonly peerId: PeerId
  readonly privateKey: Ed25519PrivateKey
  /** Ed25519 signature of `message` by the peer key. The caller puts a domain in front. */
  sign(message: Uint8Array): Uint8Array
}

/** @param seed - 32-byte RFC 8032 seed of the peer key */
export async function peerIdentity(seed: Uint8Array): Promise<PeerIdentity> {
  const privateKey = await generateKeyPairFromSeed('Ed25519', seed)
  const peerId = peerIdFromPrivateKey(privateKey)
  // node:crypto with a cached KeyObject is ~100 times faster than signing through libp2p's key.
  const key = ed25519FromSeed(seed).privateKey
  return {
    id: peerId.toString(),
    idBytes: peerId.toMultihash().bytes,
    peerId,
    privateKey,
    sign: message => ed25519Sign(key, message)
  }
}

/** @throws {PeerError} `PEER_ID_INVALID` unless `text` names an Ed25519 peer */
export function parsePeerId(text: string): PeerId {
  try {
    return requireEd25519(peerIdFromString(text))
  } catch (cause) {
    throw new PeerError('PEER_ID_INVALID', `"${text.slice(0, 80)}" is not the id of an Ed25519 peer`, { cause })
  }
}

/** @throws {PeerError} `PEER_ID_INVALID` unless `bytes` are the canonical multihash of an Ed25519 peer */
export function peerIdFromBytes(bytes: Uint8Array): PeerId {
  try {
    const peerId = requireEd25519(peerIdFromMultihash(Digest.decode(bytes)))
    if (Buffer.compare(peerId.toMultihash().bytes, bytes) !== 0) {
      throw new RangeError('Not canonical')
    }
    return peerId
  } catch (cause) {
    throw new PeerError('PEER_ID_INVALID', `${bytes.byteLength} bytes are not the id of an Ed25519 peer`, { cause })
  }
}

/** Verifies signatures of peers whose key is their id. Keeps the parsed keys of recent peers. */
export class PeerKeys {
  readonly #keys = new Map<string, KeyObject>()
  readonly #limit: number

  constructor(limit = 1024) {
    this.#limit = limit
  }

  /** False for a bad signature and for an id that is no Ed25519 peer. */
  verify(peerId: string, message: Uint8Array, signature: Uint8Array): boolean {
    try {
      return ed25519Verify(this.#key(peerId), message, signature)
    } catch {
      return false
    }
  }

  #key(peerId: string): KeyObject {
    const known = this.#keys.get(peerId)
    if (known !== undefined) {
      return known
    }
    const raw = parsePeerId(peerId).publicKey?.raw
    if (raw === undefined) {
      throw new PeerError('PEER_ID_INVALID', `${peerId} does not carry its key`)
    }
    const key = ed25519PublicKey(raw)
    if (this.#keys.size >= this.#limit) {
      const oldest = this.#keys.keys().next().value
      this.#keys.delete(oldest ?? peerId)
    }
    this.#keys.set(peerId, key)
    return key
  }
}

function requireEd25519(peerId: PeerId): PeerId {
  if (peerId.type !== 'Ed25519') {
    throw new RangeError(`A ${peerId.type} peer`)
  }
  return peerId
}
