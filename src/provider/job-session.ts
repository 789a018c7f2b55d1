import { fromString } from 'uint8arrays/from-string'
import { linkSignals, withTimeLimit } from '../core/abort.ts'
import { toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { ed25519PublicKey } from '../core/ed25519.ts'
import { errorCode, PeerError, WireError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import type { TokenPrices } from '../core/price.ts'
import type { Enclave, EnclaveRun } from '../enclave/index.ts'
import type { MeshStream } from '../mesh/index.ts'
import {
  decodeVoucher,
  encodeVoucher,
  type PayeeChannels,
  type PayeeJob,
  PaymentRefusal,
  type Voucher,
  VoucherStaleError,
  verifyVoucher
} from '../payments/index.ts'
import type { Recipient, SealedBody } from '../wire/announcement.ts'
import { encodeJobDown, type JobDownMessage, type JobUpMessage, type SignedVoucher } from '../wire/job-stream.ts'
import type { AnnouncedJobs } from './announced-jobs.ts'
import { AnswerRelay } from './answer-relay.ts'
import { JobInbox } from './job-inbox.ts'
import { firstPayment, offeredCost } from './job-price.ts'
import { receiveBody } from './request-body.ts'
import { peerJobKey, type Slots } from './slots.ts'
import type { UnpaidPrompt } from './unpaid-prompts.ts'

export interface JobSessionInit {
  modelDigest: Uint8Array
  prices: TokenPrices
  windowTokens: number
  /** How long the provider waits for the client: opening message, body parts, a voucher. Milliseconds. */
  patienceMs: number
  /**
   * Ends a wait after so many milliseconds; injected so that tests own time.
   * @default withTimeLimit
   */
  timeLimit?: typeof withTimeLimit
}

export interface JobSessionComponents {
  logger: Logger
  clock: Clock
  slots: Slots
  announced: AnnouncedJobs
  enclave: Pick<Enclave, 'run'>
  payee: PayeeChannels
}

type OpenMessage = Extract<JobUpMessage, { type: 'open' }>

/** What is to be run, from an announcement or from the opening message itself. */
interface Work {
  recipient: Recipient
  body: SealedBody
  maxCompletionTokens: number
  /** The most it may cost: what was offered. */
  maxCost: NanoTon
}

/** A job on its way into the books. */
interface Booking {
  /** Resolves before the write, once nothing can refuse it but the disk. */
  checked: Promise<unknown>
  started: Promise<PayeeJob>
}

/** Serves one job stream from its opening message to the receipt (design §4, step 5). Never throws. */
export class JobSession {
  readonly #components: JobSessionComponents
  readonly #init: JobSessionInit
  readonly #stream: MeshStream
  readonly #inbox: JobInbox
  readonly #peerId: string
  readonly #ended = new AbortController()
  /** The provider stops. */
  #stopping = new AbortController().signal
  #jobId = ''
  #slotKey = ''

  constructor(components: JobSessionComponents, init: JobSessionInit, stream: MeshStream, peerId: string) {
    this.#components = components
    this.#init = init
    this.#stream = stream
    this.#inbox = new JobInbox(stream)
    this.#peerId = peerId
  }

  async serve(signal: AbortSignal): Promise<void> {
    const { logger, slots } = this.#components
    this.#stopping = signal
    const { signal: stop, unlink } = linkSignals(signal, this.#ended.signal)
    let holdsSlot = false
    try {
      const open = await this.#readOpening(stop)
      this.#jobId = toHex(open.jobId)
      this.#slotKey = peerJobKey(this.#peerId, open.jobId)
      const work = this.#takeWork(open)
      holdsSlot = true
      const cost = await this.#run(open, work, stop)
      logger.info('job served', { job: this.#jobId, cost })
    } catch (err) {
      const cause: unknown = this.#ended.signal.aborted ? this.#ended.signal.reason : err
      logger.info('job ended early', { job: this.#jobId, code: errorCode(cause) })
      await this.#fail(cause)
    } finally {
      this.#ended.abort()
      unlink()
      if (holdsSlot) {
        slots.release(this.#slotKey)
      }
    }
  }

  async #readOpening(stop: AbortSignal): Promise<OpenMessage> {
    const message = await this.#patiently(stop, limit => this.#inbox.read({ signal: limit }))
    if (message?.type !== 'open') {
      throw new PeerError('JOB_NOT_OPENED', 'The job stream must begin with an opening message')
    }
    return message
  }

  /** Finds the accepted announcement, or takes a place for a job that comes directly. */
  #takeWork({ jobId, direct }: OpenMessage): Work {
    const { announced, slots } = this.#components
    if (direct !== undefined) {
      if (toHex(direct.modelDigest) !== toHex(this.#init.modelDigest)) {
        throw new PeerError('MODEL_MISMATCH', `This provider does not serve the model ${toHex(direct.modelDigest)}`)
      }
      if (
        !slots.reserve(this.#slotKey, this.#peerId, this.#init.patienceMs) ||
        !slots.begin(this.#slotKey, this.#peerId)
      ) {
        throw new PeerError('PROVIDER_BUSY', `All ${slots.total} places of this provider are taken`)
      }
      const { recipient, body, maxCompletionTokens } = direct
      return {
        recipient,
        body,
        maxCompletionTokens,
        maxCost: offeredCost(this.#init.prices, body, maxCompletionTokens)
      }
    }
    const accepted = announced.take(this.#peerId, jobId)
    if (accepted === undefined || !slots.begin(this.#slotKey, this.#peerId)) {
      throw new PeerError('JOB_UNKNOWN', 'No offer for this job is open: announce it again')
    }
    const { announcement, recipient, maxCost } = accepted
    return { recipient, body: announcement.body, maxCompletionTokens: announcement.maxCompletionTokens, maxCost }
  }

  async #run(open: OpenMessage, work: Work, stop: AbortSignal): Promise<NanoTon> {
    const { payee, slots } = this.#components
    const { channel } = await payee.admit(open.channel, this.#peerId, { signal: stop })
    const first = this.#voucherFor(channel, open.voucher)
    // Cheap and first: what no payer signed must not even wait for its channel's turn.
    if (!verifyVoucher(ed25519PublicKey(open.channel.payerKey), open.channel.globalId, first)) {
      throw new PaymentRefusal('VOUCHER_SIGNATURE_INVALID', `The voucher for ${channel} is not signed by its payer`)
    }
    const prompt = slots.prompts.begin(this.#peerId)
    try {
      return await this.#serveJob(open, work, first, prompt, stop)
    } finally {
      prompt.settled()
    }
  }

  async #serveJob(
    open: OpenMessage,
    work: Work,
    first: Voucher,
    prompt: UnpaidPrompt,
    stop: AbortSignal
  ): Promise<NanoTon> {
    const booking = this.#book(first, work, stop)
    let run: EnclaveRun | undefined
    try {
      run = await this.#begin(open, work, first, booking, stop)
      const job = await booking.started
      const relay = new AnswerRelay(
        {
          job,
          prompt,
          stop,
          patiently: wait => this.#patiently(stop, wait),
          send: message => this.#send(message),
          close: () => this.#close(),
          clientEnded: () => this.#ended.signal.aborted && !this.#stopping.aborted
        },
        { ...this.#init, maxCost: work.maxCost }
      )
      return await relay.run(run)
    } finally {
      run?.cancel()
      // Whatever broke before the relay had it: a job must not stay open in the books, nor keep its money.
      await booking.started.then(
        job => job.end(job.charged),
        () => undefined
      )
    }
  }

  /** Hands the request to the enclave, once it is all here and the first payment can be refused by nothing but the disk. */
  async #begin(
    open: OpenMessage,
    work: Work,
    first: Voucher,
    booking: Booking,
    stop: AbortSignal
  ): Promise<EnclaveRun> {
    const { channel, openedLt } = first
    if (work.body.kind === 'later') {
      await booking.started
    }
    const sealedRequest = await receiveBody(work.body, {
      inbox: this.#inbox,
      patiently: read => this.#patiently(stop, read),
      onVoucher: voucher => this.#accept(channel, voucher, stop)
    })
    // The enclave reads the prompt while the books are written: nothing is released before both are done.
    await booking.checked
    const run = this.#components.enclave.run(
      {
        jobId: open.jobId,
        recipient: work.recipient,
        sealedRequest,
        maxCompletionTokens: work.maxCompletionTokens,
        prices: this.#init.prices,
        channel,
        openedLt,
        grantedTokens: this.#init.windowTokens,
        // A peer id's text is its multihash in base58.
        clientPeerId: fromString(this.#peerId, 'base58btc')
      },
      { signal: stop }
    )
    this.#readUpward(run, channel, stop).catch(err => this.#ended.abort(err))
    return run
  }

  /** Begins the job in the books with its first payment: the price of a window, so that nobody's prompt is read for nothing. */
  #book(first: Voucher, work: Work, stop: AbortSignal): Booking {
    let onChecked!: () => void
    const checked = new Promise<void>(resolve => {
      onChecked = resolve
    })
    const { prices, windowTokens } = this.#init
    const job = {
      jobId: this.#jobId,
      peerId: this.#peerId,
      voucher: first,
      firstPayment: firstPayment(prices, Math.min(windowTokens, work.maxCompletionTokens)),
      onChecked
    }
    const started = this.#components.payee.startJob(first.channel, job, { signal: stop })
    // Awaited later; until then a refusal must not count as unhandled.
    started.catch(() => undefined)
    return { checked: Promise.race([checked, started]), started }
  }

  /** Vouchers and a cancellation, until the client has nothing more to say. */
  async #readUpward(run: EnclaveRun, channel: string, stop: AbortSignal): Promise<void> {
    for (;;) {
      const message = await this.#inbox.read({ signal: stop })
      if (message === undefined) {
        return
      }
      if (message.type === 'cancel') {
        run.cancel()
      } else if (message.type === 'voucher') {
        await this.#accept(channel, message.voucher, stop)
      } else if (message.type !== 'pad') {
        throw new PeerError('MESSAGE_UNEXPECTED', `A message of type ${message.type} cannot come here`)
      }
    }
  }

  async #accept(channel: string, voucher: SignedVoucher, stop: AbortSignal): Promise<void> {
    await this.#components.payee.accept(this.#voucherFor(channel, voucher), { signal: stop })
  }

  #voucherFor(channel: string, wire: SignedVoucher): Voucher {
    const voucher = decodeVoucher(wire)
    if (voucher.channel !== channel) {
      throw new PeerError('VOUCHER_FOREIGN', `The voucher is for ${voucher.channel}, the job's channel is ${channel}`)
    }
    return voucher
  }

  /** A client that stops reading must not hold a place: writing waits no longer than for anything else. */
  async #send(message: JobDownMessage): Promise<void> {
    this.#inbox.answered()
    await this.#patiently(undefined, limit => this.#stream.write(encodeJobDown(message), { signal: limit }))
  }

  /** Tells the client why, as far as it may know, and closes. */
  async #fail(err: unknown): Promise<void> {
    const known = err instanceof WireError
    try {
      await this.#send({
        type: 'failed',
        code: known ? err.code : 'PROVIDER_FAILED',
        message: known ? err.message : 'The provider could not finish the job',
        ...(err instanceof VoucherStaleError && err.highest !== undefined
          ? { highest: encodeVoucher(err.highest) }
          : {})
      })
      await this.#close()
    } catch (cause) {
      this.#stream.abort(cause as Error)
    }
  }

  #close(): Promise<void> {
    return this.#patiently(undefined, limit => this.#stream.close({ signal: limit }))
  }

  #patiently<T>(stop: AbortSignal | undefined, wait: (limit: AbortSignal) => Promise<T>): Promise<T> {
    const { patienceMs, timeLimit = withTimeLimit } = this.#init
    return timeLimit(patienceMs, stop, wait)
  }
}
