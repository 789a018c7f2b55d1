import { sha256, toHex } from '../core/bytes.ts'
import { PeerError } from '../core/errors.ts'
import type { MeshStream } from '../mesh/index.ts'
import type { SealedBody } from '../wire/announcement.ts'
import { decodeJobUp } from '../wire/job-stream.ts'

/**
 * The sealed request of a job: the one announced, or read from the job stream part by part.
 *
 * @throws {PeerError} `BODY_INCOMPLETE` if the stream ends early, `BODY_MISMATCH` if it is not the announced one
 */
export async function receiveBody(body: SealedBody, stream: MeshStream, signal: AbortSignal): Promise<Uint8Array> {
  if (body.kind === 'inline') {
    return body.sealedRequest
  }
  const parts: Uint8Array[] = []
  let size = 0
  while (size < body.sizeBytes) {
    const frame = await stream.read({ signal })
    if (frame === undefined) {
      throw new PeerError('BODY_INCOMPLETE', `The request ended after ${size} of ${body.sizeBytes} bytes`)
    }
    const message = decodeJobUp(frame)
    if (message.type !== 'part') {
      throw new PeerError('BODY_INCOMPLETE', `Expected a part of the request, got ${message.type}`)
    }
    parts.push(message.bytes)
    size += message.bytes.byteLength
  }
  const sealed = new Uint8Array(Buffer.concat(parts))
  if (size !== body.sizeBytes || toHex(sha256(sealed)) !== toHex(body.digest)) {
    throw new PeerError('BODY_MISMATCH', 'The request on the stream is not the one that was announced')
  }
  return sealed
}
