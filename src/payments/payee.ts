import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { parseRawAddress } from '../core/address.ts'
import { ed25519Sign } from '../core/ed25519.ts'
import { errorCode } from '../core/errors.ts'
import { maxNano, type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../core/nano-ton.ts'
import type { ChainReceipt, ChannelTerms } from './chain.ts'
import { interruptedLines } from './interrupted.ts'
import { type JobLine, jobKey } from './job-line.ts'
import { type AdmissionRules, requireAdmissible, requireClient, requireOurs } from './payee-admission.ts'
import {
  admitChannel,
  afterPayeeCrash,
  claimable,
  endPayeeJob,
  highestVoucher,
  type PayeeChannel,
  requireServing
} from './payee-channel.ts'
import { PayeeDesk, unknownChannel } from './payee-desk.ts'
import { PayeeJob } from './payee-job.ts'
import type {
  AcceptedVoucher,
  AgreedClose,
  PayeeChannelInfo,
  PayeeComponents,
  PayeeInit,
  PayeeJobInit
} from './payee-types.ts'
import { PayeeVouchers } from './payee-vouchers.ts'
import { PaymentRefusal } from './refusal.ts'
import { SharedRuns } from './shared-runs.ts'
import type { Voucher } from './voucher.ts'
import { closeHash } from './voucher-hash.ts'

/** How long the payer has to send a close we agreed to, seconds. */
const CLOSE_VALID_SECONDS = 3_600

/** The provider's side of its channels: what it was paid, what it gave for it, and how it gets the money. */
export class PayeeChannels {
  readonly #components: PayeeComponents
  readonly #rules: AdmissionRules
  readonly #desk: PayeeDesk
  readonly #vouchers: PayeeVouchers
  readonly #claims = new SharedRuns<ChainReceipt | undefined>()

  constructor(components: PayeeComponents, init: PayeeInit) {
    this.#components = components
    this.#rules = { minimumDeposit: init.minimumDeposit, minimumChallengeSeconds: init.minimumChallengeSeconds }
    this.#desk = new PayeeDesk(components, init)
    this.#vouchers = new PayeeVouchers(this.#desk, components.clock, init.overtakenMs ?? 2_000)
  }

  /**
   * Loads the ledger, books what a crash left open, and checks every channel that is not over against the chain. One
   * that could not be checked serves nothing until it was.
   *
   * @throws {EnvironmentError} `LEDGER_CORRUPT`, `LEDGER_WRITE_FAILED`
   */
  async start(options: AbortOptions = {}): Promise<void> {
    const { ledger, logger } = this.#components
    this.#desk.book.load(await ledger.payeeChannels())
    for (const { channel, running } of this.#desk.book.values()) {
      const lines = await interruptedLines(ledger, running)
      await this.#desk.change(channel, (c, also) => {
        lines.forEach(also)
        return afterPayeeCrash(c)
      })
    }
    const live = this.#desk.book.values().filter(c => c.state !== 'closed')
    await Promise.all(
      live.map(({ channel }) =>
        this.refresh(channel, options).catch((err: unknown) => {
          throwIfAborted(options.signal)
          logger.warn('channel not checked against the chain: not served until it is', {
            channel,
            code: errorCode(err)
          })
        })
      )
    )
  }

  /**
   * Takes on a channel that a client wants to pay with: recomputes its address and reads it from the chain. One that is
   * served already is read again in the background, when the last look is old.
   *
   * @param from libp2p peer id of the client
   * @throws {PaymentRefusal} `CHANNEL_FOREIGN` if it pays someone else, is on another network or is another client's;
   *   `CHANNEL_MISSING`, `CHANNEL_CLOSING`, `CHANNEL_DEPOSIT_TOO_LOW`, `CHANNEL_CHALLENGE_TOO_SHORT`
   */
  async admit(terms: ChannelTerms, from: string, options: AbortOptions = {}): Promise<PayeeChannelInfo> {
    const { chain, clock, logger, key, payeeAddress } = this.#components
    requireOurs(terms, { globalId: chain.globalId, payeeKey: key.publicKey, payeeAddress })
    const channel = chain.channelAddress(terms)
    const known = this.#desk.book.get(channel)
    if (known !== undefined) {
      requireClient(known, from)
    }
    if (known?.state === 'open') {
      await this.#desk.requireFresh(channel, options)
      const current = this.#desk.must(channel)
      if (current.state === 'open') {
        return this.#describe(current)
      }
    }
    const view = await this.#desk.view(channel, options)
    if (known !== undefined) {
      await this.#desk.observe(channel, view)
    }
    requireAdmissible(terms, channel, view, this.#rules)
    const record = await this.#desk.book.update(channel, current => {
      if (current !== undefined && current.openedLt === view.openedLt) {
        requireServing(current)
        return current
      }
      if (current !== undefined && claimable({ ...current, state: 'open' }) > 0n) {
        logger.warn('channel was closed before its last voucher was claimed', {
          channel,
          lost: current.accepted - current.settled
        })
      }
      return admitChannel(channel, terms, view, clock.nowMs())
    })
    this.#desk.session(record).checkedAtMs = clock.nowMs()
    return this.#describe(record)
  }

  /**
   * Checks a voucher, stores it durably, and only then counts it. An equal one is fine. One above the confirmed deposit
   * makes the chain be read once; others do not wait for that.
   *
   * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`, `VOUCHER_FOREIGN` (another opening), `VOUCHER_SIGNATURE_INVALID`,
   *   `VOUCHER_STALE` (a `VoucherStaleError` with the highest), `CHANNEL_EXHAUSTED`, `CHANNEL_CLOSING`, `CHANNEL_CLOSED`
   * @throws {EnvironmentError} `LEDGER_WRITE_FAILED`: nothing is credited then
   */
  accept(voucher: Voucher, options: AbortOptions = {}): Promise<AcceptedVoucher> {
    return this.#vouchers.accept(voucher, options)
  }

  /**
   * A job to be served on an admitted channel, with its first voucher if one came: both in one write. Durable when it
   * resolves: a crash cannot make what it used look unused.
   *
   * @throws those of `accept` for the voucher
   * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`, `CHANNEL_CLOSING`, `CHANNEL_CLOSED`; `CHANNEL_FOREIGN` if another client
   *   brought the channel; `JOB_DUPLICATE` if the job runs already
   */
  async startJob(channel: string, init: PayeeJobInit, options: AbortOptions = {}): Promise<PayeeJob> {
    const { clock } = this.#components
    await this.#desk.requireFresh(channel, options)
    const { voucher } = init
    if (voucher !== undefined && voucher.cumulative > this.#desk.must(channel).deposit) {
      // Needs another look at the chain, which `accept` bounds.
      await this.accept(voucher, options)
    }
    const line: JobLine = {
      role: 'payee',
      jobId: init.jobId,
      channel,
      peerId: init.peerId,
      startedAtMs: clock.nowMs(),
      outcome: 'running',
      promptTokens: 0,
      cachedPromptTokens: 0,
      completionTokens: 0,
      cost: ZERO_NANO_TON,
      paid: ZERO_NANO_TON
    }
    const record = this.#desk.must(channel)
    const { jobs } = this.#desk.session(record)
    const job = this.#job(record, line)
    let credited: NanoTon = ZERO_NANO_TON
    await this.#desk.change(
      channel,
      (c, also) => {
        requireServing(c.openedLt === record.openedLt ? c : { ...c, state: 'closed' })
        if ([...jobs].some(other => other.jobId === init.jobId)) {
          throw new PaymentRefusal('JOB_DUPLICATE', `Job ${init.jobId} runs on channel ${channel} already`)
        }
        requireClient(c, init.peerId)
        const paid = voucher === undefined ? undefined : this.#vouchers.weigh(c, voucher)
        credited = paid?.credited ?? ZERO_NANO_TON
        also({ kind: 'job', record: line })
        return { ...(paid?.next ?? c), peerId: init.peerId, running: [...c.running, jobKey(line)] }
      },
      c => {
        jobs.add(job)
        this.#vouchers.noteCredit(c, credited)
      }
    )
    return job
  }

  /**
   * Claims the highest voucher on chain, exactly as the payer signed it. Parallel calls send one message.
   *
   * @param options `externally`: gas comes out of the payout, not from the wallet
   * @returns undefined if nothing is owed
   * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`
   * @throws whatever the chain throws; the voucher stays claimable then
   */
  claim(channel: string, options: AbortOptions & { externally?: boolean } = {}): Promise<ChainReceipt | undefined> {
    const { chain } = this.#components
    return this.#claims.run(
      channel,
      async () => {
        const record = this.#desk.must(channel)
        const voucher = highestVoucher(record)
        if (claimable(record) === 0n || voucher === undefined) {
          return undefined
        }
        const { openedLt, cumulative, signature } = voucher
        const claim = { openedLt, cumulative, signature }
        const receipt = await (options.externally === true
          ? chain.claimExternally(channel, claim)
          : chain.claim(channel, claim))
        await this.#desk.change(channel, c =>
          c.openedLt === openedLt ? { ...c, settled: maxNano(c.settled, cumulative) } : c
        )
        return receipt
      },
      options
    )
  }

  /**
   * The payer wants to close: claims what is owed and agrees to the rest going back. Once it agreed, the channel accepts
   * and serves nothing more: a later voucher could be lost to the agreement that the payer now holds.
   *
   * A failed claim does not stop it: the agreement is over the whole amount owed, and the contract closes at that only.
   *
   * @param from libp2p peer id of who asks
   * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`, also to anyone but the client whose jobs it paid; `CHANNEL_BUSY` while jobs
   *   run, `CHANNEL_CLOSED`
   */
  async closeRequested(channel: string, from: string, options: AbortOptions = {}): Promise<AgreedClose> {
    const { key, logger } = this.#components
    const agreed = await this.#desk.change(
      channel,
      c => {
        if (c.peerId !== from) {
          throw unknownChannel(channel)
        }
        if (c.state === 'closed') {
          requireServing(c)
        }
        if (c.running.length > 0) {
          throw new PaymentRefusal(
            'CHANNEL_BUSY',
            `${c.running.length} jobs run on channel ${channel}: cancel them first`
          )
        }
        return c.state === 'open' ? { ...c, state: 'closing' } : c
      },
      () => this.#desk.wake(channel)
    )
    const receipt = await this.claim(channel, options).catch((err: unknown) => {
      throwIfAborted(options.signal)
      logger.warn('claim before a close failed: the close itself will settle', { channel, code: errorCode(err) })
      return undefined
    })
    const { openedLt, accepted: cumulative, terms } = agreed
    const validUntil = Math.floor(this.#components.clock.nowMs() / 1000) + CLOSE_VALID_SECONDS
    const total = { globalId: terms.globalId, channel: parseRawAddress(channel), openedLt, cumulative, validUntil }
    const hash = closeHash(total)
    return {
      channel,
      openedLt,
      cumulative,
      validUntil,
      payeeSignature: ed25519Sign(key.privateKey, hash),
      claimTransaction: receipt?.transaction ?? ''
    }
  }

  /** Reads a channel from the chain; one that is closing or gone there serves nothing from then on. */
  async refresh(channel: string, options: AbortOptions = {}): Promise<PayeeChannelInfo> {
    return this.#describe(await this.#desk.read(channel, options))
  }

  /**
   * One channel, with the highest voucher for a payer that lost its own.
   *
   * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`
   */
  state(channel: string): { info: PayeeChannelInfo; highest: Voucher | undefined } {
    const record = this.#desk.must(channel)
    return { info: this.#describe(record), highest: highestVoucher(record) }
  }

  list(): PayeeChannelInfo[] {
    return this.#desk.book.values().map(record => this.#describe(record))
  }

  #job({ openedLt }: PayeeChannel, line: JobLine): PayeeJob {
    const { channel } = line
    const session = this.#desk.session(this.#desk.must(channel))
    const job: PayeeJob = new PayeeJob(
      {
        available: () => {
          const record = this.#desk.must(channel)
          return subNanoFloor(record.accepted, session.delivered(record))
        },
        accepted: () => this.#desk.must(channel).accepted,
        requireServing: () => {
          const record = this.#desk.must(channel)
          // Closed and opened anew meanwhile: the new opening's money is for new jobs.
          requireServing(record.openedLt === openedLt ? record : { ...record, state: 'closed' })
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
              return c.openedLt === openedLt ? endPayeeJob(c, jobKey(line), cost) : c
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

  #describe(c: PayeeChannel): PayeeChannelInfo {
    const session = this.#desk.session(c)
    const unclaimed = claimable(c)
    return {
      channel: c.channel,
      peerId: c.peerId,
      payerAddress: c.terms.payerAddress,
      state: c.state,
      openedLt: c.openedLt,
      locked: c.deposit,
      promised: c.accepted,
      settled: c.settled,
      claimable: unclaimed,
      delivered: session.delivered(c),
      challengeSeconds: c.terms.challengeSeconds,
      closeAtMs: c.closeAtMs,
      unclaimedSinceMs: unclaimed === 0n ? undefined : c.unclaimedSinceMs,
      lastUsedAtMs: c.lastUsedAtMs,
      runningJobs: c.running.length,
      checkedAtMs: session.checkedAtMs,
      needsResync: c.needsResync
    }
  }
}
