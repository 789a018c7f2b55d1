import { type AbortOptions, throwIfAborted, withTimeLimit } from '../core/abort.ts'
import { toHex } from '../core/bytes.ts'
import { errorCode, PeerError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { type NanoTon, ZERO_NANO_TON } from '../core/nano-ton.ts'
import { SharedRuns } from '../core/shared-runs.ts'
import type { Capacity, CapacityPayment, Mesh } from '../mesh/index.ts'
import { type DepositPolicy, type PaidProvider, type PayerChannelInfo, type PayerChannels } from '../payments/index.ts'
import {
  type ChannelReplyMessage,
  type ChannelRequestMessage,
  decodeChannelReply,
  encodeChannelRequest
} from '../wire/channel-exchange.ts'
import { LIMITS } from '../wire/limits.ts'
import { PROTOCOLS } from '../wire/protocols.ts'
import { type ChannelRemedy, remedyFor } from './channel-remedy.ts'
import { exchange } from './exchange.ts'

/** What a cooperative close came to. */
export interface ClosedChannel {
  channel: string
  /** Paid to the provider over the channel's life. */
  paid: NanoTon
  /** Hash of the closing transaction, hex. */
  closeTransaction: string
}

type Reply<T extends ChannelReplyMessage['type']> = Extract<ChannelReplyMessage, { type: T }>

/** A provider of an earlier version claims before it answers a close. */
const CLOSE_TIMEOUT_MS = 60_000
const SYNC_TIMEOUT_MS = 10_000

/** The client's channels as it manages them together with their providers. */
export class ClientChannels {
  readonly #mesh: Mesh
  readonly #payer: PayerChannels
  readonly #logger: Logger
  /** Channels whose provider told this process what it holds, or that this process opened. */
  readonly #agreed = new Set<string>()
  readonly #syncs = new SharedRuns<PayerChannelInfo>()

  constructor(components: { mesh: Mesh; payer: PayerChannels; logger: Logger }) {
    this.#mesh = components.mesh
    this.#logger = components.logger
    this.#payer = components.payer
  }

  /**
   * The open channel to this provider with enough room, or a new one. The first time in this process, the provider is
   * asked what it holds before anything is signed: our books may be an old copy. After a job that broke off it is asked
   * what it delivered, so that what was prepaid for nothing is used by the next job.
   *
   * @throws the errors of `PayerChannels.ensureChannel` and, where our books may be old, of `sync`
   */
  async ensure(
    capacity: Pick<Capacity, 'peerId' | 'payment'>,
    policy: DepositPolicy,
    options: AbortOptions = {}
  ): Promise<PayerChannelInfo> {
    const { peerId, payment } = capacity
    const { payeeKey, payeeAddress, minimumDeposit } = payment
    const provider: PaidProvider = { peerId, payeeKey, payeeAddress, minimumDeposit }
    await this.#resumeWith(provider, options)
    const channel = await this.#fund(provider, policy, options)
    // While jobs run, nobody can say what the others used in all.
    const unsettled = channel.uncertain > 0n && channel.runningJobs === 0
    if (this.#agreed.has(channel.channel) && !unsettled) {
      return channel
    }
    await this.#agree({ ...channel, peerId }, options)
    // What the provider told may have used up the room, or ended the channel.
    return this.#fund(provider, policy, options)
  }

  /**
   * Asks a provider what it holds of our channel to it, if that is still to be asked, without waiting: while offers are
   * awaited, this costs no time. What fails here is found again when the channel is used.
   */
  greet(payment: Pick<CapacityPayment, 'payeeKey' | 'payeeAddress'>): void {
    for (const channel of this.#channelsTo(payment)) {
      if (channel.state === 'open' && channel.peerId !== '' && !this.#agreed.has(channel.channel)) {
        this.sync(channel).catch((err: unknown) => {
          this.#logger.debug('channel not agreed on yet', { channel: channel.channel, code: errorCode(err) })
        })
      }
    }
  }

  /**
   * Tells the provider what we hold and asks what it holds: takes back vouchers of ours that we forgot, and settles on
   * what was delivered. Parallel calls share one exchange.
   *
   * @throws {PeerError} `CHANNEL_REFUSED` with the provider's reason, `PEER_SILENT`, `VOUCHER_SIGNATURE_INVALID`,
   *   `VOUCHER_FOREIGN`
   */
  sync({ channel, peerId }: PayerChannelInfo, options: AbortOptions = {}): Promise<PayerChannelInfo> {
    return this.#syncs.run(
      channel,
      async () => {
        const request = { type: 'sync', channel, ...this.#payer.holdings(channel) } as const
        const held = await this.#exchange(peerId, request, 'state', SYNC_TIMEOUT_MS)
        const info = await this.#payer.synced(channel, peerId, held)
        this.#agreed.add(channel)
        return info
      },
      options
    )
  }

  /**
   * Closes together with the provider at what it delivered, and the rest of the deposit comes back.
   *
   * @throws {MoneyError} `CHANNEL_UNKNOWN`, `CHANNEL_BUSY`
   * @throws {PeerError} `CHANNEL_REFUSED`, `PEER_SILENT`, `CLOSE_ORDER_INVALID`
   */
  async close(channel: string, options: AbortOptions = {}): Promise<ClosedChannel> {
    const retired = await this.#payer.retire(channel)
    // Both sides name the same amount then. If it fails, the next exchange says why.
    await this.sync(retired, options).catch((err: unknown) => {
      throwIfAborted(options.signal)
      this.#logger.debug('channel not agreed on before its close', { channel, code: errorCode(err) })
    })
    const agreed = await this.#exchange(retired.peerId, { type: 'close', channel }, 'closed', CLOSE_TIMEOUT_MS, options)
    const { openedLt, cumulative, validUntil, payeeSignature } = agreed
    const { transaction } = await this.#payer.close(
      channel,
      { openedLt, cumulative, validUntil, payeeSignature },
      options
    )
    return { channel, paid: cumulative, closeTransaction: transaction }
  }

  /**
   * Agrees with a provider on channels that were recovered, so that they sign again.
   *
   * @returns those that can be used now, or that the provider closes
   */
  async resume(
    provider: { peerId: string; payment: Pick<CapacityPayment, 'payeeKey' | 'payeeAddress'> },
    options: AbortOptions = {}
  ): Promise<PayerChannelInfo[]> {
    const { peerId, payment } = provider
    const resumed: PayerChannelInfo[] = []
    for (const channel of this.#channelsTo(payment)) {
      if (channel.state === 'recovered') {
        resumed.push(await this.sync({ ...channel, peerId }, options))
      }
    }
    return resumed
  }

  /**
   * Does what may help after a provider refused a job because of our channel to it, so that the job can be tried once more.
   * A channel that is gone is not used again: the next `ensure` opens another.
   *
   * @param code what it was refused with
   * @returns whether trying again makes sense
   */
  async mend(
    provider: { peerId: string; payment: Pick<CapacityPayment, 'payeeKey' | 'payeeAddress'> },
    code: string | undefined,
    options: AbortOptions = {}
  ): Promise<boolean> {
    const remedy = remedyFor(code)
    if (remedy === undefined) {
      return false
    }
    try {
      for (const channel of this.#channelsTo(provider.payment).filter(c => c.state === 'open')) {
        await this.#apply(remedy, { ...channel, peerId: provider.peerId }, options)
      }
      return true
    } catch (err) {
      throwIfAborted(options.signal)
      this.#logger.info('channel not mended', { provider: provider.peerId, code, problem: errorCode(err) })
      return false
    }
  }

  async #apply(remedy: ChannelRemedy, channel: PayerChannelInfo, options: AbortOptions): Promise<void> {
    if (remedy === 'sync') {
      await this.sync(channel, options)
      return
    }
    const { state } = await this.#payer.refresh(channel.channel, options)
    if (remedy === 'leave' && state === 'open') {
      // The deposit comes back when it is closed; until then it counts as locked with this provider.
      await this.#payer.retire(channel.channel)
    }
  }

  /** Opens, finds or tops up. A channel that this process opens cannot be older than our books. */
  #fund(provider: PaidProvider, policy: DepositPolicy, options: AbortOptions): Promise<PayerChannelInfo> {
    return this.#payer.ensureChannel(provider, policy, {
      ...options,
      onStep: (step, channel) => {
        if (step === 'opening') {
          this.#agreed.add(channel)
        }
      }
    })
  }

  async #agree(channel: PayerChannelInfo, options: AbortOptions): Promise<void> {
    try {
      await this.sync(channel, options)
    } catch (err) {
      throwIfAborted(options.signal)
      const unknownThere = err instanceof PeerError && err.details['reason'] === 'CHANNEL_UNKNOWN'
      // It holds nothing of ours, so nothing can be lower. Where books were agreed on before, the job itself will show
      // whether the provider is there: a window's worth of credit must not stop it.
      if (!unknownThere && !this.#agreed.has(channel.channel)) {
        throw err
      }
      this.#agreed.add(channel.channel)
      this.#logger.info('channel not reconciled', { channel: channel.channel, code: errorCode(err) })
      if (unknownThere) {
        // Then it delivered nothing for what we are not sure of.
        await this.#payer.reconcile(channel.channel, ZERO_NANO_TON)
      }
    }
  }

  async #resumeWith(provider: PaidProvider, options: AbortOptions): Promise<void> {
    try {
      await this.resume({ peerId: provider.peerId, payment: provider }, options)
    } catch (err) {
      throwIfAborted(options.signal)
      // It stays as it is, to be closed alone. Another one can be opened.
      this.#logger.info('recovered channel cannot be used', { provider: provider.peerId, code: errorCode(err) })
    }
  }

  #channelsTo({ payeeKey, payeeAddress }: Pick<CapacityPayment, 'payeeKey' | 'payeeAddress'>): PayerChannelInfo[] {
    const key = toHex(payeeKey)
    return this.#payer.list().filter(c => c.payeeAddress === payeeAddress && toHex(c.terms.payeeKey) === key)
  }

  #exchange<T extends ChannelReplyMessage['type']>(
    peerId: string,
    request: ChannelRequestMessage,
    expected: T,
    timeoutMs: number,
    options: AbortOptions = {}
  ): Promise<Reply<T>> {
    return withTimeLimit(timeoutMs, options.signal, signal =>
      exchange(this.#mesh, encodeChannelRequest(request), {
        peerId,
        protocol: PROTOCOLS.channel,
        name: 'channel',
        maxFrameBytes: LIMITS.channelFrameBytes,
        signal,
        read: answer => readReply(answer, peerId, request, expected)
      })
    )
  }
}

/** @throws {PeerError} `CHANNEL_REFUSED`, `MESSAGE_UNEXPECTED`, `MESSAGE_MALFORMED`, `MESSAGE_TOO_LARGE` */
function readReply<T extends ChannelReplyMessage['type']>(
  answer: Uint8Array,
  peerId: string,
  request: ChannelRequestMessage,
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
