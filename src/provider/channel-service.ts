import { withTimeLimit } from '../core/abort.ts'
import { errorCode, WireError } from '../core/errors.ts'
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
    await withTimeLimit(EXCHANGE_TIMEOUT_MS, stop, signal => this.#serve(stream, peerId, signal))
  }

  async #serve(stream: MeshStream, peerId: string, signal: AbortSignal): Promise<void> {
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
    const request = decodeChannelRequest(frame)
    const { channel } = request
    if (request.type === 'close') {
      return { type: 'closed', ...(await payee.closeRequested(channel, peerId, { signal })) }
    }
    const { openedLt, cumulative, signature, spent } = request
    const voucher = signature.byteLength === 0 ? undefined : { channel, openedLt, cumulative, signature }
    const { info, highest } = await payee.sync(channel, peerId, { voucher, spent }, { signal })
    return {
      type: 'state',
      channel,
      openedLt: info.openedLt,
      cumulative: highest?.cumulative ?? ZERO_NANO_TON,
      signature: highest?.signature ?? new Uint8Array(),
      delivered: info.delivered,
      deposit: info.locked,
      settled: info.settled,
      closing: info.state !== 'open'
    }
  }
}
