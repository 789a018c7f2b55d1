import type { AbortOptions } from '../../core/abort.ts'
import { MoneyError } from '../../core/errors.ts'
import { subNanoFloor } from '../../core/nano-ton.ts'
import type { ChannelView } from '../chain.ts'
import { ChannelBook, type RecordChange } from '../ledger/channel-book.ts'
import type { LedgerWrite } from '../ledger/ledger.ts'
import { signVoucher, type Voucher } from '../voucher.ts'
import type { PayerChannel } from './payer-channel.ts'
import type { PayerComponents } from './payer-types.ts'
import { observeChannel } from './payer-view.ts'
import type { SpendingLimits } from './spending.ts'
import { SpendingBook } from './spending-book.ts'

/** The payer's records, what they cost by the day, and the key that signs for them. */
export class PayerDesk {
  readonly book: ChannelBook<PayerChannel>
  readonly spending: SpendingBook
  readonly #components: PayerComponents

  constructor(components: PayerComponents, limits: SpendingLimits) {
    this.#components = components
    this.book = new ChannelBook(components.ledger, record => ({ kind: 'payer', record }))
    this.spending = new SpendingBook(components.clock, limits)
  }

  /** @throws {MoneyError} `CHANNEL_UNKNOWN` */
  must(channel: string): PayerChannel {
    const record = this.book.get(channel)
    if (record === undefined) {
      throw new MoneyError('CHANNEL_UNKNOWN', `No channel ${channel} in the ledger: see the list of channels`)
    }
    return record
  }

  change(
    channel: string,
    change: (c: PayerChannel, also: Parameters<RecordChange<PayerChannel>>[1]) => PayerChannel,
    committed?: (record: PayerChannel) => void
  ): Promise<PayerChannel> {
    return this.book.update(channel, (c, also) => change(c ?? this.must(channel), also), committed)
  }

  /** Reads a channel from the chain and books what it says. */
  async read(channel: string, options: AbortOptions = {}): Promise<PayerChannel> {
    return this.observe(channel, await this.#components.chain.readChannel(channel, options))
  }

  observe(channel: string, view: ChannelView): Promise<PayerChannel> {
    return this.change(channel, (c, also) => this.countSigned(c, observeChannel(c, view), also))
  }

  /** What was signed and forgotten since counts as today's: no later day can be ruled out. */
  countSigned(before: PayerChannel, after: PayerChannel, also: (write: LedgerWrite) => void): PayerChannel {
    if (after.signed > before.signed) {
      also(this.spending.add('signed', subNanoFloor(after.signed, before.signed)))
    }
    return after
  }

  /** The record with the signature over what it says is signed. */
  sign(c: PayerChannel): PayerChannel {
    return { ...c, signature: this.#signed(c).signature }
  }

  /** The highest voucher of a record. Before the first: one over what is settled already, for a job that costs nothing. */
  voucherOf(c: PayerChannel): Voucher {
    if (c.signature.byteLength === 0) {
      return this.#signed(c)
    }
    return { channel: c.channel, openedLt: c.openedLt, cumulative: c.signed, signature: c.signature }
  }

  #signed(c: PayerChannel): Voucher {
    const { channel, openedLt, signed: cumulative } = c
    return signVoucher(this.#components.key, c.terms.globalId, { channel, openedLt, cumulative })
  }
}
