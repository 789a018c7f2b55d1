import type { Clock } from '../../core/clock.ts'
import { MoneyError } from '../../core/errors.ts'
import { addNano, minNano, type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { TokenUsage } from '../../core/price.ts'
import type { RecordChange } from '../ledger/channel-book.ts'
import { type JobLine, jobKey } from '../ledger/job-line.ts'
import type { Voucher } from '../voucher.ts'
import { endJob, type PayerChannel, promiseMore, requireOpen } from './payer-channel.ts'
import type { SpendingBook, SpendingGrant } from './spending-book.ts'

export interface PayerJobInit {
  /** Hex. */
  jobId: string
  /** The most this job may ever be paid. */
  maxCost: NanoTon
}

/** How a job ended, as the payer saw it. */
export interface PayerJobEnd {
  /** What the usage that was checked costs; anything above the job's cap is not owed. */
  cost: NanoTon
  usage: TokenUsage
  /**
   * Whether the payee knows of the same cost (its signed receipt came). If not, all that was prepaid counts as used until
   * `PayerChannels.reconcile`.
   */
  confirmed: boolean
}

/** What a job needs of `PayerChannels`. */
export interface PayerJobPort {
  channel: PayerChannel
  clock: Clock
  spending: SpendingBook
  sign: (channel: PayerChannel) => PayerChannel
  voucherOf: (channel: PayerChannel) => Voucher
  update: (change: RecordChange<PayerChannel>, committed?: () => void) => Promise<PayerChannel>
  /** Told after every voucher that was signed. */
  signed: () => void
}

/** One job paid over a channel that others may share. Amounts are the job's own, from zero. */
export class PayerJob {
  readonly channel: string
  readonly maxCost: NanoTon
  readonly #port: PayerJobPort
  readonly #line: JobLine
  readonly #key: string
  #paid: NanoTon = ZERO_NANO_TON
  #ended = false

  constructor(port: PayerJobPort, init: PayerJobInit) {
    this.#port = port
    this.channel = port.channel.channel
    this.maxCost = init.maxCost
    this.#line = {
      role: 'payer',
      jobId: init.jobId,
      channel: this.channel,
      peerId: port.channel.peerId,
      startedAtMs: port.clock.nowMs(),
      outcome: 'running',
      promptTokens: 0,
      cachedPromptTokens: 0,
      completionTokens: 0,
      cost: ZERO_NANO_TON,
      paid: ZERO_NANO_TON
    }
    this.#key = jobKey(this.#line)
  }

  /** What this job was paid up to so far. */
  get paid(): NanoTon {
    return this.#paid
  }

  /**
   * Pays this job up to `jobCost` in all, from the channel's credit first, and resolves once that is durable. The
   * voucher covers every job of the channel; when nothing had to be signed it is the highest one again. Call it again
   * with the same amount when the payee asks for more than it should: another job may have used this one's share.
   *
   * @throws {MoneyError} `SPENDING_CAP` above the job's cap, `SPENDING_DAY_LIMIT`, `JOB_ENDED`, `CHANNEL_EXHAUSTED`,
   *   `CHANNEL_CLOSING`, `CHANNEL_CLOSED`
   */
  async payUpTo(jobCost: NanoTon): Promise<Voucher> {
    let increase: NanoTon = ZERO_NANO_TON
    let grant: SpendingGrant | undefined
    const change: RecordChange<PayerChannel> = (current, also) => {
      const channel = this.#require(current)
      this.#requireCap(jobCost)
      requireOpen(channel)
      increase = subNanoFloor(jobCost, this.#paid)
      const next = promiseMore(channel, increase)
      const known = channel.running.includes(this.#key)
      if (known && increase === 0n && next.signed === channel.signed) {
        return channel
      }
      let signed: PayerChannel = { ...next, lastUsedAtMs: this.#port.clock.nowMs() }
      if (next.signed > channel.signed) {
        // Before the signature: what parallel jobs on other channels sign counts against the same day.
        grant = this.#port.spending.take('signed', subNanoFloor(next.signed, channel.signed))
        also(grant.write())
        signed = this.#port.sign(signed)
      }
      if (known) {
        return signed
      }
      // Even if it costs nothing yet: while it runs, nobody can say what the channel's jobs used in all.
      also({ kind: 'job', record: { ...this.#line, paid: addNano(this.#paid, increase) } })
      return { ...signed, running: [...channel.running, this.#key] }
    }
    const record = await this.#port
      .update(change, () => {
        this.#paid = addNano(this.#paid, increase)
      })
      .catch((err: unknown) => {
        grant?.cancel()
        throw err
      })
    if (grant !== undefined) {
      this.#port.signed()
    }
    return this.#port.voucherOf(record)
  }

  /**
   * Books the job's final cost; what was prepaid beyond it is credit for the next job. A second call changes nothing.
   * Never refused: not by a closed channel either.
   */
  async end(end: PayerJobEnd): Promise<void> {
    await this.#port.update(
      (current, also) => {
        const channel = current ?? this.#port.channel
        if (this.#ended) {
          return channel
        }
        const cost = minNano(end.cost, this.maxCost)
        also({ kind: 'job', record: { ...this.#line, ...tokens(end.usage), outcome: 'ended', cost, paid: this.#paid } })
        const next = endJob(channel, this.#paid, cost, end.confirmed)
        const running = next.running.filter(key => key !== this.#key)
        return { ...next, running, lastUsedAtMs: this.#port.clock.nowMs() }
      },
      () => {
        this.#ended = true
      }
    )
  }

  #requireCap(jobCost: NanoTon): void {
    if (jobCost > this.maxCost) {
      const { jobId } = this.#line
      throw new MoneyError('SPENDING_CAP', `Job ${jobId} would cost ${jobCost} nanotons: its cap is ${this.maxCost}`, {
        details: { jobId, cost: jobCost, cap: this.maxCost }
      })
    }
  }

  #require(current: PayerChannel | undefined): PayerChannel {
    if (this.#ended || current === undefined) {
      throw new MoneyError('JOB_ENDED', `Job ${this.#line.jobId} is over: nothing more is paid for it`)
    }
    return current
  }
}

function tokens(usage: TokenUsage): TokenUsage {
  const { promptTokens, cachedPromptTokens, completionTokens } = usage
  return { promptTokens, cachedPromptTokens, completionTokens }
}
