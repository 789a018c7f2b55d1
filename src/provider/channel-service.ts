import { errorCode, PeerError, WireError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { ZERO_NANO_TON } from '../core/nano-ton.ts'
import type { MeshStream } from '../mesh/index.ts'
import type { PayeeChannels } from '../payments/index.ts'
import { type ChannelReplyMessage, decodeChannelRequest, encodeChannelReply } from '../wire/channel-exchange.ts'

const EXCHANGE_TIMEOUT_MS = 60_000

export interface ChannelServiceComponents {
  logger: Logger
  payee: PayeeChannels
}

/** Answers a payer about its own channels: what is held of them, and an agreement to close. */
export class ChannelService {
  readonly #components: ChannelServiceComponents

  constructor(components: ChannelServiceComponents) {
    this.#components = components
  }

  async serve(stream: MeshStream, peerId: string, stop: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(EXCHANGE_TIMEOUT_MS)])
    const frame = await stream.read({ signal })
    if (frame === undefined) {
      return
    }
    let reply: ChannelReplyMessage
    try {
      reply = await this.#answer(frame, peerId, signal)
    } catch (err) {
      this.#components.logger.info('channel request refused', { code: errorCode(err) })
      const known = err instanceof WireError
      reply = {
        type: 'refused',
        code: known ? err.code : 'PROVIDER_FAILED',
        message: known ? err.message : 'The provider could not answer: try again later'
      }
    }
    await stream.write(encodeChannelReply(reply))
    await stream.close({ signal })
  }

  async #answer(frame: Uint8Array, peerId: string, signal: AbortSignal): Promise<ChannelReplyMessage> {
    const { payee } = this.#components
    const { type, channel } = decodeChannelRequest(frame)
    if (type === 'close') {
      return { type: 'closed', ...(await payee.closeRequested(channel, peerId, { signal })) }
    }
    const { info, highest } = this.#heldFor(channel, peerId)
    const { openedLt, delivered, locked: deposit, settled, state } = info
    const signed = {
      cumulative: highest?.cumulative ?? ZERO_NANO_TON,
      signature: highest?.signature ?? new Uint8Array()
    }
    return { type: 'state', channel, openedLt, ...signed, delivered, deposit, settled, closing: state !== 'open' }
  }

  /** Only the client that brought a channel may ask about it; anybody else learns no more than of an unknown one. */
  #heldFor(channel: string, peerId: string): ReturnType<PayeeChannels['state']> {
    const unknown = new PeerError('CHANNEL_UNKNOWN', `No channel ${channel} of yours is known here`)
    try {
      const held = this.#components.payee.state(channel)
      if (held.info.peerId === peerId) {
        return held
      }
    } catch (err) {
      throw errorCode(err) === unknown.code ? unknown : err
    }
    throw unknown
  }
}
