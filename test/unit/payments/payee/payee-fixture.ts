import { NetworkError } from '../../../../src/core/errors.ts'
import type { ChannelView, PayeeJobInit, Voucher } from '../../../../src/payments/index.ts'
import { signVoucher } from '../../../../src/payments/index.ts'
import { FakeLedgerDatabase } from '../../../support/ledger-database.ts'
import { amount, CLIENT_PEER, NO_USAGE, PAYER_KEY, PaymentPair } from '../../../support/payment-pair.ts'

/** A pair whose chain can lag, fall silent, or be asked slowly, seen from the payee's side. */
export class PayeeBench extends PaymentPair {
  channel = ''
  /** How much older than now the views of the chain are. */
  lagMs = 0
  /** The chain does not answer. */
  silent = false
  /** Requests for a view, answered or not. */
  reads = 0
  /** Runs before a view is answered. */
  beforeView: () => Promise<void> | void = () => undefined
  /** What the endpoint makes of a view. */
  alter: (view: ChannelView) => ChannelView = view => view

  constructor() {
    super()
    const read = this.chain.readChannel.bind(this.chain)
    this.chain.readChannel = async (channel, options) => {
      this.reads++
      if (this.silent) {
        throw new NetworkError('CHAIN_UNREACHABLE', 'The test cut the chain off')
      }
      const view = await read(channel, options)
      const seen = { ...view, asOfMs: view.asOfMs - this.lagMs }
      await this.beforeView()
      return this.alter(seen)
    }
  }

  /** Both sides run, and the payee knows one open channel of 1,000 nanotons. */
  async setUp(): Promise<this> {
    await this.start()
    this.channel = await this.open()
    return this
  }

  get held() {
    return this.payee.state(this.channel).info
  }

  sign(cumulative: bigint | number, channel = this.channel): Voucher {
    const { openedLt } = this.info(this.channel)
    return signVoucher(PAYER_KEY, -217, { channel, openedLt, cumulative: amount(cumulative) })
  }

  /** The same for another opening of the channel. */
  signFor(openedLt: bigint, cumulative: bigint): Voucher {
    return signVoucher(PAYER_KEY, -217, { channel: this.channel, openedLt, cumulative: amount(cumulative) })
  }

  serve(jobId: string, init: Partial<PayeeJobInit> = {}) {
    return this.payee.startJob(this.channel, { jobId, peerId: CLIENT_PEER, ...init })
  }

  /** One job on both sides: paid `paid`, delivered `cost`, and booked by both. */
  async job(jobId: string, paid: number, cost: number): Promise<void> {
    const paying = this.payer.startJob(this.channel, { jobId, maxCost: amount(10_000) })
    const served = await this.serve(jobId, { voucher: await paying.payUpTo(amount(paid)) })
    served.charge(amount(cost))
    await served.end(amount(cost))
    await paying.end({ cost: amount(cost), usage: NO_USAGE, confirmed: true })
  }

  /** What the payer says in a sync, from its own books. */
  async sync(spent?: number) {
    const { signed, used, uncertain } = this.info(this.channel)
    const voucher = signed > 0n ? this.sign(signed) : undefined
    const certain = spent ?? used - uncertain
    return this.payee.sync(this.channel, CLIENT_PEER, { voucher, spent: amount(certain) })
  }

  /** A payee whose disk is set back to an earlier copy. */
  async restore(backup: ReadonlyMap<string, string>, init: Parameters<this['restartPayee']>[0] = {}): Promise<void> {
    this.restartPayee(init, new FakeLedgerDatabase(backup))
    await this.payee.start()
  }

  backup(): Map<string, string> {
    return new Map(this.payeeDisk.stored)
  }
}
