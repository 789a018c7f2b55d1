import { PeerError } from '../core/errors.ts'
import { MULTISTREAM } from './muxer.ts'

/**
 * Takes the remote's agreement to a protocol off the front of a stream that was opened without waiting for it
 * (`eagerYamux`), and passes on the frames after it. Multistream-select frames its lines as we frame messages.
 *
 * @throws {PeerError} `PROTOCOL_UNSUPPORTED` if the remote says no, or anything else
 */
export async function* readAgreement(
  frames: AsyncIterable<Uint8Array>,
  peer: string,
  protocol: string,
  onAgreed: () => void
): AsyncGenerator<Uint8Array> {
  const expected = [MULTISTREAM, `${protocol}\n`]
  for await (const frame of frames) {
    const line = expected.shift()
    if (line === undefined) {
      yield frame
    } else if (Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString() !== line) {
      throw new PeerError('PROTOCOL_UNSUPPORTED', `${peer} does not speak ${protocol}`, { details: { peer, protocol } })
    } else if (expected.length === 0) {
      onAgreed()
    }
  }
}
