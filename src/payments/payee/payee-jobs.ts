import type { AbortOptions } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'
import { type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { TokenUsage } from '../../core/price.ts'
import { type JobLine, jobKey } from '../ledger/job-line.ts'
import { PaymentRefusal } from '../refusal.ts'
import { requireClient } from './payee-admission.ts'
import { endPayeeJob, type PayeeChannel, requireServing } from './payee-channel.ts'
import type { PayeeDesk } from './payee-desk.ts'
import { PayeeJob } from './payee-job.ts'
import type { PayeeSession } from './payee-session.ts'
import type { PayeeJobInit } from './payee-types.ts'
import type { PayeeVouchers } from './payee-vouchers.ts'

const NO_TOKENS: TokenUsage = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }

/** Jobs as the payee's books know them: begun with a payment, charged as they run, ended in one write. */
export class PayeeJobs {
  readonly #desk: PayeeDesk
  readonly #vouchers: PayeeVouchers
  readonly #clock: Clock

  constructor(desk: PayeeDesk, vouchers: PayeeVouchers, clock: Clock) {
    this.#desk = desk
    this.#vouchers = vouchers
    this.#clock = clock
  }

  /** See `PayeeChannels.startJob`. */
  async start(channel: string, init: PayeeJobInit, options: AbortOptions): Promise<PayeeJob> {
    const { jobId, peerId, voucher, onChecked, firstPayment = ZERO_NANO_TON } = init
    const line: JobLine = {
      role: 'payee',
      jobId,
      channel,
      peerId,
      startedAtMs: this.#clock.nowMs(),
      outcome: 'running',
      ...NO_TOKENS,
      cost: ZERO_NANO_TON,
      paid: ZERO_NANO_TON
    }
    let job: PayeeJob | undefined
    let reserved = false
    await this.#vouchers.take(channel, voucher, options, {
      change: (next, also) => {
        const session = this.#desk.session(next)
        this.#requireStartable(next, session, init, firstPayment)
        also({ kind: 'job', record: line })
        job = this.#job(next, line)
        onChecked?.()
        return { ...next, peerId, running: [...next.running, jobKey(line)], lastUsedAtMs: line.startedAtMs }
      },
      // Its client is known all the same: only it can say what our books lack.
      resync: next => {
        requireClient(next, peerId)
        return { ...next, peerId }
      },
      committed: () => {
        const started = job as PayeeJob
        this.#desk.session(this.#desk.must(channel)).jobs.add(started)
        reserved = started.reserve(firstPayment)
      }
    })
    const started = job as unknown as PayeeJob
    if (!reserved) {
      // While this was written, a running job was charged what seemed free.
      await started.end(ZERO_NANO_TON)
      throw paymentRequired(channel, this.#desk.must(channel), firstPayment)
    }
    return started
  }

  #requireStartable(next: PayeeChannel, session: PayeeSession, init: PayeeJobInit, firstPayment: NanoTon): void {
    if ([...session.jobs].some(other => other.jobId === init.jobId)) {
      throw new PaymentRefusal('JOB_DUPLICATE', `Job ${init.jobId} runs on channel ${next.channel} already`)
    }
    requireClient(next, init.peerId)
    if (subNanoFloor(next.accepted, session.taken(next)) < firstPayment) {
      throw paymentRequired(next.channel, next, firstPayment)
    }
  }

  #job({ channel, openedLt }: PayeeChannel, line: JobLine): PayeeJob {
    const session = this.#desk.session(this.#desk.must(channel))
    const job: PayeeJob = new PayeeJob(
      {
        available: () => {
          const record = this.#desk.must(channel)
          return subNanoFloor(record.accepted, session.taken(record))
        },
        accepted: () => this.#desk.must(channel).accepted,
        requireServing: () => {
          const record = this.#desk.must(channel)
          // Closed and opened anew meanwhile: the new opening's money is for new jobs.
          requireServing(record.openedLt === openedLt ? record : { ...record, state: 'closed' })
          // A long answer that is paid ahead brings no voucher that would make us look.
          this.#desk.look(record)
        },
        onChange: listener => session.onChange(listener),
        end: async (cost, usage, freed) => {
          const { promptTokens, cachedPromptTokens, completionTokens } = usage
          await this.#desk.change(
            channel,
            (c, also) => {
              if (!session.jobs.has(job)) {
                return c
              }
              const counts = { promptTokens, cachedPromptTokens, completionTokens }
              also({ kind: 'job', record: { ...line, ...counts, outcome: 'ended', cost, paid: job.charged } })
              return c.openedLt === openedLt
                ? { ...endPayeeJob(c, jobKey(line), cost, this.#clock.nowMs()), charged: session.charged(job) }
                : c
            },
            () => {
              freed()
              session.jobs.delete(job)
              this.#desk.wake(channel)
            }
          )
        }
      },
      channel,
      line.jobId
    )
    return job
  }
}

/** `PAYMENT_REQUIRED`: what was paid is used up by other jobs, or by this one before. */
function paymentRequired(channel: string, c: PayeeChannel, firstPayment: NanoTon): PaymentRefusal {
  return new PaymentRefusal(
    'PAYMENT_REQUIRED',
    `The first payment of a job on channel ${channel} must leave ${firstPayment} nanotons for it: ${c.accepted} are accepted and used up`,
    { details: { channel, accepted: c.accepted, firstPayment } }
  )
}
