import type { AbortOptions } from '../../src/core/abort.ts'
import { throwIfAborted } from '../../src/core/abort.ts'
import { parseRawAddress } from '../../src/core/address.ts'
import { sha256, toHex } from '../../src/core/bytes.ts'
import { ed25519PublicKey, ed25519Verify } from '../../src/core/ed25519.ts'
import { MoneyError, NetworkError } from '../../src/core/errors.ts'
import { addNano, type NanoTon, nanoTon, subNanoFloor, ZERO_NANO_TON } from '../../src/core/nano-ton.ts'
import type {
  Chain,
  ChainReceipt,
  ChannelTerms,
  ChannelView,
  ClaimVoucher,
  CoopCloseOrder
} from '../../src/payments/chain.ts'
import { closeHash, voucherHash } from '../../src/payments/voucher-hash.ts'

interface FakeChannel {
  terms: ChannelTerms
  view: ChannelView
}

const MISSING: ChannelView = {
  state: 'missing',
  deposit: ZERO_NANO_TON,
  settled: ZERO_NANO_TON,
  closeAtMs: 0,
  openedLt: 0n,
  balance: ZERO_NANO_TON,
  asOfMs: 0
}

/** A call that can be made to fail or to wait. */
export type FakeChainCall = 'readChannel' | 'openChannel' | 'topUp' | 'claim' | 'coopClose' | 'startClose' | 'finish'

/**
 * The contract's rules in memory, without fees or blocks: it checks every signature as the contract does. Both sides may
 * share one. `nowMs` is set by the test.
 */
export class FakeChain implements Chain {
  readonly globalId: number
  nowMs = 1_800_000_000_000
  /** Every write that was applied, in order. */
  readonly log: Array<{ call: FakeChainCall; channel: string; amount: NanoTon }> = []
  /** What each raw address got out of channels. */
  readonly paid = new Map<string, NanoTon>()
  /** Runs before a call is applied: throw to lose it, wait to delay it. */
  before: (call: FakeChainCall) => Promise<void> | void = () => undefined
  /** Runs after a call was applied, before it is answered: throw to lose the answer. */
  after: (call: FakeChainCall) => Promise<void> | void = () => undefined
  readonly #channels = new Map<string, FakeChannel>()
  #lt = 1_000n

  constructor(globalId = -217) {
    this.globalId = globalId
  }

  async tip(options: AbortOptions = {}): Promise<{ height: number; hash: Uint8Array; timeMs: number }> {
    throwIfAborted(options.signal)
    return { height: Number(this.#lt), hash: sha256(String(this.#lt)), timeMs: this.nowMs }
  }

  async blockHash(height: number, options: AbortOptions = {}): Promise<Uint8Array> {
    throwIfAborted(options.signal)
    if (height > Number(this.#lt)) {
      throw new NetworkError('CHAIN_BLOCK_UNKNOWN', `The fake chain does not have block ${height} yet`)
    }
    return sha256(String(height))
  }

  channelAddress(terms: ChannelTerms): string {
    const fields = [
      terms.globalId,
      toHex(terms.payerKey),
      terms.payerAddress,
      toHex(terms.payeeKey),
      terms.payeeAddress,
      terms.salt,
      terms.challengeSeconds
    ]
    return `0:${toHex(sha256(fields.join('|')))}`
  }

  async readChannel(channel: string, options: AbortOptions = {}): Promise<ChannelView> {
    return this.#apply('readChannel', options, () => ({
      ...(this.#channels.get(channel)?.view ?? MISSING),
      // Every write makes a block of its own.
      asOfMs: this.nowMs + this.log.length
    }))
  }

  async openChannel(
    terms: ChannelTerms,
    deposit: NanoTon,
    options: AbortOptions = {}
  ): Promise<ChainReceipt & { channel: string; openedLt: bigint }> {
    const channel = this.channelAddress(terms)
    return this.#apply('openChannel', options, () => {
      if (this.#channels.has(channel)) {
        throw refused('CHANNEL_EXISTS', 'the channel is open already', false)
      }
      if (terms.globalId !== this.globalId) {
        throw refused('CHANNEL_TERMS_INVALID', 'another network', false)
      }
      const openedLt = this.#tick()
      const view: ChannelView = { ...MISSING, state: 'open', deposit, balance: deposit, openedLt }
      this.#channels.set(channel, { terms, view })
      return { ...this.#receipt('openChannel', channel, deposit), channel, openedLt }
    })
  }

  async topUp(channel: string, amount: NanoTon, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#apply('topUp', options, () => {
      const { view } = this.#must(channel)
      if (view.state === 'closing') {
        throw refused('CHAIN_REFUSED', 'the channel is closing')
      }
      this.#set(channel, { deposit: addNano(view.deposit, amount), balance: addNano(view.balance, amount) })
      return this.#receipt('topUp', channel, amount)
    })
  }

  async claim(channel: string, voucher: ClaimVoucher, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#apply('claim', options, () => {
      const { view } = this.#must(channel)
      const cumulative = this.#checkVoucher(channel, voucher)
      if (cumulative <= view.settled) {
        throw refused('NOTHING_TO_CLAIM', 'as much is settled already')
      }
      this.#settle(channel, cumulative)
      return this.#receipt('claim', channel, cumulative)
    })
  }

  async claimExternally(channel: string, voucher: ClaimVoucher, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.claim(channel, voucher, options)
  }

  async coopClose(channel: string, order: CoopCloseOrder, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#apply('coopClose', options, () => {
      const { terms, view } = this.#must(channel)
      const { openedLt, cumulative, validUntil, payeeSignature } = order
      const total = { globalId: terms.globalId, channel: parseRawAddress(channel), openedLt, cumulative, validUntil }
      const hash = closeHash(total)
      if (openedLt !== view.openedLt || !ed25519Verify(ed25519PublicKey(terms.payeeKey), hash, payeeSignature)) {
        throw refused('CHAIN_REFUSED', 'the payee did not sign this')
      }
      if (cumulative < view.settled || cumulative > view.deposit || this.nowMs > validUntil * 1000) {
        throw refused('CHAIN_REFUSED', 'the agreed amount is below the settled one, above the deposit, or too old')
      }
      this.#settle(channel, cumulative)
      this.#payOut(channel)
      return this.#receipt('coopClose', channel, cumulative)
    })
  }

  async startClose(channel: string, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#apply('startClose', options, () => {
      const { terms, view } = this.#must(channel)
      if (view.state === 'closing') {
        throw refused('CHAIN_REFUSED', 'the channel is closing already')
      }
      this.#set(channel, { state: 'closing', closeAtMs: this.nowMs + terms.challengeSeconds * 1000 })
      return this.#receipt('startClose', channel, view.settled)
    })
  }

  async finish(channel: string, options: AbortOptions = {}): Promise<ChainReceipt> {
    return this.#apply('finish', options, () => {
      const { view } = this.#must(channel)
      if (view.state !== 'closing' || this.nowMs < view.closeAtMs) {
        throw refused('CHAIN_REFUSED', 'it is too early')
      }
      this.#payOut(channel)
      return this.#receipt('finish', channel, view.settled)
    })
  }

  /** Number of writes of one kind that were applied. */
  count(call: FakeChainCall): number {
    return this.log.filter(entry => entry.call === call).length
  }

  async #apply<T>(call: FakeChainCall, options: AbortOptions, change: () => T): Promise<T> {
    throwIfAborted(options.signal)
    await this.before(call)
    throwIfAborted(options.signal)
    const result = change()
    await this.after(call)
    return result
  }

  #checkVoucher(channel: string, { openedLt, cumulative, signature }: ClaimVoucher): NanoTon {
    const { terms, view } = this.#must(channel)
    const hash = voucherHash({ globalId: terms.globalId, channel: parseRawAddress(channel), openedLt, cumulative })
    if (openedLt !== view.openedLt || !ed25519Verify(ed25519PublicKey(terms.payerKey), hash, signature)) {
      throw refused('CHAIN_REFUSED', 'the payer did not sign this')
    }
    if (cumulative > view.deposit) {
      throw refused('CHAIN_REFUSED', 'it is more than the deposit')
    }
    return cumulative
  }

  #settle(channel: string, cumulative: NanoTon): void {
    const { terms, view } = this.#must(channel)
    const due = subNanoFloor(cumulative, view.settled)
    this.#set(channel, { settled: cumulative, balance: subNanoFloor(view.balance, due) })
    this.#pay(terms.payeeAddress, due)
  }

  #payOut(channel: string): void {
    const { terms, view } = this.#must(channel)
    this.#pay(terms.payerAddress, view.balance)
    this.#channels.delete(channel)
  }

  #pay(address: string, amount: NanoTon): void {
    this.paid.set(address, addNano(this.paid.get(address) ?? ZERO_NANO_TON, amount))
  }

  #set(channel: string, change: Partial<ChannelView>): void {
    const known = this.#must(channel)
    this.#channels.set(channel, { ...known, view: { ...known.view, ...change } })
  }

  #must(channel: string): FakeChannel {
    const known = this.#channels.get(channel)
    if (known === undefined) {
      throw refused('CHANNEL_MISSING', 'there is no such channel', false)
    }
    return known
  }

  #receipt(call: FakeChainCall, channel: string, amount: NanoTon): ChainReceipt {
    this.log.push({ call, channel, amount: nanoTon(amount) })
    return { transaction: toHex(sha256(`${this.log.length}`)) }
  }

  #tick(): bigint {
    this.#lt += 2n
    return this.#lt
  }
}

function refused(code: string, why: string, sent?: boolean): MoneyError {
  return new MoneyError(code, `The fake chain refused: ${why}`, sent === undefined ? {} : { details: { sent } })
}
