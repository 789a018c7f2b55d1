import { fromString } from 'uint8arrays/from-string'
import { toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { ed25519PublicKey } from '../core/ed25519.ts'
import { errorCode, PeerError, WireError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import { type TokenPrices, type TokenUsage, tokenCost } from '../core/price.ts'
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
import {
  decodeJobUp,
  encodeJobDown,
  type JobDownMessage,
  type JobUpMessage,
  type SignedVoucher
} from '../wire/job-stream.ts'
import type { AnnouncedJobs } from './announced-jobs.ts'
import { receiveBody } from './request-body.ts'
import { peerJobKey, type Slots } from './slots.ts'

export interface JobSessionInit {
  modelDigest: Uint8Array
  prices: TokenPrices
  windowTokens: number
  /** How long the provider waits for the client: opening message, body parts, a voucher. Milliseconds. */
  patienceMs: number
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
}

/** Serves one job stream from its opening message to the receipt (design §4, step 5). Never throws. */
export class JobSession {
  readonly #components: JobSessionComponents
  readonly #init: JobSessionInit
  readonly #stream: MeshStream
  readonly #peerId: string
  readonly #ended = new AbortController()
  #jobId = ''
  #slotKey = ''

  constructor(components: JobSessionComponents, init: JobSessionInit, stream: MeshStream, peerId: string) {
    this.#components = components
    this.#init = init
    this.#stream = stream
    this.#peerId = peerId
  }

  async serve(signal: AbortSignal): Promise<void> {
    const { logger, slots } = this.#components
    const stop = AbortSignal.any([signal, this.#ended.signal])
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
      if (holdsSlot) {
        slots.release(this.#slotKey)
      }
    }
  }

  async #readOpening(stop: AbortSignal): Promise<OpenMessage> {
    const frame = await this.#stream.read({ signal: this.#patience(stop) })
    const message = frame === undefined ? undefined : decodeJobUp(frame)
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
      return direct
    }
    const accepted = announced.take(this.#peerId, jobId)
    if (accepted === undefined || !slots.begin(this.#slotKey, this.#peerId)) {
      throw new PeerError('JOB_UNKNOWN', 'No offer for this job is open: announce it again')
    }
    const { announcement, recipient } = accepted
    return { recipient, body: announcement.body, maxCompletionTokens: announcement.maxCompletionTokens }
  }

  async #run(open: OpenMessage, work: Work, stop: AbortSignal): Promise<NanoTon> {
    const { payee, enclave } = this.#components
    const { channel } = await payee.admit(open.channel, this.#peerId, { signal: stop })
    const first = this.#voucherFor(channel, open.voucher)
    // Cheap and first: what no payer signed must not make the enclave compute.
    if (!verifyVoucher(ed25519PublicKey(open.channel.payerKey), open.channel.globalId, first)) {
      throw new PaymentRefusal('VOUCHER_SIGNATURE_INVALID', `The voucher for ${channel} is not signed by its payer`)
    }
    const job = { jobId: this.#jobId, peerId: this.#peerId, voucher: first }
    const booking = payee.startJob(channel, job, { signal: stop })
    // Checked below; until then a refusal must not count as unhandled.
    booking.catch(() => undefined)
    if (work.body.kind === 'later') {
      await booking
    }
    const sealedRequest = await receiveBody(work.body, this.#stream, () => this.#patience(stop))
    // The enclave reads the prompt while the books are written: nothing is released before both are done.
    const run = enclave.run(
      {
        jobId: open.jobId,
        recipient: work.recipient,
        sealedRequest,
        maxCompletionTokens: work.maxCompletionTokens,
        prices: this.#init.prices,
        channel,
        openedLt: first.openedLt,
        grantedTokens: this.#init.windowTokens,
        // A peer id's text is its multihash in base58.
        clientPeerId: fromString(this.#peerId, 'base58btc')
      },
      { signal: stop }
    )
    this.#readUpward(run, channel, stop).catch(err => this.#ended.abort(err))
    const started = await booking.catch((err: unknown) => {
      run.cancel()
      throw err
    })
    return this.#relay(run, started, stop)
  }

  /** Chunks down, each after it is paid for; the receipt after the books are closed. */
  async #relay(run: EnclaveRun, job: PayeeJob, stop: AbortSignal): Promise<NanoTon> {
    let usage: TokenUsage = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }
    try {
      for await (const event of run) {
        if (event.type === 'ended') {
          await job.end(job.charged, usage)
          await this.#send({ type: 'done', receipt: event.receipt, receiptSignature: event.receiptSignature })
          await this.#stream.close({ signal: this.#patience(stop) })
          break
        }
        const { promptTokens, cachedPromptTokens, completionTokens } = event
        const next = { promptTokens, cachedPromptTokens, completionTokens }
        await this.#awaitPayment(job, next, stop)
        usage = next
        await this.#send({ type: 'chunk', sealed: event.sealed, usage })
        run.grant(completionTokens + this.#init.windowTokens)
      }
    } finally {
      run.cancel()
      await job.end(job.charged, usage)
    }
    return tokenCost(this.#init.prices, usage)
  }

  async #awaitPayment(job: PayeeJob, usage: TokenUsage, stop: AbortSignal): Promise<void> {
    const cost = tokenCost(this.#init.prices, usage)
    if (job.charge(cost)) {
      return
    }
    await this.#send({ type: 'need-voucher', cumulative: job.required(cost), usage })
    const patience = this.#patience(stop)
    try {
      await job.chargeWhenPaid(cost, { signal: patience })
    } catch (err) {
      throw patience.aborted && !stop.aborted
        ? new PeerError('VOUCHER_TIMEOUT', `No voucher came within ${this.#init.patienceMs} ms`, { cause: err })
        : err
    }
  }

  /** Vouchers and a cancellation, until the client has nothing more to say. */
  async #readUpward(run: EnclaveRun, channel: string, stop: AbortSignal): Promise<void> {
    for (;;) {
      const frame = await this.#stream.read({ signal: stop })
      if (frame === undefined) {
        return
      }
      const message = decodeJobUp(frame)
      if (message.type === 'cancel') {
        run.cancel()
      } else if (message.type === 'voucher') {
        await this.#components.payee.accept(this.#voucherFor(channel, message.voucher), { signal: stop })
      } else {
        throw new PeerError('MESSAGE_UNEXPECTED', `A message of type ${message.type} cannot come here`)
      }
    }
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
    await this.#stream.write(encodeJobDown(message), { signal: AbortSignal.timeout(this.#init.patienceMs) })
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
      await this.#stream.close({ signal: AbortSignal.timeout(this.#init.patienceMs) })
    } catch (cause) {
      this.#stream.abort(cause as Error)
    }
  }

  #patience(stop: AbortSignal): AbortSignal {
    return AbortSignal.any([stop, AbortSignal.timeout(this.#init.patienceMs)])
  }
}
