import { PeerError } from '../core/errors.ts'
import { decodeWire, requireField } from '../wire/check.ts'
import { SignedRecord } from '../wire/generated/capacity.ts'
import type { PeerIdentity, PeerKeys } from './peer-identity.ts'

const encoder = new TextEncoder()

/** Signs `payload` for one purpose: a signature made for another domain never verifies. */
export function sealRecord(identity: PeerIdentity, domain: string, payload: Uint8Array): Uint8Array {
  return SignedRecord.encode({ payload, signature: identity.sign(signedBytes(domain, payload)) })
}

/**
 * Takes the payload out of a signed record without trusting it: size and shape only.
 *
 * @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED`
 */
export function openRecord(name: string, bytes: Uint8Array, maxBytes: number): SignedRecord {
  // A copy of its own: fields are views, and must keep neither a socket's whole buffer nor Node's Buffer type alive.
  const record = decodeWire(name, bytes, maxBytes, b => SignedRecord.decode(Uint8Array.from(b)))
  requireField(name, 'signature', record.signature.byteLength === 64, '64 bytes')
  // Protobuf has many spellings of one message: the one true spelling leaves no bit that could be flipped unnoticed.
  requireField(name, 'encoding', Buffer.compare(SignedRecord.encode(record), bytes) === 0, 'canonical')
  return record
}

/** @throws {PeerError} `RECORD_SIGNATURE_INVALID` unless `peerId` signed the payload for this domain */
export function verifyRecord(keys: PeerKeys, name: string, domain: string, peerId: string, record: SignedRecord): void {
  if (!keys.verify(peerId, signedBytes(domain, record.payload), record.signature)) {
    throw new PeerError('RECORD_SIGNATURE_INVALID', `${name} of ${peerId} is not signed by that peer`, {
      details: { peer: peerId }
    })
  }
}

function signedBytes(domain: string, payload: Uint8Array): Uint8Array {
  return Buffer.concat([encoder.encode(domain), payload])
}
