import { throwIfAborted, withTimeLimit } from '../core/abort.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { CancelledError, errorCode, errorMessage, MoneyError, PeerError } from '../core/errors.ts'
import { type NanoTon, ZERO_NANO_TON } from '../core/nano-ton.ts'
import { type TokenUsage, tokenCost } from '../core/price.ts'
import { type JobEvent, type JobState, nextJobState } from '../market/index.ts'
import type { MeshStream } from '../mesh/index.ts'
import {
  checkUsage,
  decodeVoucher,
  encodeVoucher,
  type JobBounds,
  type Pace,
  type PayerChannels,
  type PayerJob,
  type Voucher
} from '../payments/index.ts'
import type { ResponseOpener } from '../seal/index.ts'
import { decodeAnswerEvent } from '../wire/answer-event.ts'
import type { PrivacyMode } from '../wire/job-request.ts'
import { decodeJobDown, encodeJobUp, type JobDownMessage, type JobUpMessage } from '../wire/job-stream.ts'
import { LIMITS } from '../wire/limits.ts'
import { AnswerBrokenError } from './failures.ts'
import { JobPayments } from './job-payments.ts'
import { SteadyUpward } from './steady-upward.ts'

/** A job that was accepted, or goes directly to a warm provider. */
export interface JobRunInit {
  peerId: string
  open: Omit<Extract<JobUpMessage, { type: 'open' }>, 'type' | 'voucher'>
  /** The payment that opens the job, already under way. */
  firstVoucher: Promise<Voucher>
  /** The sealed request, when it was only named by size and digest so far. */
  laterBody?: Uint8Array
  /** Prices, window and limits both sides meter by. */
  bounds: JobBounds
  /**
   * How far ahead to pay at first; then it follows what is measured.
   * @default always `bounds.windowTokens`
   */
  pace?: Pace
  /** Longest silence on the stream, in milliseconds. */
  stallTimeoutMs: number
  /** @default 'standard' */
  privacy?: PrivacyMode
}

export interface JobRunComponents {
  stream: MeshStream
  opener: ResponseOpener
  payerJob: PayerJob
  payer: Pick<PayerChannels, 'adopt'> & Partial<Pick<PayerChannels, 'makeRoom'>>
  /** @default the system's */
  clock?: Clock
}

/** The answer as it arrives, then the enclave's receipt. */
export type JobRunEvent =
  | { type: 'text'; bytes: Uint8Array }
  | { type: 'done'; finishReason: string; receipt: Uint8Array; receiptSignature: Uint8Array }

/** How long a cancelled job may take to send its receipt. */
const CANCEL_GRACE_MS = 3_000

const NO_TOKENS: TokenUsage = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }

/** The client's end of one job stream: pays ahead by at most one window, opens every frame, checks every figure. */
export class JobRun {
  readonly #components: JobRunComponents
  readonly #init: JobRunInit
  readonly #payments: JobPayments
  /** In the mode `strict`. */
  readonly #upward: SteadyUpward | undefined
  #state: JobState = 'accepted'
  #usage = NO_TOKENS
  #finishReason = 'unknown'
  /** The answer is complete: what comes still is padding. */
  #complete = false
  /** The last count that passed. The prompt's size is fixed by the first one, which may be a demand. */
  #counted: TokenUsage | undefined
  readonly #halt = new AbortController()
  #stall: NodeJS.Timeout | undefined
  #grace: NodeJS.Timeout | undefined

  constructor(components: JobRunComponents, init: JobRunInit) {
    const { payerJob, payer, stream, clock = systemClock } = components
    this.#components = components
    this.#init = init
    this.#upward =
      init.privacy === 'strict'
        ? new SteadyUpward({
            write: async message => stream.write(message),
            padding: encodeJobUp({ type: 'pad' })
          })
        : undefined
    this.#payments = new JobPayments(
      {
        payerJob,
        payer,
        clock,
        send: voucher => this.#sendVoucher(voucher),
        fail: err => stream.abort(err as Error),
        halt: this.#halt.signal
      },
      init
    )
  }

  /** Tokens of the chunks that arrived. */
  get usage(): TokenUsage {
    return this.#usage
  }

  /** Price of the chunks that arrived. */
  get cost(): NanoTon {
    return this.#state === 'accepted' ? ZERO_NANO_TON : tokenCost(this.#init.bounds.prices, this.#usage)
  }

  /** Signed for this job. */
  get paid(): NanoTon {
    return this.#components.payerJob.paid
  }

  get vouchers(): number {
    return this.#payments.vouchers
  }

  /**
   * Opens the job and yields the answer.
   *
   * @throws {AnswerBrokenError} `PROVIDER_LOST`, `PROVIDER_STALLED`, or the code the provider failed with
   * @throws {PeerError} if a frame, a figure or the order of messages is wrong
   * @throws {CancelledError} `CANCELLED` after the provider stopped, or after a short wait for it
   */
  async *events(signal?: AbortSignal): AsyncGenerator<JobRunEvent> {
    const { stream } = this.#components
    const cancel = (): void => this.#cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      throwIfAborted(signal)
      this.#watch()
      await this.#start(signal)
      while (this.#state !== 'done') {
        const event = await this.#next()
        if (event !== undefined) {
          // A slow reader of the answer is no fault of the provider.
          clearTimeout(this.#stall)
          yield event
          this.#watch()
        }
      }
      // With the receipt in hand, how the stream ends no longer matters.
      await withTimeLimit(CANCEL_GRACE_MS, undefined, limit => stream.close({ signal: limit })).catch(() => undefined)
    } catch (err) {
      this.#state = signal?.aborted === true ? 'cancelled' : 'failed'
      // Nothing more is signed for an answer that is over: a top-up under way ends too.
      this.#halt.abort(err)
      stream.abort(err as Error)
      this.#upward?.stop()
      if (signal?.aborted === true) {
        throw new CancelledError('Cancelled', { cause: err })
      }
      // What is being signed counts as paid.
      await this.#payments.settled().catch(() => undefined)
      throw this.#broken(err)
    } finally {
      signal?.removeEventListener('abort', cancel)
      clearTimeout(this.#stall)
      clearTimeout(this.#grace)
      this.#upward?.stop()
      const isOver = this.#state === 'done'
      const left = new CancelledError('The answer is no longer read')
      if (!isOver) {
        this.#halt.abort(left)
      }
      // A voucher under way must be booked before the job is closed in the books.
      await this.#payments.settled().catch(() => undefined)
      if (!isOver) {
        stream.abort(left)
      }
    }
  }

  async #start(signal: AbortSignal | undefined): Promise<void> {
    const { stream } = this.#components
    const { open, laterBody, firstVoucher } = this.#init
    const voucher = await firstVoucher
    this.#payments.opened(voucher)
    await stream.write(encodeJobUp({ type: 'open', ...open, voucher: encodeVoucher(voucher) }))
    await this.#sendBody(laterBody ?? new Uint8Array(), signal)
  }

  async #sendBody(body: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    for (let at = 0; at < body.byteLength; at += LIMITS.bodyPartBytes) {
      signal?.throwIfAborted()
      const bytes = body.subarray(at, at + LIMITS.bodyPartBytes)
      await this.#components.stream.write(encodeJobUp({ type: 'part', bytes }))
    }
  }

  async #next(): Promise<JobRunEvent | undefined> {
    const message = decodeJobDown(await this.#read())
    switch (message.type) {
      case 'chunk':
        return this.#chunk(message)
      case 'need-voucher':
        this.#checkUsage(message.usage)
        this.#upward?.hurry()
        await this.#payments.demanded(message.usage, message.cumulative)
        return undefined
      case 'done':
        this.#advance('receipt')
        this.#components.opener.expectFinished()
        this.#upward?.stop()
        // The caller books the job's end next: no voucher may still be on its way.
        await this.#payments.settled()
        return { ...message, finishReason: this.#finishReason }
      case 'failed':
        return this.#failed(message)
    }
  }

  async #read(): Promise<Uint8Array> {
    const frame = await this.#components.stream.read({ signal: this.#halt.signal }).catch((err: unknown) => {
      throw this.#halt.signal.aborted ? this.#halt.signal.reason : err
    })
    this.#stall?.refresh()
    if (frame === undefined) {
      throw new PeerError('PROVIDER_LOST', 'The job stream ended without a receipt')
    }
    return frame
  }

  #chunk({ sealed, usage }: Extract<JobDownMessage, { type: 'chunk' }>): JobRunEvent | undefined {
    this.#checkUsage(usage)
    if (this.#complete && usage.completionTokens !== this.#usage.completionTokens) {
      throw new PeerError('METER_IMPLAUSIBLE', 'The provider counts tokens after the end of the answer')
    }
    const { bytes } = this.#components.opener.open(sealed)
    this.#advance('first-chunk')
    this.#usage = usage
    const event = decodeAnswerEvent(bytes)
    if (event?.type === 'end') {
      this.#finishReason = event.finishReason
      this.#complete = true
    }
    this.#payments.delivered(usage, this.#complete)
    if (!this.#components.opener.finished) {
      this.#upward?.answer()
    }
    return event?.type === 'text' ? { type: 'text', bytes: event.text } : undefined
  }

  async #sendVoucher(voucher: Voucher): Promise<void> {
    const message = encodeJobUp({ type: 'voucher', voucher: encodeVoucher(voucher) })
    await (this.#upward === undefined ? this.#components.stream.write(message) : this.#upward.voucher(message))
  }

  async #failed({ code, message, highest }: Extract<JobDownMessage, { type: 'failed' }>): Promise<never> {
    if (highest !== undefined) {
      // The payee holds a later voucher of ours than we remember: believe our own signature.
      await this.#components.payer.adopt(decodeVoucher(highest))
    }
    throw new PeerError(code, message)
  }

  #checkUsage(usage: TokenUsage): void {
    const { completionTokens } = this.#usage
    checkUsage(this.#init.bounds, this.#counted && { ...this.#counted, completionTokens }, usage)
    this.#counted = usage
  }

  /** Watches for silence from now on. */
  #watch(): void {
    const { stallTimeoutMs } = this.#init
    this.#stall = setTimeout(
      () => this.#halt.abort(new PeerError('PROVIDER_STALLED', `Nothing came for ${stallTimeoutMs} ms`)),
      stallTimeoutMs
    )
  }

  /** Asks the provider to stop; its receipt for what it delivered may still come within a short time. */
  #cancel(): void {
    this.#grace = setTimeout(() => this.#halt.abort(new CancelledError()), CANCEL_GRACE_MS)
    // A stream that is gone already ends the job as well.
    Promise.resolve(this.#components.stream.write(encodeJobUp({ type: 'cancel', reason: '' }))).catch(() => undefined)
  }

  #advance(event: JobEvent): void {
    const next = nextJobState(this.#state, event)
    if (next === undefined) {
      throw new PeerError(
        'MESSAGE_UNEXPECTED',
        `The provider sent a message that cannot come when a job is ${this.#state}`
      )
    }
    this.#state = next
  }

  /** A lost provider, with what was received and paid; any other cause as it is while nothing has arrived. */
  #broken(err: unknown): unknown {
    const code = errorCode(err)
    const lost = LOST.get(code ?? '')
    if (lost === undefined && this.#usage === NO_TOKENS) {
      return err
    }
    const broken = { peerId: this.#init.peerId, usage: this.#usage, cost: this.cost, paid: this.paid }
    // Our own limits and books are not the provider's fault.
    const ours = err instanceof MoneyError ? `was not paid on (${errorMessage(err)})` : undefined
    const [brokenCode, what] = lost ?? [code ?? 'PROVIDER_FAILED', ours ?? `failed (${code ?? 'unknown cause'})`]
    return new AnswerBrokenError(brokenCode, what, broken, err)
  }
}

/** Codes of a provider that is simply not there any more, with the code and the words the user gets. */
const LOST: ReadonlyMap<string, readonly [string, string]> = new Map([
  ['CONNECTION_LOST', ['PROVIDER_LOST', 'was lost']],
  ['PROVIDER_LOST', ['PROVIDER_LOST', 'was lost']],
  ['PROVIDER_STALLED', ['PROVIDER_STALLED', 'fell silent']]
])
