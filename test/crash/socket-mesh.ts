import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type AbortOptions } from '../../src/core/abort.ts'
import { NetworkError } from '../../src/core/errors.ts'
import type { MeshStream } from '../../src/mesh/index.ts'
import { encodeFrame, FrameDecoder } from '../../src/wire/framing.ts'
import { LIMITS } from '../../src/wire/limits.ts'
import { MemoryStream } from '../support/stream-pair.ts'
import { decodeStreamFrame, encodeStreamFrame, type StreamFrame } from './stream-frames.ts'

export type ProtocolHandler = (stream: MeshStream, peerId: string, lost: AbortSignal) => Promise<void>

/** Many streams over one socket to the other side: as much of a mesh as paying needs. */
export class SocketMesh {
  readonly #peerId: string
  readonly #handlers: ReadonlyMap<string, ProtocolHandler>
  readonly #lost = new AbortController()
  readonly #streams = new Map<number, SocketStream>()
  readonly #socket: Socket
  #lastStream = 0

  private constructor(socket: Socket, peerId: string, handlers: ReadonlyMap<string, ProtocolHandler>) {
    this.#socket = socket
    this.#peerId = peerId
    this.#handlers = handlers
  }

  /**
   * Connects to the relay between both sides.
   *
   * @param role tells the relay which side this is
   * @param peerId of the other side
   */
  static async connect(
    port: number,
    role: string,
    peerId: string,
    handlers: ReadonlyMap<string, ProtocolHandler> = new Map()
  ): Promise<SocketMesh> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const mesh = new SocketMesh(socket, peerId, handlers)
    const decoder = new FrameDecoder(2 * LIMITS.jobFrameBytes)
    socket.on('data', (bytes: Buffer) => decoder.push(new Uint8Array(bytes)).forEach(frame => mesh.#take(frame)))
    socket.on('error', () => undefined).on('close', () => mesh.#lose())
    socket.write(encodeFrame(Buffer.from(role)))
    return mesh
  }

  /** Opens a stream to the other side. */
  async open(_peerId: string, protocol: string): Promise<MeshStream> {
    this.#lastStream++
    const id = this.#lastStream
    const stream = this.#add(id)
    this.#send({ type: 'open', stream: id, bytes: Buffer.from(protocol) })
    return stream
  }

  close(): void {
    this.#socket.destroy()
    this.#lose()
  }

  #add(id: number): SocketStream {
    const stream = new SocketStream(frame => this.#send({ ...frame, stream: id }))
    if (this.#lost.signal.aborted) {
      stream.fail(connectionLost())
    }
    this.#streams.set(id, stream)
    return stream
  }

  #take(bytes: Uint8Array): void {
    const { type, stream: id, bytes: payload } = decodeStreamFrame(bytes)
    if (type === 'open') {
      const handler = this.#handlers.get(Buffer.from(payload).toString())
      const stream = this.#add(id)
      // Handlers of the node never throw for what the other side does; a stream that is gone ends them too.
      handler?.(stream, this.#peerId, this.#lost.signal).catch(() => undefined)
      return
    }
    const stream = this.#streams.get(id)
    if (type === 'data') {
      stream?.deliver(payload)
    } else if (type === 'close') {
      stream?.end()
    } else {
      stream?.fail(new NetworkError('STREAM_RESET', 'The other end reset the stream'))
    }
  }

  #send(frame: StreamFrame): void {
    if (!this.#lost.signal.aborted) {
      this.#socket.write(encodeFrame(encodeStreamFrame(frame)))
    }
  }

  #lose(): void {
    this.#lost.abort(connectionLost())
    this.#streams.forEach(stream => stream.fail(connectionLost()))
    this.#streams.clear()
  }
}

/** One stream's end: what is written goes to the socket. */
class SocketStream extends MemoryStream {
  readonly #send: (frame: Omit<StreamFrame, 'stream'>) => void

  constructor(send: (frame: Omit<StreamFrame, 'stream'>) => void) {
    super()
    this.#send = send
  }

  override async write(frame: Uint8Array, options: AbortOptions = {}): Promise<void> {
    await super.write(frame, options)
    this.#send({ type: 'data', bytes: frame })
  }

  override async close(options: AbortOptions = {}): Promise<void> {
    if (!this.closed) {
      await super.close(options)
      this.#send({ type: 'close', bytes: new Uint8Array() })
    }
  }

  override abort(err: Error): void {
    super.abort(err)
    this.#send({ type: 'reset', bytes: new Uint8Array() })
  }
}

function connectionLost(): NetworkError {
  return new NetworkError('CONNECTION_LOST', 'The connection is gone')
}
