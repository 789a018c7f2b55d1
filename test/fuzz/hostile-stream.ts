import { type AbortOptions, throwIfAborted } from '../../src/core/abort.ts'
import { decodeFrames } from '../../src/mesh/frames.ts'
import type { MeshStream } from '../../src/mesh/index.ts'
import type { FuzzRandom } from './random.ts'

/** A stream whose peer has sent `bytes` already, cut in any way, and then ended. The node's own framing reads it. */
export class HostileStream implements MeshStream {
  readonly sent: Uint8Array[] = []
  readonly #frames: AsyncGenerator<Uint8Array>

  constructor(chunks: readonly Uint8Array[], maxFrameBytes: number) {
    this.#frames = decodeFrames(arriving(chunks), maxFrameBytes)
  }

  async read(options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    throwIfAborted(options.signal)
    const next = await this.#frames.next()
    return next.done === true ? undefined : next.value
  }

  async write(frame: Uint8Array): Promise<void> {
    this.sent.push(frame)
  }

  async close(): Promise<void> {}

  abort(): void {}
}

/** `whole` in pieces of 1 byte up to one of `sizes`. */
export function cut(random: FuzzRandom, whole: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0; at < whole.byteLength; ) {
    const size = 1 + random.below(random.pick(sizes))
    chunks.push(Uint8Array.from(whole.subarray(at, at + size)))
    at += size
  }
  return chunks
}

/** The length before a frame: unsigned LEB128. */
export function lengthPrefix(length: number): Uint8Array {
  const bytes: number[] = []
  let rest = length
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  return Uint8Array.from([...bytes, rest])
}

async function* arriving(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
