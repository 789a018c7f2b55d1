/** One frame of a stream on the socket between payer and payee. */
export interface StreamFrame {
  type: 'open' | 'data' | 'close' | 'reset'
  stream: number
  /** The protocol's id for `open`, a wire message for `data`. */
  bytes: Uint8Array
}

const TYPES = ['open', 'data', 'close', 'reset'] as const
const HEAD_BYTES = 5

/** `type:uint8 ‖ stream:uint32 (big-endian) ‖ bytes`. */
export function encodeStreamFrame({ type, stream, bytes }: StreamFrame): Uint8Array {
  const frame = Buffer.alloc(HEAD_BYTES + bytes.byteLength)
  frame[0] = TYPES.indexOf(type)
  frame.writeUInt32BE(stream, 1)
  frame.set(bytes, HEAD_BYTES)
  return frame
}

export function decodeStreamFrame(frame: Uint8Array): StreamFrame {
  const buffer = Buffer.from(frame)
  const type = TYPES[buffer[0] ?? -1]
  if (type === undefined || buffer.byteLength < HEAD_BYTES) {
    throw new Error('Not a stream frame')
  }
  return { type, stream: buffer.readUInt32BE(1), bytes: new Uint8Array(buffer.subarray(HEAD_BYTES)) }
}
