import { decodeWire, requireBytes, requireField } from './check.ts'
import { AttestReply as WireReply, AttestRequest as WireRequest } from './generated/attest.ts'
import { LIMITS } from './limits.ts'

/** What a provider shows of its enclave. */
export interface AttestReply {
  statement: Uint8Array
  evidence: Uint8Array
  /** Co-signature of the statement by the libp2p peer key. */
  peerSignature: Uint8Array
  /** Raw X-Wing key whose SHA-256 the statement names, 1,216 bytes; absent where it names none. */
  xwingKey?: Uint8Array
}

/** `challenge`: 32 bytes to bind into fresh evidence, or empty for the standing evidence. */
export function encodeAttestRequest(challenge: Uint8Array = new Uint8Array(0)): Uint8Array {
  return WireRequest.encode({ challenge })
}

/** @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED` */
export function decodeAttestRequest(bytes: Uint8Array): { challenge: Uint8Array } {
  const wire = decodeWire('Attestation request', bytes, 64, b => WireRequest.decode(b))
  requireField('Attestation request', 'challenge', [0, 32].includes(wire.challenge.byteLength), 'empty or 32 bytes')
  return wire
}

export function encodeAttestReply(reply: AttestReply): Uint8Array {
  return WireReply.encode(reply)
}

/** @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED` */
export function decodeAttestReply(bytes: Uint8Array): AttestReply {
  const name = 'Attestation reply'
  const wire = decodeWire(name, bytes, LIMITS.attestReplyBytes, b => WireReply.decode(b))
  requireBytes(name, 'peerSignature', wire.peerSignature, 64)
  const { xwingKey, ...reply } = wire
  if (xwingKey.byteLength === 0) {
    return reply
  }
  requireBytes(name, 'xwingKey', xwingKey, LIMITS.xwingKeyBytes)
  return { ...reply, xwingKey }
}
