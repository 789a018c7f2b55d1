import { type AbortOptions, throwIfAborted } from '../../src/core/abort.ts'
import { CancelledError, NetworkError, UsageError } from '../../src/core/errors.ts'
import type { MeshStream } from '../../src/mesh/index.ts'

/** Two ends of one stream in memory, with what `MeshStream` promises. */
export function streamPair(): [MemoryStream, MemoryStream] {
  const near = new MemoryStream()
  const far = new MemoryStream()
  near.connect(far)
  far.connect(near)
  return [near, far]
}

/** One end. */
export class MemoryStream implements MeshStream {
  /** Runs before a write or a close takes effect: wait to delay it, throw to lose it. */
  before: (call: 'write' | 'close') => Promise<void> | void = () => undefined
  /** Why this end was aborted by its own holder. */
  abortedWith: Error | undefined
  closed = false
  #remote: MemoryStream | undefined
  readonly #frames: Uint8Array[] = []
  #ended = false
  #failure: Error | undefined
  #wake: () => void = () => undefined

  connect(remote: MemoryStream): void {
    this.#remote = remote
  }

  async read(options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    throwIfAborted(options.signal)
    while (this.#frames.length === 0) {
      if (this.#failure !== undefined) {
        throw this.#failure
      }
      if (this.#ended) {
        return undefined
      }
      await this.#news(options.signal)
    }
    return this.#frames.shift()
  }

  async write(frame: Uint8Array, options: AbortOptions = {}): Promise<void> {
    throwIfAborted(options.signal)
    await this.before('write')
    if (this.#failure !== undefined) {
      throw this.#failure
    }
    if (this.closed) {
      throw new UsageError('STREAM_CLOSED', 'The stream is closed for writing')
    }
    this.#remote?.deliver(Uint8Array.from(frame))
  }

  async close(options: AbortOptions = {}): Promise<void> {
    throwIfAborted(options.signal)
    await this.before('close')
    if (this.#failure !== undefined) {
      throw this.#failure
    }
    this.closed = true
    this.#remote?.end()
  }

  abort(err: Error): void {
    this.abortedWith ??= err
    this.fail(err)
    this.#remote?.fail(new NetworkError('STREAM_RESET', 'The other end reset the stream'))
  }

  /** The connection is gone, without a word to either end. */
  lose(): void {
    this.fail(new NetworkError('CONNECTION_LOST', 'The connection is gone'))
    this.#remote?.fail(new NetworkError('CONNECTION_LOST', 'The connection is gone'))
  }

  deliver(frame: Uint8Array): void {
    this.#frames.push(frame)
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  fail(err: Error): void {
    this.#failure ??= err
    this.#wake()
  }

  #news(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = (): void => reject(new CancelledError('Cancelled', { cause: signal?.reason }))
      signal?.addEventListener('abort', cancel, { once: true })
      this.#wake = () => {
        signal?.removeEventListener('abort', cancel)
        resolve()
      }
    })
  }
}
