import { PeerError } from '../core/errors.ts'

const LENGTH_BYTES = 4

/** A message with its length before it: `length:uint32 (big-endian) ‖ message`. */
export function encodeFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(LENGTH_BYTES + message.byteLength)
  new DataView(frame.buffer).setUint32(0, message.byteLength)
  frame.set(message, LENGTH_BYTES)
  return frame
}

/** Finds the messages in a byte stream, however it was cut. */
export class FrameDecoder {
  readonly #maxBytes: number
  #chunks: Uint8Array[] = []
  #buffered = 0
  /** Length of the message under way, once its four bytes are there. */
  #length: number | undefined

  /** @param maxBytes longest message, its length not counted */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes of a message that is not whole yet. */
  get pendingBytes(): number {
    return this.#buffered + (this.#length === undefined ? 0 : LENGTH_BYTES)
  }

  /**
   * Takes the next bytes and returns the messages they complete. Messages may be views of `bytes`: the caller
   * gives that buffer away, as sockets do.
   *
   * @throws {PeerError} `MESSAGE_TOO_LARGE` as soon as a length says so; the stream is of no use afterwards
   */
  push(bytes: Uint8Array): Uint8Array[] {
    this.#chunks.push(bytes)
    this.#buffered += bytes.byteLength
    const messages: Uint8Array[] = []
    for (;;) {
      if (this.#length === undefined) {
        if (this.#buffered < LENGTH_BYTES) {
          return messages
        }
        this.#length = this.#readLength()
      }
      if (this.#buffered < this.#length) {
        return messages
      }
      messages.push(this.#take(this.#length))
      this.#length = undefined
    }
  }

  #readLength(): number {
    const head = this.#take(LENGTH_BYTES)
    const length = new DataView(head.buffer, head.byteOffset, LENGTH_BYTES).getUint32(0)
    if (length > this.#maxBytes) {
      throw new PeerError('MESSAGE_TOO_LARGE', `A frame of ${length} bytes: at most ${this.#maxBytes} are accepted`)
    }
    return length
  }

  #take(length: number): Uint8Array {
    const first = this.#chunks[0]
    if (first === undefined || first.byteLength < length) {
      this.#chunks = [new Uint8Array(Buffer.concat(this.#chunks))]
    }
    const whole = this.#chunks[0] ?? new Uint8Array()
    this.#buffered -= length
    if (whole.byteLength === length) {
      this.#chunks.shift()
      return whole
    }
    this.#chunks[0] = whole.subarray(length)
    return whole.subarray(0, length)
  }
}
