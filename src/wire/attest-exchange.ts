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

/** A provider that makes no evidence over a challenge now. */
export interface AttestRefusal {
  /** When the peer may ask again, in whole milliseconds from now: 1 to {@link MAX_RETRY_AFTER_MS}. */
  retryAfterMs: number
}

/** The longest time that a provider sends a client away for. */
export const MAX_RETRY_AFTER_MS = 600_000

const REPLY = 'Attestation reply'
const NOTHING = new Uint8Array(0)

/** `challenge`: 32 bytes to bind into fresh evidence, or empty for the standing evidence. */
export function encodeAttestRequest(challenge: Uint8Array = NOTHING): Uint8Array {
  return WireRequest.encode({ challenge })
}

/** @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED` */
export function decodeAttestRequest(bytes: Uint8Array): { challenge: Uint8Array } {
  const wire = decodeWire('Attestation request', bytes, 64, b => WireRequest.decode(b))
  requireField('Attestation request', 'challenge', [0, 32].includes(wire.challenge.byteLength), 'empty or 32 bytes')
  return wire
}

export function encodeAttestReply(reply: AttestReply | AttestRefusal): Uint8Array {
  return WireReply.encode(reply)
}

/** @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED`, also for a refusal that shows something */
export function decodeAttestReply(bytes: Uint8Array): AttestReply | AttestRefusal {
  const { retryAfterMs, xwingKey, ...reply } = decodeWire(REPLY, bytes, LIMITS.attestReplyBytes, b =>
    WireReply.decode(b)
  )
  if (retryAfterMs !== 0) {
    requireField(REPLY, 'retryAfterMs', retryAfterMs <= MAX_RETRY_AFTER_MS, `at most ${MAX_RETRY_AFTER_MS}`)
    const shown = [...Object.values(reply), xwingKey].some(({ byteLength }) => byteLength > 0)
    requireField(REPLY, 'retryAfterMs', !shown, 'absent where something is shown')
    return { retryAfterMs }
  }
  requireBytes(REPLY, 'peerSignature', reply.peerSignature, 64)
  if (xwingKey.byteLength === 0) {
    return reply
  }
  requireBytes(REPLY, 'xwingKey', xwingKey, LIMITS.xwingKeyBytes)
  return { ...reply, xwingKey }
}
