import { Uint8ArrayList } from 'uint8arraylist'
import { PeerError } from '../core/errors.ts'

/** Longest length prefix: 28 bits, 256 MiB. */
const MAX_PREFIX_BYTES = 4

/** A frame as it travels: unsigned LEB128 length, then the bytes (libp2p's length-prefixed convention). */
export function encodeFrame(frame: Uint8Array): Uint8ArrayList {
  return new Uint8ArrayList(encodeLength(frame.byteLength), frame)
}

/**
 * Cuts chunks of any size into frames. Holds at most one incomplete frame and one chunk.
 *
 * @throws {PeerError} `FRAME_TOO_LARGE` as soon as a prefix promises more than `maxFrameBytes`, before the bytes are
 *   waited for; `FRAME_TRUNCATED` if the source ends inside a frame
 */
export async function* decodeFrames(
  source: AsyncIterable<Uint8Array | Uint8ArrayList>,
  maxFrameBytes: number
): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8ArrayList()
  for await (const chunk of source) {
    buffer.append(chunk)
    let prefix = readLength(buffer, maxFrameBytes)
    while (prefix !== undefined && buffer.byteLength >= prefix.bytes + prefix.length) {
      const end = prefix.bytes + prefix.length
      const frame = buffer.subarray(prefix.bytes, end)
      buffer.consume(end)
      yield frame
      prefix = readLength(buffer, maxFrameBytes)
    }
  }
  if (buffer.byteLength > 0) {
    throw new PeerError('FRAME_TRUNCATED', `The stream ended inside a frame, after ${buffer.byteLength} bytes of it`)
  }
}

/** The length at the front of `buffer`, or undefined while its prefix is incomplete. */
function readLength(buffer: Uint8ArrayList, maxFrameBytes: number): { bytes: number; length: number } | undefined {
  let length = 0
  for (let i = 0; i < Math.min(MAX_PREFIX_BYTES, buffer.byteLength); i++) {
    const byte = buffer.get(i)
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) {
      return { bytes: i + 1, length: requireLength(length, maxFrameBytes) }
    }
  }
  return buffer.byteLength < MAX_PREFIX_BYTES ? undefined : { bytes: 0, length: requireLength(Infinity, maxFrameBytes) }
}

function requireLength(length: number, maxFrameBytes: number): number {
  if (length > maxFrameBytes) {
    throw new PeerError(
      'FRAME_TOO_LARGE',
      `A frame of ${length} bytes was announced: at most ${maxFrameBytes} are accepted here`
    )
  }
  return length
}

function encodeLength(length: number): Uint8Array {
  const bytes: number[] = []
  let rest = length
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return Uint8Array.from([...bytes, rest])
}
