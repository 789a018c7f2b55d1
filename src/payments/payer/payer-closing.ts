import type { AbortOptions } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'
import { MoneyError } from '../../core/errors.ts'
import { SharedRuns } from '../../core/shared-runs.ts'
import type { Chain, ChainReceipt, CoopCloseOrder } from '../chain.ts'
import { closedChannel, type PayerChannel, requireOpen, without } from './payer-channel.ts'
import { requireFairClose } from './payer-close.ts'
import type { PayerDesk } from './payer-desk.ts'

/** Ends channels, so that the rest of their deposits comes back. At most one message of ours is under way for each. */
export class PayerClosing {
  readonly #desk: PayerDesk
  readonly #chain: Chain
  readonly #clock: Clock
  readonly #runs = new SharedRuns<ChainReceipt>()

  constructor(desk: PayerDesk, { chain, clock }: { chain: Chain; clock: Clock }) {
    this.#desk = desk
    this.#chain = chain
    this.#clock = clock
  }

  /** See `PayerChannels.retire`. */
  retire(channel: string): Promise<PayerChannel> {
    return this.#desk.change(channel, c => {
      if (c.state === 'closing' || c.state === 'closed') {
        return c
      }
      if (c.state !== 'recovered') {
        requireOpen(c)
      }
      if (c.running.length > 0) {
        throw new MoneyError(
          'CHANNEL_BUSY',
          `${c.running.length} jobs run on channel ${channel}: wait for them or cancel them`
        )
      }
      return { ...c, state: 'closing' }
    })
  }

  /** See `PayerChannels.close`. */
  close(channel: string, order: CoopCloseOrder | undefined, options: AbortOptions): Promise<ChainReceipt> {
    return this.#runs.run(
      channel,
      async () => {
        await this.retire(channel)
        if ((await this.#desk.read(channel)).state === 'closed') {
          throw new MoneyError(
            'CHANNEL_CLOSED',
            `Channel ${channel} is closed already: the rest of its deposit went back`
          )
        }
        const record = await this.#desk.change(channel, c => this.#withOrder(c, order))
        if (record.closeOrder === undefined) {
          throw new MoneyError(
            'CLOSE_ORDER_MISSING',
            `The payee has not agreed to close ${channel}, or too long ago: ask it, or start to close alone`
          )
        }
        const receipt = await this.#chain.coopClose(channel, record.closeOrder)
        const { cumulative } = record.closeOrder
        await this.#desk.change(channel, c => closedChannel(c, cumulative))
        return receipt
      },
      options
    )
  }

  /** See `PayerChannels.startClose`. */
  startClose(channel: string, options: AbortOptions): Promise<ChainReceipt> {
    return this.#runs.run(
      channel,
      async () => {
        await this.retire(channel)
        return this.#chain.startClose(channel)
      },
      options
    )
  }

  /** See `PayerChannels.finish`. */
  finish(channel: string, options: AbortOptions): Promise<ChainReceipt> {
    return this.#runs.run(
      channel,
      async () => {
        // What the payee claimed in the challenge period: once the channel is gone, nobody can read it any more.
        await this.#desk.read(channel)
        const receipt = await this.#chain.finish(channel)
        await this.#desk.change(channel, c => closedChannel(c, c.settled))
        return receipt
      },
      options
    )
  }

  /** A new agreement replaces the stored one, once it is checked; one whose time is over is dropped. */
  #withOrder(c: PayerChannel, order: CoopCloseOrder | undefined): PayerChannel {
    if (order !== undefined) {
      requireFairClose(c, order)
      return { ...c, closeOrder: order }
    }
    const over = c.closeOrder !== undefined && c.closeOrder.validUntil * 1000 < this.#clock.nowMs()
    return over ? without(c, 'closeOrder') : c
  }
}
