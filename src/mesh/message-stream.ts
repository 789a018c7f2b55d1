import type { Stream } from '@libp2p/interface'
import { pipe } from 'it-pipe'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { PeerError, UsageError } from '../core/errors.ts'
import { readAgreement } from './agreement.ts'
import { decodeFrames, encodeFrame } from './frames.ts'
import { Latch } from './latch.ts'
import { connectionLost, streamError } from './mesh-errors.ts'
import { orCancelled } from './or-cancelled.ts'
import { ReceivedChunks } from './received-chunks.ts'

/** A side that closed its end and is not reading waits this long for the other end, then resets the stream. */
const LINGER_MS = 15_000

/** A stream of whole messages to one peer. */
export interface MeshStream {
  /**
   * The next frame; undefined at the remote's clean end. A read that is cancelled loses nothing: the next read gets
   * the frame.
   *
   * @throws {NetworkError} `CONNECTION_LOST`, `STREAM_RESET`
   * @throws {PeerError} `FRAME_TOO_LARGE`, `FRAME_TRUNCATED`, or `PROTOCOL_UNSUPPORTED` at the first read of a stream
   *   we opened: the stream is aborted
   * @throws {CancelledError} `CANCELLED`
   */
  read(options?: AbortOptions): Promise<Uint8Array | undefined>
  /**
   * Resolves when more may be written: the remote's window and the socket bound what is buffered. Cancelling stops the
   * wait, not the frame.
   *
   * @throws {UsageError} `FRAME_TOO_LARGE_TO_SEND` or `STREAM_CLOSED`, with nothing written
   * @throws {NetworkError} `CONNECTION_LOST`, `STREAM_RESET`
   */
  write(frame: Uint8Array, options?: AbortOptions): Promise<void>
  /**
   * Ends our side once everything written is on its way; reading goes on. Safe to call twice.
   *
   * @throws {NetworkError} `CONNECTION_LOST`, `STREAM_RESET` if the tail could not be sent
   */
  close(options?: AbortOptions): Promise<void>
  /** Resets both sides at once. Pending reads and writes fail with `err`; the remote sees `STREAM_RESET`. */
  abort(err: Error): void
}

/** Sees every frame of a stream. */
export type FrameTap = (direction: 'in' | 'out', frame: Uint8Array) => void

export interface FramedStreamInit {
  /** Text id of the remote peer. */
  peer: string
  maxFrameBytes: number
  /** Protocol that was proposed without waiting for an answer: the first read checks it. */
  proposed?: string
  tap?: FrameTap
  /** Called once, when the stream is closed or reset on both sides; never if it was so from the start. */
  onClose?: () => void
}

/** `MeshStream` over a libp2p stream. */
export class FramedStream implements MeshStream {
  readonly #stream: Stream
  readonly #init: FramedStreamInit
  readonly #received: ReceivedChunks
  readonly #frames: AsyncGenerator<Uint8Array>
  /** What cancelled reads waited for, in order. */
  readonly #unclaimed: Array<Promise<Uint8Array | undefined>> = []
  readonly #agreed = new Latch()
  #failure: Error | undefined
  #readers = 0
  #closing = false
  #linger: NodeJS.Timeout | undefined

  constructor(stream: Stream, init: FramedStreamInit) {
    this.#stream = stream
    this.#init = init
    this.#received = new ReceivedChunks(stream, cause => this.#lose(cause))
    const { maxFrameBytes, peer, proposed } = init
    this.#frames = pipe(
      this.#received,
      source => decodeFrames(source, maxFrameBytes),
      frames => (proposed === undefined ? frames : readAgreement(frames, peer, proposed, () => this.#agreed.open()))
    )
    if (proposed === undefined) {
      this.#agreed.open()
    }
    if (stream.status === 'open') {
      stream.addEventListener('close', () => this.#closed())
    } else {
      this.#agreed.open()
    }
  }

  async read(options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    throwIfAborted(options.signal)
    clearTimeout(this.#linger)
    this.#readers++
    const next = this.#unclaimed.shift() ?? this.#next()
    try {
      return await orCancelled(next, options.signal, () => this.#unclaimed.push(next))
    } finally {
      this.#readers--
      this.#armLinger()
    }
  }

  async write(frame: Uint8Array, options: AbortOptions = {}): Promise<void> {
    throwIfAborted(options.signal)
    const { maxFrameBytes, peer, tap } = this.#init
    if (frame.byteLength > maxFrameBytes) {
      throw new UsageError(
        'FRAME_TOO_LARGE_TO_SEND',
        `A frame of ${frame.byteLength} bytes cannot be sent here: at most ${maxFrameBytes} are accepted`
      )
    }
    if (this.#closing) {
      throw new UsageError('STREAM_CLOSED', `The stream to ${peer} is closed for writing`)
    }
    try {
      this.#stream.send(encodeFrame(frame))
    } catch (err) {
      throw this.#lose(err)
    }
    tap?.('out', frame)
    while (this.#stream.writableNeedsDrain) {
      const ready = drained(this.#stream).catch((err: unknown) => {
        throw this.#lose(err)
      })
      await orCancelled(ready, options.signal)
    }
  }

  async close(options: AbortOptions = {}): Promise<void> {
    this.#closing = true
    try {
      await orCancelled(this.#agreement(), options.signal)
      await this.#stream.close(options)
    } catch (err) {
      throwIfAborted(options.signal)
      throw this.#lose(err)
    } finally {
      this.#armLinger()
    }
  }

  abort(err: Error): void {
    this.#failure ??= err
    this.#received.destroy(this.#failure)
    this.#stream.abort(err)
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const result = await this.#frames.next()
      if (result.done !== true) {
        this.#init.tap?.('in', result.value)
        return result.value
      }
    } catch (err) {
      // What was received comes first: a refusal can be followed by the reset of the stream.
      this.#failure = streamError(this.#init.peer, err)
      if (err instanceof PeerError) {
        this.abort(err)
      }
    }
    if (this.#failure !== undefined) {
      throw this.#failure
    }
    return undefined
  }

  /**
   * Waits for the remote's agreement: js-libp2p resets a stream whose end arrives together with its proposal. The frame
   * that may follow the agreement is left to the next read.
   */
  async #agreement(): Promise<void> {
    if (!this.#agreed.isOpen && this.#readers === 0 && this.#unclaimed.length === 0) {
      const next = this.#next()
      next.catch(() => undefined)
      this.#unclaimed.push(next)
    }
    await this.#agreed.opened
  }

  /** Remembers the first reason: it is what every later call fails with. */
  #lose(cause: unknown): Error {
    this.#failure ??= streamError(this.#init.peer, cause)
    return this.#failure
  }

  #closed(): void {
    clearTimeout(this.#linger)
    this.#agreed.open()
    this.#init.onClose?.()
  }

  #armLinger(): void {
    if (this.#closing && this.#readers === 0 && this.#stream.status === 'open') {
      clearTimeout(this.#linger)
      this.#linger = setTimeout(() => this.abort(connectionLost(this.#init.peer)), LINGER_MS).unref()
    }
  }
}

/** Resolves once the stream may be written to again, rejects when it closes. */
function drained(stream: Stream): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void): void => {
      stream.removeEventListener('drain', onDrain)
      stream.removeEventListener('close', onClose)
      settle()
    }
    // The stream sends its own buffer in a microtask of the same event: look again after it.
    const onDrain = (): void => done(() => queueMicrotask(resolve))
    const onClose = (event: { error?: Error }): void => done(() => reject(event.error ?? new Error('Closed')))
    stream.addEventListener('drain', onDrain)
    stream.addEventListener('close', onClose)
    if (stream.status !== 'open') {
      done(() => reject(new Error('Closed')))
    }
  })
}
