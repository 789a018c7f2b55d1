import type { Connection, Stream } from '@libp2p/interface'
import { errorCode, errorMessage, NetworkError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { PROTOCOLS } from '../wire/protocols.ts'
import type { Dialer } from './dialer.ts'
import { EAGER_PROTOCOLS, type MeshNode } from './libp2p-node.ts'
import type { HandleLimits, OpenOptions, StreamHandler } from './mesh.ts'
import { errorName, openError } from './mesh-errors.ts'
import { FramedStream, type MeshStream } from './message-stream.ts'
import type { TrafficTap } from './traffic-tap.ts'

/**
 * Protocols whose whole exchange fits a relay's default allowance of 128 KiB and two minutes. A job stream does not:
 * it must find a direct connection or fail with `RELAY_LIMITED` before anything is paid (M10, M11).
 */
const RELAYED: ReadonlySet<string> = new Set([PROTOCOLS.attest, PROTOCOLS.offer, PROTOCOLS.channel])

/** A client may run many jobs on one connection. */
const MAX_OUTBOUND_STREAMS = 256

/** Errors of a connection that looks open and is not. */
const DEAD_CONNECTION: ReadonlySet<string | undefined> = new Set(['ConnectionClosedError', 'MuxerClosedError'])

export interface StreamsComponents {
  node: MeshNode
  dialer: Dialer
  logger: Logger
  tap: TrafficTap | undefined
}

/** Framed streams over libp2p's, with all open ones known so that none outlives the node. */
export class Streams {
  readonly #components: StreamsComponents
  readonly #open = new Set<MeshStream>()

  constructor(components: StreamsComponents) {
    this.#components = components
  }

  async handle(protocol: string, handler: StreamHandler, limits: HandleLimits): Promise<void> {
    const { node } = this.#components
    await node.handle(protocol, (stream, connection) => this.#serve(protocol, handler, limits, stream, connection), {
      maxInboundStreams: limits.maxInboundStreams ?? 32,
      maxOutboundStreams: MAX_OUTBOUND_STREAMS,
      runOnLimitedConnection: RELAYED.has(protocol)
    })
  }

  async open(peerId: string, protocol: string, options: OpenOptions): Promise<MeshStream> {
    const { dialer } = this.#components
    const known = dialer.existing(peerId)
    if (known !== undefined) {
      try {
        return await this.#newStream(known, protocol, peerId, options)
      } catch (err) {
        const dead = DEAD_CONNECTION.has(errorName(err)) || known.status !== 'open'
        if (!dead || options.signal?.aborted === true) {
          throw openError(peerId, protocol, err, options.signal)
        }
        known.abort(new NetworkError('CONNECTION_LOST', `The connection to ${peerId} is dead`, { cause: err }))
      }
    }
    const connection = await dialer.connection(peerId, [], options)
    try {
      return await this.#newStream(connection, protocol, peerId, options)
    } catch (err) {
      throw openError(peerId, protocol, err, options.signal)
    }
  }

  /** Resets every open stream: the other side must not take a stopping node for a finished one. */
  abortAll(reason: Error): void {
    for (const stream of this.#open) {
      stream.abort(reason)
    }
  }

  async #newStream(connection: Connection, protocol: string, peer: string, options: OpenOptions): Promise<MeshStream> {
    const raw = await connection.newStream([protocol], {
      maxOutboundStreams: MAX_OUTBOUND_STREAMS,
      runOnLimitedConnection: RELAYED.has(protocol),
      ...(options.signal === undefined ? {} : { signal: options.signal })
    })
    return this.#wrap(raw, { protocol, peer, ...options }, EAGER_PROTOCOLS.has(protocol))
  }

  async #serve(
    protocol: string,
    handler: StreamHandler,
    limits: HandleLimits,
    raw: Stream,
    connection: Connection
  ): Promise<void> {
    const peer = connection.remotePeer.toString()
    const stream = this.#wrap(raw, { protocol, peer, maxFrameBytes: limits.maxFrameBytes }, false)
    try {
      await handler(stream, { id: peer })
      await stream.close()
    } catch (err) {
      this.#components.logger.debug('A stream failed', {
        protocol,
        peer,
        code: errorCode(err),
        reason: errorMessage(err)
      })
      stream.abort(err instanceof Error ? err : new Error(String(err)))
    }
  }

  #wrap(raw: Stream, use: { protocol: string; peer: string; maxFrameBytes: number }, eager: boolean): MeshStream {
    const { protocol, peer, maxFrameBytes } = use
    const { tap } = this.#components
    const stream: MeshStream = new FramedStream(raw, {
      peer,
      maxFrameBytes,
      onClose: () => this.#open.delete(stream),
      ...(eager ? { proposed: protocol } : {}),
      ...(tap === undefined
        ? {}
        : { tap: (direction, bytes) => tap({ direction, kind: 'stream', protocol, peer, bytes }) })
    })
    if (raw.status === 'open') {
      this.#open.add(stream)
    }
    return stream
  }
}
