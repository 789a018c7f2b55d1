import { sha256, toHex } from '../core/bytes.ts'
import { PeerError } from '../core/errors.ts'
import type { SealedBody } from '../wire/announcement.ts'
import type { SignedVoucher } from '../wire/job-stream.ts'
import { LIMITS } from '../wire/limits.ts'
import type { JobInbox } from './job-inbox.ts'

/** How the parts of a request are read. */
export interface BodyReading {
  inbox: JobInbox
  /** Bounds the wait for each part. */
  patiently: <T>(read: (limit: AbortSignal) => Promise<T>) => Promise<T>
  /** A payment may come before the body is there. */
  onVoucher: (voucher: SignedVoucher) => Promise<void>
}

/**
 * The sealed request of a job: the one announced, or read from the job stream part by part.
 *
 * @throws {PeerError} `BODY_INCOMPLETE` if the stream ends early, `BODY_MISMATCH` if it is not the announced one or
 *   does not come in parts of `LIMITS.bodyPartBytes`
 */
export async function receiveBody(body: SealedBody, { inbox, patiently, onVoucher }: BodyReading): Promise<Uint8Array> {
  if (body.kind === 'inline') {
    return body.sealedRequest
  }
  inbox.expect(Math.ceil(body.sizeBytes / LIMITS.bodyPartBytes))
  const parts: Uint8Array[] = []
  let size = 0
  while (size < body.sizeBytes) {
    const message = await patiently(limit => inbox.read({ signal: limit }))
    if (message === undefined) {
      throw new PeerError('BODY_INCOMPLETE', `The request ended after ${size} of ${body.sizeBytes} bytes`)
    }
    if (message.type === 'voucher') {
      await onVoucher(message.voucher)
      continue
    }
    if (message.type !== 'part') {
      throw new PeerError('BODY_INCOMPLETE', `Expected a part of the request, got ${message.type}`)
    }
    // Whole parts: with a few bytes at a time a client could hold its place for days.
    if (message.bytes.byteLength !== Math.min(LIMITS.bodyPartBytes, body.sizeBytes - size)) {
      throw new PeerError(
        'BODY_MISMATCH',
        `A part of the request has ${message.bytes.byteLength} bytes: it must be whole`
      )
    }
    parts.push(message.bytes)
    size += message.bytes.byteLength
  }
  const sealed = new Uint8Array(Buffer.concat(parts))
  if (toHex(sha256(sealed)) !== toHex(body.digest)) {
    throw new PeerError('BODY_MISMATCH', 'The request on the stream is not the one that was announced')
  }
  return sealed
}
