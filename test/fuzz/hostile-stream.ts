import { type AbortOptions, throwIfAborted } from '../../src/core/abort.ts'
import { decodeFrames } from '../../src/mesh/frames.ts'
import type { MeshStream } from '../../src/mesh/index.ts'

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

async function* arriving(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
