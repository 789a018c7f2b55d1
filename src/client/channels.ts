import { type AbortOptions, anySignal, throwIfAborted } from '../core/abort.ts'
import { errorCode, PeerError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import type { Capacity, Mesh } from '../mesh/index.ts'
import type { DepositPolicy, PayerChannelInfo, PayerChannels } from '../payments/index.ts'
import {
  type ChannelReplyMessage,
  type ChannelRequestInit,
  decodeChannelReply,
  encodeChannelRequest
} from '../wire/channel-exchange.ts'
import { LIMITS } from '../wire/limits.ts'
import { PROTOCOLS } from '../wire/protocols.ts'
import { exchange } from './exchange.ts'

/** What a cooperative close came to. */
export interface ClosedChannel {
  channel: string
  /** Paid to the provider over the channel's life. */
  paid: NanoTon
  /** Hash of the provider's claim, hex; empty when nothing was owed. */
  claimTransaction: string
  /** Hash of the closing transaction, hex. */
  closeTransaction: string
}

type Reply<T extends ChannelReplyMessage['type']> = Extract<ChannelReplyMessage, { type: T }>

// A claim has to reach the chain before the provider answers.
const EXCHANGE_TIMEOUT_MS = 60_000

/** The client's channels as it manages them together with their providers. */
export class ClientChannels {
  readonly #mesh: Mesh
  readonly #payer: PayerChannels
  readonly #logger: Logger

  constructor(components: { mesh: Mesh; payer: PayerChannels; logger: Logger }) {
    this.#mesh = components.mesh
    this.#logger = components.logger
    this.#payer = components.payer
  }

  /**
   * The open channel to this provider with enough room, or a new one. After a job that broke off, the provider is asked
   * first what it delivered, so that what was prepaid for nothing is used by the next job.
   */
  async ensure(capacity: Capacity, policy: DepositPolicy, options: AbortOptions = {}): Promise<PayerChannelInfo> {
    const { peerId, payment } = capacity
    const { payeeKey, payeeAddress, minimumDeposit } = payment
    const channel = await this.#payer.ensureChannel({ peerId, payeeKey, payeeAddress, minimumDeposit }, policy, options)
    if (channel.uncertain === 0n) {
      return channel
    }
    return this.sync(channel, options).catch((err: unknown) => {
      throwIfAborted(options.signal)
      // The job itself will show whether the provider is there: a window's worth of credit must not stop it.
      this.#logger.info('channel not reconciled', { channel: channel.channel, code: errorCode(err) })
      return channel
    })
  }

  /**
   * Asks the provider what it holds, takes back vouchers of ours that we forgot, and settles on what was delivered.
   *
   * @throws {PeerError} `CHANNEL_REFUSED` with the provider's reason, `PEER_SILENT`
   */
  async sync(channel: PayerChannelInfo, options: AbortOptions = {}): Promise<PayerChannelInfo> {
    const state = await this.#exchange(channel.peerId, { type: 'sync', channel: channel.channel }, 'state', options)
    if (state.cumulative > channel.signed && state.signature.byteLength > 0) {
      await this.#payer.adopt(state)
    }
    return this.#payer.reconcile(channel.channel, state.delivered)
  }

  /**
   * Closes together with the provider: it claims what it is owed, agrees, and the rest of the deposit comes back.
   *
   * @throws {MoneyError} `CHANNEL_UNKNOWN`, `CHANNEL_BUSY`
   * @throws {PeerError} `CHANNEL_REFUSED`, `PEER_SILENT`, `CLOSE_ORDER_INVALID`
   */
  async close(channel: string, options: AbortOptions = {}): Promise<ClosedChannel> {
    const { peerId } = await this.#payer.retire(channel)
    const agreed = await this.#exchange(peerId, { type: 'close', channel }, 'closed', options)
    const { openedLt, cumulative, validUntil, payeeSignature, claimTransaction } = agreed
    const { transaction } = await this.#payer.close(
      channel,
      { openedLt, cumulative, validUntil, payeeSignature },
      options
    )
    return { channel, paid: cumulative, claimTransaction, closeTransaction: transaction }
  }

  #exchange<T extends ChannelReplyMessage['type']>(
    peerId: string,
    request: ChannelRequestInit,
    expected: T,
    options: AbortOptions
  ): Promise<Reply<T>> {
    return exchange(this.#mesh, encodeChannelRequest(request), {
      peerId,
      protocol: PROTOCOLS.channel,
      name: 'channel',
      maxFrameBytes: LIMITS.channelFrameBytes,
      signal: anySignal(options.signal, AbortSignal.timeout(EXCHANGE_TIMEOUT_MS)),
      read: answer => readReply(answer, peerId, request, expected)
    })
  }
}

/** @throws {PeerError} `CHANNEL_REFUSED`, `MESSAGE_UNEXPECTED`, `MESSAGE_MALFORMED`, `MESSAGE_TOO_LARGE` */
function readReply<T extends ChannelReplyMessage['type']>(
  answer: Uint8Array,
  peerId: string,
  request: ChannelRequestInit,
  expected: T
): Reply<T> {
  const reply = decodeChannelReply(answer)
  if (reply.type === 'refused') {
    const hint = request.type === 'close' ? '; to close without its consent, add --alone' : ''
    throw new PeerError('CHANNEL_REFUSED', `${peerId} refused (${reply.code}): ${reply.message}${hint}`, {
      details: { peerId, reason: reply.code }
    })
  }
  if (reply.type !== expected || reply.channel !== request.channel) {
    throw new PeerError('MESSAGE_UNEXPECTED', `${peerId} answered a ${request.type} request with something else`)
  }
  return reply as Reply<T>
}
