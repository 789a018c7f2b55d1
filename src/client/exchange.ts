import { PeerError } from '../core/errors.ts'
import type { Mesh } from '../mesh/index.ts'

export interface ExchangeInit<T> {
  peerId: string
  protocol: string
  /** What is asked, in the words of an error: `attestation`, `channel`. */
  name: string
  maxFrameBytes: number
  signal: AbortSignal
  /** Checks the answer; what it throws resets the stream. */
  read: (answer: Uint8Array) => T
}

/**
 * One question and one answer over a stream of its own.
 *
 * @throws {PeerError} `PEER_SILENT` if the peer closes without an answer, and whatever `read` throws
 */
export async function exchange<T>(
  mesh: Pick<Mesh, 'open'>,
  request: Uint8Array,
  { peerId, protocol, name, maxFrameBytes, signal, read }: ExchangeInit<T>
): Promise<T> {
  const stream = await mesh.open(peerId, protocol, { maxFrameBytes, signal })
  try {
    await stream.write(request)
    const answer = await stream.read({ signal })
    if (answer === undefined) {
      throw new PeerError('PEER_SILENT', `${peerId} closed the ${name} stream without an answer`)
    }
    await stream.close({ signal })
    return read(answer)
  } catch (err) {
    stream.abort(err as Error)
    throw err
  }
}
