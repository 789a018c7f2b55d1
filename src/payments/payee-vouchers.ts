import type { AbortOptions } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import { type NanoTon, ZERO_NANO_TON } from '../core/nano-ton.ts'
import { type PayeeChannel, requireServing, weighVoucher } from './payee-channel.ts'
import type { PayeeDesk } from './payee-desk.ts'
import type { AcceptedVoucher } from './payee-types.ts'
import { exhaustedText, PaymentRefusal } from './refusal.ts'
import { type Voucher, verifyVoucher } from './voucher.ts'

/** A voucher that counts, or changes nothing. */
export interface TakenVoucher {
  next: PayeeChannel
  credited: NanoTon
}

/** What vouchers make of the payee's records: checked against channel, signature, deposit and what came before. */
export class PayeeVouchers {
  readonly #desk: PayeeDesk
  readonly #clock: Clock
  readonly #overtakenMs: number

  /** @param overtakenMs after a credit, how long a lower voucher may be one that it overtook, milliseconds */
  constructor(desk: PayeeDesk, clock: Clock, overtakenMs: number) {
    this.#desk = desk
    this.#clock = clock
    this.#overtakenMs = overtakenMs
  }

  /** See `PayeeChannels.accept`. */
  async accept(voucher: Voucher, options: AbortOptions): Promise<AcceptedVoucher> {
    await this.#desk.requireFresh(voucher.channel, options)
    const first = await this.#take(voucher)
    if (first !== undefined) {
      return first
    }
    await this.#desk.rereadDeposit(voucher.channel, options)
    const second = await this.#take(voucher)
    if (second !== undefined) {
      return second
    }
    const { deposit } = this.#desk.must(voucher.channel)
    throw new PaymentRefusal('CHANNEL_EXHAUSTED', exhaustedText(voucher.channel, voucher.cumulative, deposit), {
      details: { channel: voucher.channel, needed: voucher.cumulative, deposit }
    })
  }

  /**
   * What a voucher makes of a record; undefined if it is above the deposit that is known. To be called in the channel's
   * turn, and followed by `noteCredit` once the record is durable.
   *
   * @throws {PaymentRefusal} `CHANNEL_CLOSING`, `CHANNEL_CLOSED`, `VOUCHER_FOREIGN`, `VOUCHER_SIGNATURE_INVALID`, `VOUCHER_STALE`
   */
  weigh(c: PayeeChannel, voucher: Voucher): TakenVoucher | undefined {
    requireServing(c)
    if (voucher.channel !== c.channel || voucher.openedLt !== c.openedLt) {
      throw new PaymentRefusal(
        'VOUCHER_FOREIGN',
        `The voucher is of another opening than ${c.channel}, or another channel`
      )
    }
    if (!verifyVoucher(this.#desk.session(c).payerKey, c.terms.globalId, voucher)) {
      throw new PaymentRefusal(
        'VOUCHER_SIGNATURE_INVALID',
        `The voucher for ${c.channel} is not signed with the payer's key`
      )
    }
    if (voucher.cumulative < c.accepted && this.#wasOvertaken(c)) {
      return { next: c, credited: ZERO_NANO_TON }
    }
    const verdict = weighVoucher(c, voucher)
    if (verdict.kind === 'over-deposit') {
      return undefined
    }
    return verdict.kind === 'credited' ? verdict : { next: c, credited: ZERO_NANO_TON }
  }

  /** Remembers when money came, and wakes the jobs that wait for it. */
  noteCredit(c: PayeeChannel, credited: NanoTon): void {
    if (credited > 0n) {
      this.#desk.session(c).creditedAtMs = this.#clock.nowMs()
      this.#desk.wake(c.channel)
    }
  }

  /** Takes a voucher in its channel's turn; undefined if it is above the confirmed deposit. */
  async #take(voucher: Voucher): Promise<AcceptedVoucher | undefined> {
    let taken: TakenVoucher | undefined
    const record = await this.#desk.change(
      voucher.channel,
      c => {
        taken = this.weigh(c, voucher)
        return taken?.next ?? c
      },
      c => this.noteCredit(c, taken?.credited ?? ZERO_NANO_TON)
    )
    return taken === undefined ? undefined : { cumulative: record.accepted, credited: taken.credited }
  }

  /**
   * Whether a lower voucher can be one that another job's overtook on its way: every job has its own stream. Only where
   * none can be under way does it mean that the payer forgot what it signed.
   */
  #wasOvertaken(c: PayeeChannel): boolean {
    const { jobs, creditedAtMs } = this.#desk.session(c)
    return jobs.size > 0 || this.#clock.nowMs() - creditedAtMs < this.#overtakenMs
  }
}
