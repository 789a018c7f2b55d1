import type { AbortOptions } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'
import { addNano, type NanoTon, nanoTon, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { RecordChange } from '../ledger/channel-book.ts'
import { exhaustedText, PaymentRefusal } from '../refusal.ts'
import { type Voucher, verifyVoucher } from '../voucher.ts'
import { countAll, needsResync, type PayeeChannel, requireServing, weighVoucher, withVoucher } from './payee-channel.ts'
import type { PayeeDesk } from './payee-desk.ts'
import { chainBlind } from './payee-sight.ts'
import type { AcceptedVoucher, PayeeComponents } from './payee-types.ts'

export interface VouchersInit {
  /** After a credit, how long a lower voucher may be one that it overtook, milliseconds. */
  overtakenMs: number
  /** The most that the first voucher after a start may add for each job that may have been under way. */
  resyncJump: NanoTon | undefined
  /** Checks signatures beside the thread that keeps the books. */
  verifyOnPool: NonNullable<PayeeComponents['verifyVoucher']>
}

/** What else happens in the turn and the write in which a voucher is taken. */
export interface TakeAlso {
  /** Changes the record that the voucher made. */
  change: (next: PayeeChannel, also: Parameters<RecordChange<PayeeChannel>>[1]) => PayeeChannel
  /** Changes the record of a voucher that only shows how old our books are. */
  resync: (next: PayeeChannel) => PayeeChannel
  committed: () => void
}

/** A voucher on its way into the books. */
interface Arrival {
  voucher: Voucher
  /** Whether the payer signed it, once that is known; undefined if it was not of the channel's opening when it came. */
  isSigned: boolean | undefined
  /** Settles when the signature was checked. */
  checked: Promise<void>
}

type Taken =
  | { kind: 'taken'; next: PayeeChannel; credited: NanoTon }
  /** It counts, but nothing is served for it before the client told what it holds. */
  | { kind: 'resync'; next: PayeeChannel }
  | { kind: 'over-deposit' }
  /** More than may be taken without having seen the chain. */
  | { kind: 'unseen' }

const NOTHING_ELSE: TakeAlso = { change: next => next, resync: next => next, committed: () => undefined }

/** What vouchers make of the payee's records: checked against channel, signature, deposit and what came before. */
export class PayeeVouchers {
  readonly #desk: PayeeDesk
  readonly #clock: Clock
  readonly #init: VouchersInit

  constructor(desk: PayeeDesk, clock: Clock, init: VouchersInit) {
    this.#desk = desk
    this.#clock = clock
    this.#init = init
  }

  /**
   * Takes a voucher, and with it what `also` says, in one turn and one write. Reads the chain once more if the voucher
   * is above what is known to be there.
   *
   * @param voucher undefined if none came: only `also` happens then
   */
  async take(
    channel: string,
    voucher: Voucher | undefined,
    options: AbortOptions,
    also: TakeAlso = NOTHING_ELSE
  ): Promise<AcceptedVoucher> {
    await this.#desk.requireSight(channel, options)
    const arrival = voucher === undefined ? undefined : this.#arrive(channel, voucher)
    const first = await this.#take(channel, arrival, also)
    if (typeof first !== 'string') {
      return first
    }
    await this.#desk.reread(channel, options)
    const second = await this.#take(channel, arrival, also)
    if (typeof second !== 'string') {
      return second
    }
    throw second === 'unseen' ? chainBlind() : this.#exhausted(channel, voucher?.cumulative ?? ZERO_NANO_TON)
  }

  /**
   * What the client's highest voucher makes of our books when it says what it holds. One that is lower than ours, above
   * the confirmed deposit, or on a channel that is over changes nothing.
   *
   * @throws {PaymentRefusal} `VOUCHER_FOREIGN`, `VOUCHER_SIGNATURE_INVALID`
   */
  takeSynced(c: PayeeChannel, voucher: Voucher): PayeeChannel {
    this.verify(c, voucher)
    const { cumulative } = voucher
    const higher = cumulative > c.accepted || (cumulative === c.accepted && c.signature.byteLength === 0)
    const counts = c.state === 'open' || (c.state === 'closing' && c.needsResync)
    if (!higher || !counts || cumulative > c.deposit || !this.#desk.mayTake(c, cumulative)) {
      return c
    }
    const next = withVoucher(c, voucher, this.#clock.nowMs())
    return c.needsResync || this.#isJump(c, voucher) ? countAll(next, this.#desk.session(c).charged()) : next
  }

  /**
   * @param isSigned the signature's check if it was made already
   * @throws {PaymentRefusal} `VOUCHER_FOREIGN`, `VOUCHER_SIGNATURE_INVALID`
   */
  verify(c: PayeeChannel, voucher: Voucher, isSigned?: boolean): void {
    if (voucher.channel !== c.channel || voucher.openedLt !== c.openedLt) {
      throw new PaymentRefusal(
        'VOUCHER_FOREIGN',
        `The voucher is of another opening than ${c.channel}, or another channel`
      )
    }
    if (!(isSigned ?? verifyVoucher(this.#desk.session(c).payerKey, c.terms.globalId, voucher))) {
      throw new PaymentRefusal(
        'VOUCHER_SIGNATURE_INVALID',
        `The voucher for ${c.channel} is not signed with the payer's key`
      )
    }
  }

  /**
   * Begins to check the signature before the channel's turn comes: the check then runs beside other channels' work and
   * this one's writes. It depends on nothing that a turn can change; everything else is decided in the turn.
   */
  #arrive(channel: string, voucher: Voucher): Arrival {
    // Ours alone: what is checked is what will be stored, whatever becomes of the message it came in.
    const held = { ...voucher, signature: voucher.signature.slice() }
    const arrival: Arrival = { voucher: held, isSigned: undefined, checked: Promise.resolve() }
    const c = this.#desk.must(channel)
    if (c.channel === held.channel && c.openedLt === held.openedLt) {
      arrival.checked = this.#init
        .verifyOnPool(this.#desk.session(c).payerKey, c.terms.globalId, held)
        .then(isSigned => {
          arrival.isSigned = isSigned
        })
    }
    return arrival
  }

  async #take(
    channel: string,
    arrival: Arrival | undefined,
    also: TakeAlso
  ): Promise<AcceptedVoucher | 'over-deposit' | 'unseen'> {
    let taken: Taken | undefined
    const record = await this.#desk.change(
      channel,
      (c, write) => {
        taken = this.#weigh(c, arrival)
        switch (taken.kind) {
          case 'taken':
            return this.#marked(c, also.change(taken.next, write))
          case 'resync':
            return also.resync(taken.next)
          default:
            return c
        }
      },
      c => {
        if (taken?.kind === 'taken') {
          // First what came with it: jobs that wait for money must not be charged what pays for the job that begins here.
          also.committed()
          this.#noteCredit(c, arrival?.voucher, taken.credited)
        }
      },
      arrival?.checked
    )
    switch (taken?.kind) {
      case 'taken':
        return { cumulative: record.accepted, credited: taken.credited }
      case 'over-deposit':
      case 'unseen':
        return taken.kind
      default:
        throw needsResync(channel)
    }
  }

  /** Keeps with every voucher how far the running jobs are: what a crash makes uncertain is only what came after. */
  #marked(c: PayeeChannel, next: PayeeChannel): PayeeChannel {
    return next === c ? c : { ...next, charged: this.#desk.session(c).charged() }
  }

  #weigh(c: PayeeChannel, arrival: Arrival | undefined): Taken {
    if (arrival === undefined) {
      requireServing(c)
      return { kind: 'taken', next: c, credited: ZERO_NANO_TON }
    }
    const { voucher } = arrival
    if (c.state !== 'open') {
      requireServing(c)
    }
    this.verify(c, voucher, arrival.isSigned)
    if (voucher.cumulative < c.accepted && this.#wasOvertaken(c)) {
      requireServing(c)
      return { kind: 'taken', next: c, credited: ZERO_NANO_TON }
    }
    const verdict = weighVoucher(c, voucher, this.#clock.nowMs())
    if (verdict.kind === 'over-deposit') {
      return verdict
    }
    if (verdict.kind === 'known') {
      requireServing(c)
      return { kind: 'taken', next: c, credited: ZERO_NANO_TON }
    }
    if (c.needsResync || this.#isJump(c, voucher)) {
      const next = countAll(verdict.next, this.#desk.session(c).charged())
      return { kind: 'resync', next: { ...next, needsResync: true } }
    }
    return this.#desk.mayTake(c, voucher.cumulative)
      ? { kind: 'taken', next: verdict.next, credited: verdict.credited }
      : { kind: 'unseen' }
  }

  /** Remembers when money came, and wakes the jobs that wait for it. */
  #noteCredit(c: PayeeChannel, voucher: Voucher | undefined, credited: NanoTon): void {
    const session = this.#desk.session(c)
    session.contacted ||= voucher !== undefined
    if (credited > 0n) {
      session.creditedAtMs = this.#clock.nowMs()
      session.wake()
    }
  }

  /**
   * Whether the first voucher since the start adds more than what jobs under way could have been paid without our
   * knowing: then our books are a backup, and the client was served for the difference already.
   */
  #isJump(c: PayeeChannel, { cumulative }: Voucher): boolean {
    const { contacted, interrupted } = this.#desk.session(c)
    const { resyncJump } = this.#init
    if (contacted || resyncJump === undefined) {
      return false
    }
    return cumulative > addNano(c.accepted, nanoTon(BigInt(1 + interrupted) * resyncJump))
  }

  #exhausted(channel: string, needed: NanoTon): PaymentRefusal {
    const { deposit } = this.#desk.must(channel)
    return new PaymentRefusal('CHANNEL_EXHAUSTED', exhaustedText(channel, needed, deposit), {
      details: { channel, needed, deposit }
    })
  }

  /**
   * Whether a lower voucher can be one that another job's overtook on its way: every job has its own stream. Only where
   * none can be under way does it mean that the payer forgot what it signed.
   */
  #wasOvertaken(c: PayeeChannel): boolean {
    const { jobs, creditedAtMs } = this.#desk.session(c)
    return jobs.size > 0 || this.#clock.nowMs() - creditedAtMs < this.#init.overtakenMs
  }
}
