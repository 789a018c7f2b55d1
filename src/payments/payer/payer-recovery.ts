import { type AbortOptions, throwIfAborted } from '../../core/abort.ts'
import { toHex } from '../../core/bytes.ts'
import { ed25519PublicKey } from '../../core/ed25519.ts'
import { PeerError } from '../../core/errors.ts'
import { type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { OpenedChannel } from '../chain.ts'
import { type Voucher, verifyVoucher } from '../voucher.ts'
import { adoptVoucher, type PayerChannel, reconcile, recoveredChannel } from './payer-channel.ts'
import type { PayerDesk } from './payer-desk.ts'
import { describeChannel, type PayerChannelInfo, type PayerComponents } from './payer-types.ts'
import { observeChannel } from './payer-view.ts'

/** What a payee says it holds of a channel. */
export interface PayeeHoldings {
  openedLt: bigint
  /** Highest voucher it holds. */
  cumulative: NanoTon
  /** Our own signature on it; empty if it holds none. */
  signature: Uint8Array
  /** What it delivered in all. */
  delivered: NanoTon
  /** It accepts and serves nothing more on it. */
  closing: boolean
}

/** What a payer tells a payee of a channel. */
export interface PayerHoldings {
  openedLt: bigint
  cumulative: NanoTon
  signature: Uint8Array
  /** What it is certain to have received, in all. */
  spent: NanoTon
}

/** What a search of the chain for our channels came to. */
export interface FoundChannels {
  /** Not in the ledger before. */
  recovered: PayerChannelInfo[]
  /** In the ledger and not over. */
  known: PayerChannelInfo[]
  /** Opened once, and gone from the chain. */
  gone: number
}

/** Makes old or lost books whole again: from the payee's copies of our own signatures, and from the chain. */
export class PayerRecovery {
  readonly #desk: PayerDesk
  readonly #components: PayerComponents

  constructor(desk: PayerDesk, components: PayerComponents) {
    this.#desk = desk
    this.#components = components
  }

  /** See `PayerChannels.adopt`. */
  adopt(voucher: Voucher): Promise<PayerChannel> {
    return this.#desk.change(voucher.channel, (c, also) => this.#desk.countSigned(c, this.#adopted(c, voucher), also))
  }

  /** See `PayerChannels.holdings`. */
  holdings(channel: string): PayerHoldings {
    const { openedLt, signed, signature, spent, uncertain } = this.#desk.must(channel)
    // An amount that only the chain told of has no signature: it is as good as none.
    const cumulative = signature.byteLength === 0 ? ZERO_NANO_TON : signed
    return { openedLt, cumulative, signature, spent: subNanoFloor(spent, uncertain) }
  }

  /** See `PayerChannels.synced`. */
  synced(channel: string, peerId: string, held: PayeeHoldings): Promise<PayerChannel> {
    return this.#desk.change(channel, (c, also) => {
      const { openedLt, cumulative, signature, delivered, closing } = held
      let next = c
      if (signature.byteLength > 0) {
        next = this.#adopted(c, { channel, openedLt, cumulative, signature })
      } else if (openedLt !== c.openedLt) {
        throw foreign(c)
      }
      if (closing && next.running.length === 0 && (next.state === 'open' || next.state === 'recovered')) {
        next = { ...next, state: 'closing' }
      } else if (next.state === 'recovered') {
        next = { ...next, state: 'open', peerId }
      }
      return this.#desk.countSigned(c, reconcile(next, delivered), also)
    })
  }

  /** See `PayerChannels.recover`. */
  async recover(found: readonly OpenedChannel[], options: AbortOptions): Promise<FoundChannels> {
    const { chain, clock, key, payerAddress } = this.#components
    const result: FoundChannels = { recovered: [], known: [], gone: 0 }
    for (const { channel, terms } of found) {
      throwIfAborted(options.signal)
      const ours = terms.globalId === chain.globalId && terms.payerAddress === payerAddress
      if (!ours || chain.channelAddress(terms) !== channel) {
        continue
      }
      const view = await chain.readChannel(channel, options)
      if (this.#desk.book.get(channel) === undefined && view.state === 'missing') {
        result.gone++
        continue
      }
      let known = false
      const record = await this.#desk.book.update(channel, (current, also) => {
        known = current !== undefined
        return current === undefined
          ? recoveredChannel(channel, terms, view, toHex(terms.payerKey) === toHex(key.publicKey), clock.nowMs())
          : this.#desk.countSigned(current, observeChannel(current, view), also)
      })
      if (record.state === 'closed') {
        result.gone++
      } else {
        const list = known ? result.known : result.recovered
        list.push(describeChannel(record))
      }
    }
    return result
  }

  #adopted(c: PayerChannel, voucher: Voucher): PayerChannel {
    if (voucher.openedLt !== c.openedLt) {
      throw foreign(c)
    }
    if (!verifyVoucher(ed25519PublicKey(this.#components.key.publicKey), c.terms.globalId, voucher)) {
      throw new PeerError('VOUCHER_SIGNATURE_INVALID', `The payee's voucher for ${c.channel} is not signed by us`)
    }
    return adoptVoucher(c, voucher.cumulative, voucher.signature)
  }
}

function foreign(c: PayerChannel): PeerError {
  return new PeerError('VOUCHER_FOREIGN', `The payee's voucher is of another opening of ${c.channel}`)
}
