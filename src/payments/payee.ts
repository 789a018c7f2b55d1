import type { KeyObject } from 'node:crypto'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { type Ed25519KeyPair, ed25519PublicKey, ed25519Sign } from '../core/ed25519.ts'
import { errorCode } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { addNano, type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../core/nano-ton.ts'
import { parseRawAddress } from '../core/address.ts'
import type { Chain, ChainReceipt, ChannelTerms, ChannelView } from './chain.ts'
import { ChannelBook, type RecordChange } from './channel-book.ts'
import { interruptedLines } from './interrupted.ts'
import { type JobLine, jobKey } from './job-line.ts'
import type { Ledger } from './ledger.ts'
import {
  type AdmissionRules,
  admitChannel,
  afterPayeeCrash,
  claimable,
  endPayeeJob,
  highestVoucher,
  observePayeeChannel,
  type PayeeChannel,
  type PayeeChannelState,
  requireAdmissible,
  requireServing,
  weighVoucher
} from './payee-channel.ts'
import { PayeeJob } from './payee-job.ts'
import { exhaustedText, PaymentRefusal } from './refusal.ts'
import { verifyVoucher, type Voucher } from './voucher.ts'
import { closeHash } from './voucher-hash.ts'

export interface PayeeComponents {
  ledger: Ledger
  chain: Chain
  clock: Clock
  logger: Logger
  /** Agrees to cooperative closes; its public half is in every channel's terms. */
  key: Ed25519KeyPair
  /** Raw address that claims pay to. */
  payeeAddress: string
}

export interface PayeeInit extends AdmissionRules {
  /**
   * A channel's chain state older than this is read again when it is used, milliseconds. Far below the challenge period.
   * @default 30_000
   */
  viewMaxAgeMs?: number
  /**
   * Least time between two chain reads that vouchers above the deposit can cause, milliseconds.
   * @default 1_000
   */
  rereadMs?: number
}

/** A payee's channel as people and programs see it. */
export interface PayeeChannelInfo {
  channel: string
  peerId: string
  payerAddress: string
  state: PayeeChannelState
  openedLt: bigint
  /** Locked by the payer, confirmed by the chain. */
  locked: NanoTon
  /** Highest voucher held. */
  promised: NanoTon
  settled: NanoTon
  /** Promised and not claimed yet. */
  claimable: NanoTon
  /** Cost of all jobs, running ones at what they were charged. */
  delivered: NanoTon
}

export interface AcceptedVoucher {
  /** Highest amount accepted on the channel. */
  cumulative: NanoTon
  /** What this voucher added. */
  credited: NanoTon
}

export interface PayeeJobInit {
  /** Hex. */
  jobId: string
  /** libp2p peer id of the client. */
  peerId: string
}

/** The payee's consent to a cooperative close, for the payer to send to the chain. */
export interface AgreedClose {
  channel: string
  openedLt: bigint
  cumulative: NanoTon
  payeeSignature: Uint8Array
  /** Hash of the claim's transaction, hex; empty when nothing was owed. */
  claimTransaction: string
}

/** What lives beside a record only while the process does. */
interface Session {
  payerKey: KeyObject
  jobs: Set<PayeeJob>
  listeners: Set<() => void>
  /** When the chain was last read, Unix milliseconds; undefined if not since the start. */
  checkedAtMs: number | undefined
  /** When a voucher above the deposit last caused a read. */
  rereadAtMs: number
}

/** The provider's side of its channels: what it was paid, what it gave for it, and how it gets the money. */
export class PayeeChannels {
  readonly #components: PayeeComponents
  readonly #rules: AdmissionRules
  readonly #viewMaxAgeMs: number
  readonly #rereadMs: number
  readonly #book: ChannelBook<PayeeChannel>
  readonly #sessions = new Map<string, Session>()
  readonly #reads = new Map<string, Promise<PayeeChannel>>()
  readonly #claims = new Map<string, Promise<ChainReceipt | undefined>>()

  constructor(components: PayeeComponents, init: PayeeInit) {
    this.#components = components
    this.#rules = { minimumDeposit: init.minimumDeposit, minimumChallengeSeconds: init.minimumChallengeSeconds }
    this.#viewMaxAgeMs = init.viewMaxAgeMs ?? 30_000
    this.#rereadMs = init.rereadMs ?? 1_000
    this.#book = new ChannelBook(components.ledger, record => ({ kind: 'payee', record }))
  }

  /**
   * Loads the ledger, books what a crash left open, and checks every channel that is not over against the chain. One
   * that could not be checked serves nothing until it was.
   *
   * @throws {EnvironmentError} `LEDGER_CORRUPT`, `LEDGER_WRITE_FAILED`
   */
  async start(options: AbortOptions = {}): Promise<void> {
    const { ledger, logger } = this.#components
    this.#book.load(await ledger.payeeChannels())
    for (const { channel, running } of this.#book.values()) {
      const lines = await interruptedLines(ledger, running)
      await this.#change(channel, (c, also) => {
        lines.forEach(also)
        return afterPayeeCrash(c)
      })
    }
    const live = this.#book.values().filter(c => c.state !== 'closed')
    await Promise.all(
      live.map(({ channel }) =>
        this.refresh(channel, options).catch((err: unknown) => {
          throwIfAborted(options.signal)
          logger.warn('channel not checked against the chain: not served until it is', { channel, code: errorCode(err) })
        })
      )
    )
  }

  /**
   * Takes on a channel that a client wants to pay with: recomputes its address and reads it from the chain, unless that
   * was done a moment ago.
   *
   * @param from libp2p peer id of the client
   * @throws {PaymentRefusal} `CHANNEL_FOREIGN` if it pays someone else or on another network; `CHANNEL_MISSING`,
   *   `CHANNEL_CLOSING`, `CHANNEL_DEPOSIT_TOO_LOW`, `CHANNEL_CHALLENGE_TOO_SHORT`
   */
  async admit(terms: ChannelTerms, from: string, options: AbortOptions = {}): Promise<PayeeChannelInfo> {
    const { chain, clock, logger } = this.#components
    this.#requireOurs(terms)
    const channel = chain.channelAddress(terms)
    const known = this.#book.get(channel)
    const checkedAtMs = this.#sessions.get(channel)?.checkedAtMs
    if (known?.state === 'open' && checkedAtMs !== undefined && clock.nowMs() - checkedAtMs <= this.#viewMaxAgeMs) {
      return this.#describe(known)
    }
    const view = await chain.readChannel(channel, options)
    if (known !== undefined) {
      await this.#observe(channel, view)
    }
    requireAdmissible(terms, channel, view, this.#rules)
    const record = await this.#book.update(channel, current => {
      if (current !== undefined && current.openedLt === view.openedLt) {
        requireServing(current)
        return current
      }
      if (current !== undefined && claimable({ ...current, state: 'open' }) > 0n) {
        logger.warn('channel was closed before its last voucher was claimed', { channel, lost: current.accepted - current.settled })
      }
      return admitChannel(channel, terms, from, view)
    })
    this.#session(record).checkedAtMs = clock.nowMs()
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
  async accept(voucher: Voucher, options: AbortOptions = {}): Promise<AcceptedVoucher> {
    await this.#requireFresh(voucher.channel, options)
    const first = await this.#take(voucher)
    if (first !== undefined) {
      return first
    }
    await this.#rereadDeposit(voucher.channel, options)
    const second = await this.#take(voucher)
    if (second !== undefined) {
      return second
    }
    const { deposit } = this.#must(voucher.channel)
    throw new PaymentRefusal('CHANNEL_EXHAUSTED', exhaustedText(voucher.channel, voucher.cumulative, deposit), {
      details: { channel: voucher.channel, needed: voucher.cumulative, deposit }
    })
  }

  /**
   * A job to be served on an admitted channel. Durable when it resolves: a crash cannot make what it used look unused.
   *
   * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`, `CHANNEL_CLOSING`, `CHANNEL_CLOSED`; `JOB_DUPLICATE` if it runs already
   */
  async startJob(channel: string, init: PayeeJobInit, options: AbortOptions = {}): Promise<PayeeJob> {
    const { clock } = this.#components
    await this.#requireFresh(channel, options)
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
    const session = this.#session(this.#must(channel))
    const job = this.#job(session, line)
    await this.#change(
      channel,
      (c, also) => {
        requireServing(c)
        if ([...session.jobs].some(other => other.jobId === init.jobId)) {
          throw new PaymentRefusal('JOB_DUPLICATE', `Job ${init.jobId} runs on channel ${channel} already`)
        }
        also({ kind: 'job', record: line })
        return { ...c, running: [...c.running, jobKey(line)] }
      },
      () => session.jobs.add(job)
    )
    return job
  }

  /**
   * Claims the highest voucher on chain, exactly as the payer signed it. Parallel calls send one message.
   *
   * @returns undefined if nothing is owed
   * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`
   * @throws whatever the chain throws; the voucher stays claimable then
   */
  claim(channel: string, options: AbortOptions = {}): Promise<ChainReceipt | undefined> {
    return once(this.#claims, channel, async () => {
      const record = this.#must(channel)
      const voucher = highestVoucher(record)
      if (claimable(record) === 0n || voucher === undefined) {
        return undefined
      }
      const { openedLt, cumulative, signature } = voucher
      const receipt = await this.#components.chain.claim(channel, { openedLt, cumulative, signature }, options)
      await this.refresh(channel, options)
      return receipt
    })
  }

  /**
   * The payer wants to close: claims what is owed and agrees to the rest going back. Once it agreed, the channel accepts
   * and serves nothing more: a later voucher could be lost to the order that the payer now holds.
   *
   * @param from libp2p peer id of who asks
   * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`, `CHANNEL_FOREIGN` if someone else brought the channel, `CHANNEL_BUSY` while
   *   jobs run, `CHANNEL_CLOSED`
   */
  async closeRequested(channel: string, from: string, options: AbortOptions = {}): Promise<AgreedClose> {
    const agreed = await this.#change(
      channel,
      c => {
        if (c.peerId !== from) {
          throw new PaymentRefusal('CHANNEL_FOREIGN', `Channel ${channel} was brought by another peer: only that one may close it`)
        }
        if (c.state === 'closed') {
          requireServing(c)
        }
        if (c.running.length > 0) {
          throw new PaymentRefusal('CHANNEL_BUSY', `${c.running.length} jobs run on channel ${channel}: cancel them first`)
        }
        return c.state === 'open' ? { ...c, state: 'closing' } : c
      },
      () => this.#wake(channel)
    )
    const receipt = await this.claim(channel, options)
    const { openedLt, accepted: cumulative, terms } = agreed
    const hash = closeHash({ globalId: terms.globalId, channel: parseRawAddress(channel), openedLt, cumulative })
    return {
      channel,
      openedLt,
      cumulative,
      payeeSignature: ed25519Sign(this.#components.key.privateKey, hash),
      claimTransaction: receipt?.transaction ?? ''
    }
  }

  /** Reads a channel from the chain; one that is closing or gone there serves nothing from then on. */
  async refresh(channel: string, options: AbortOptions = {}): Promise<PayeeChannelInfo> {
    return this.#describe(await this.#read(channel, options))
  }

  /** One channel, with the highest voucher for a payer that lost its own. */
  state(channel: string): { info: PayeeChannelInfo; highest: Voucher | undefined } {
    const record = this.#must(channel)
    return { info: this.#describe(record), highest: highestVoucher(record) }
  }

  list(): PayeeChannelInfo[] {
    return this.#book.values().map(record => this.#describe(record))
  }

  #requireOurs(terms: ChannelTerms): void {
    const { chain, key, payeeAddress } = this.#components
    const problem =
      terms.globalId !== chain.globalId
        ? `it is on network ${terms.globalId}, not ${chain.globalId}`
        : toHex(terms.payeeKey) !== toHex(key.publicKey)
          ? 'its payee key is not ours'
          : terms.payeeAddress !== payeeAddress
            ? 'its payee address is not ours'
            : /^(?:0|-1):[0-9a-f]{64}$/.test(terms.payerAddress)
              ? undefined
              : 'its payer address is not a raw address'
    if (problem !== undefined) {
      throw new PaymentRefusal('CHANNEL_FOREIGN', `The channel cannot pay us: ${problem}`)
    }
  }

  /** Takes a voucher in its channel's turn; undefined if it is above the confirmed deposit. */
  async #take(voucher: Voucher): Promise<AcceptedVoucher | undefined> {
    let credited: NanoTon = ZERO_NANO_TON
    let over = false
    const record = await this.#change(
      voucher.channel,
      c => {
        requireServing(c)
        if (voucher.openedLt !== c.openedLt) {
          throw new PaymentRefusal('VOUCHER_FOREIGN', `The voucher is of another opening of ${c.channel}`)
        }
        if (!verifyVoucher(this.#session(c).payerKey, c.terms.globalId, voucher)) {
          throw new PaymentRefusal('VOUCHER_SIGNATURE_INVALID', `The voucher for ${c.channel} is not signed with the payer's key`)
        }
        const verdict = weighVoucher(c, voucher)
        over = verdict.kind === 'over-deposit'
        if (verdict.kind !== 'credited') {
          return c
        }
        credited = verdict.credited
        return verdict.next
      },
      () => this.#wake(voucher.channel)
    )
    return over ? undefined : { cumulative: record.accepted, credited }
  }

  /** Reads the chain again if the last look is old: in the background at first, but never going on blind for long. */
  async #requireFresh(channel: string, options: AbortOptions): Promise<void> {
    const record = this.#must(channel)
    const { checkedAtMs } = this.#session(record)
    const ageMs = checkedAtMs === undefined ? Number.POSITIVE_INFINITY : this.#components.clock.nowMs() - checkedAtMs
    if (ageMs <= this.#viewMaxAgeMs) {
      return
    }
    const reading = this.#read(channel, options)
    // A close that began right after the last look must still leave time to claim.
    if (ageMs > Math.max(this.#viewMaxAgeMs, record.terms.challengeSeconds * 500)) {
      await reading
      return
    }
    reading.catch((err: unknown) => {
      this.#components.logger.warn('channel not checked against the chain', { channel, code: errorCode(err) })
    })
  }

  async #rereadDeposit(channel: string, options: AbortOptions): Promise<void> {
    const session = this.#session(this.#must(channel))
    const nowMs = this.#components.clock.nowMs()
    if (nowMs - session.rereadAtMs < this.#rereadMs) {
      return
    }
    session.rereadAtMs = nowMs
    await this.#read(channel, options)
  }

  #read(channel: string, options: AbortOptions): Promise<PayeeChannel> {
    return once(this.#reads, channel, async () => {
      const view = await this.#components.chain.readChannel(channel, options)
      return this.#observe(channel, view)
    })
  }

  async #observe(channel: string, view: ChannelView): Promise<PayeeChannel> {
    return this.#change(
      channel,
      c => observePayeeChannel(c, view),
      c => {
        this.#session(c).checkedAtMs = this.#components.clock.nowMs()
        this.#wake(channel)
      }
    )
  }

  #job(session: Session, line: JobLine): PayeeJob {
    const { channel } = line
    const job: PayeeJob = new PayeeJob(
      {
        available: () => this.#available(channel),
        accepted: () => this.#must(channel).accepted,
        requireServing: () => requireServing(this.#must(channel)),
        onChange: listener => {
          session.listeners.add(listener)
          return () => session.listeners.delete(listener)
        },
        end: async (cost, usage, freed) => {
          const { promptTokens, cachedPromptTokens, completionTokens } = usage
          await this.#change(
            channel,
            (c, also) => {
              if (!session.jobs.has(job)) {
                return c
              }
              const counts = { promptTokens, cachedPromptTokens, completionTokens }
              also({ kind: 'job', record: { ...line, ...counts, outcome: 'ended', cost, paid: job.charged } })
              return endPayeeJob(c, jobKey(line), cost)
            },
            () => {
              freed()
              session.jobs.delete(job)
              this.#wake(channel)
            }
          )
        }
      },
      channel,
      line.jobId
    )
    return job
  }

  #available(channel: string): NanoTon {
    const record = this.#must(channel)
    return subNanoFloor(record.accepted, this.#delivered(record))
  }

  #delivered(record: PayeeChannel): NanoTon {
    let sum = record.delivered
    for (const job of this.#sessions.get(record.channel)?.jobs ?? []) {
      sum = addNano(sum, job.charged)
    }
    return sum
  }

  #wake(channel: string): void {
    for (const listener of [...(this.#sessions.get(channel)?.listeners ?? [])]) {
      listener()
    }
  }

  #session(record: PayeeChannel): Session {
    let session = this.#sessions.get(record.channel)
    if (session === undefined) {
      session = {
        payerKey: ed25519PublicKey(record.terms.payerKey),
        jobs: new Set(),
        listeners: new Set(),
        checkedAtMs: undefined,
        rereadAtMs: Number.NEGATIVE_INFINITY
      }
      this.#sessions.set(record.channel, session)
    }
    return session
  }

  #change(
    channel: string,
    change: (c: PayeeChannel, also: Parameters<RecordChange<PayeeChannel>>[1]) => PayeeChannel,
    committed?: (record: PayeeChannel) => void
  ): Promise<PayeeChannel> {
    return this.#book.update(channel, (c, also) => change(c ?? this.#must(channel), also), committed)
  }

  #must(channel: string): PayeeChannel {
    const record = this.#book.get(channel)
    if (record === undefined) {
      throw new PaymentRefusal('CHANNEL_UNKNOWN', `Channel ${channel} is not known here: send its terms first`)
    }
    return record
  }

  #describe(c: PayeeChannel): PayeeChannelInfo {
    return {
      channel: c.channel,
      peerId: c.peerId,
      payerAddress: c.terms.payerAddress,
      state: c.state,
      openedLt: c.openedLt,
      locked: c.deposit,
      promised: c.accepted,
      settled: c.settled,
      claimable: claimable(c),
      delivered: this.#delivered(c)
    }
  }
}

/** One run of a task a key at a time: whoever comes meanwhile gets the same result. */
function once<T>(running: Map<string, Promise<T>>, key: string, task: () => Promise<T>): Promise<T> {
  const underWay = running.get(key)
  if (underWay !== undefined) {
    return underWay
  }
  const run = task().finally(() => running.delete(key))
  running.set(key, run)
  return run
}
