import type { Stream } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import { AsyncQueue } from './async-queue.ts'

/** Unread bytes at which the remote is told to wait, and at which it may go on. */
const PAUSE_AT_BYTES = 256 * 1024
const RESUME_AT_BYTES = 64 * 1024

/**
 * The bytes a libp2p stream receives, with back-pressure, and with its two ends told apart: a clean end (the remote
 * closed its side) finishes the iteration, anything else throws. libp2p's own iterator ends in silence when the
 * connection is lost, which would make a truncated answer look finished.
 */
export class ReceivedChunks implements AsyncIterable<Uint8Array | Uint8ArrayList> {
  readonly #stream: Stream
  readonly #queue = new AsyncQueue<Uint8Array | Uint8ArrayList>()
  #bufferedBytes = 0
  #remoteClosed: boolean

  /** @param lost - makes the error for a stream that was reset or whose connection is gone */
  constructor(stream: Stream, lost: (cause: unknown) => Error) {
    this.#stream = stream
    // On an open stream only the remote itself can have closed its side.
    this.#remoteClosed = stream.remoteWriteStatus === 'closed' && stream.status === 'open'
    stream.addEventListener('message', event => this.#receive(event.data))
    if (stream.status !== 'open') {
      // The listener above is handed what is left in a microtask; no further event comes.
      queueMicrotask(() => this.#queue.fail(lost(undefined)))
      return
    }
    stream.addEventListener('remoteCloseWrite', () => {
      this.#remoteClosed = true
      this.#endSoon()
    })
    stream.addEventListener('end', () => this.#endSoon())
    stream.addEventListener('close', event => {
      this.#resume()
      if (this.#remoteClosed && event.error === undefined) {
        this.#queue.end()
      } else {
        this.#queue.fail(lost(event.error))
      }
    })
    this.#endSoon()
  }

  /** Drops unread bytes and fails pending and later reads. */
  destroy(error: Error): void {
    this.#queue.destroy(error)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array | Uint8ArrayList> {
    for await (const chunk of this.#queue) {
      this.#bufferedBytes -= chunk.byteLength
      if (this.#bufferedBytes <= RESUME_AT_BYTES) {
        this.#resume()
      }
      yield chunk
    }
  }

  #receive(chunk: Uint8Array | Uint8ArrayList): void {
    this.#queue.push(chunk)
    this.#bufferedBytes += chunk.byteLength
    if (this.#bufferedBytes >= PAUSE_AT_BYTES && this.#stream.readStatus === 'readable') {
      this.#stream.pause()
    }
  }

  #resume(): void {
    if (this.#stream.readStatus !== 'paused') {
      return
    }
    try {
      this.#stream.resume()
    } catch {
      // What the stream held was handed over; only the window update met a closed connection, whose event reports it.
    }
  }

  /** Ends once nothing is left: the frame that closes the remote side may carry data, delivered after its event. */
  #endSoon(): void {
    queueMicrotask(() => {
      if (this.#remoteClosed && this.#stream.readBufferLength === 0) {
        this.#queue.end()
      }
    })
  }
}
