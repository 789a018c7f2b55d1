import { type YamuxMuxerInit, yamux } from '@chainsafe/libp2p-yamux'
import type { MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import { encodeFrame } from './frames.ts'
import type { TrafficTap } from './traffic-tap.ts'

/** https://github.com/multiformats/multistream-select: both sides send this line first. */
export const MULTISTREAM = '/multistream/1.0.0\n'

/** The methods through which an `AbstractStreamMuxer` exchanges bytes with its connection. */
interface RawMuxer extends StreamMuxer {
  onData(bytes: Uint8Array | Uint8ArrayList): void
  send(bytes: Uint8Array | Uint8ArrayList): boolean
}

const encoder = new TextEncoder()

/**
 * Yamux that opens streams of some protocols without waiting for the remote to agree: the proposal goes out, the
 * first message right behind it, and the answer is checked by the first read (`readAgreement`). libp2p's own
 * negotiation costs a round trip before the first byte and dropped its `negotiateFully: false` in version 3. The bytes
 * on the wire are those of multistream-select, so any libp2p node understands them.
 *
 * @param eager - protocols opened this way; their streams must be read through `readAgreement`
 * @param tap - sees all bytes above the encryption, for audits
 */
export function eagerYamux(
  init: YamuxMuxerInit,
  eager: ReadonlySet<string>,
  tap?: TrafficTap
): () => StreamMuxerFactory {
  return () => {
    const factory = yamux(init)()
    const create = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = (connection: MessageStream) => {
      const muxer = create(connection)
      proposeAtOnce(muxer, eager)
      if (tap !== undefined) {
        tapMuxer(muxer as StreamMuxer as RawMuxer, tap)
      }
      return muxer
    }
    return factory
  }
}

function proposeAtOnce(muxer: StreamMuxer, eager: ReadonlySet<string>): void {
  const createStream = muxer.createStream.bind(muxer)
  muxer.createStream = async options => {
    const stream = await createStream(options)
    if (options?.protocol !== undefined && eager.has(options.protocol)) {
      // A stream that has its protocol is not negotiated by libp2p.
      stream.protocol = options.protocol
      const proposal = encodeFrame(encoder.encode(MULTISTREAM))
      proposal.append(encodeFrame(encoder.encode(`${options.protocol}\n`)))
      stream.send(proposal)
    }
    return stream
  }
}

function tapMuxer(muxer: RawMuxer, tap: TrafficTap): void {
  const show = (direction: 'in' | 'out', bytes: Uint8Array | Uint8ArrayList): void =>
    tap({ direction, kind: 'connection', protocol: muxer.protocol, peer: '', bytes: bytes.subarray() })
  const onData = muxer.onData.bind(muxer)
  const send = muxer.send.bind(muxer)
  muxer.onData = bytes => {
    show('in', bytes)
    onData(bytes)
  }
  muxer.send = bytes => {
    show('out', bytes)
    return send(bytes)
  }
}
