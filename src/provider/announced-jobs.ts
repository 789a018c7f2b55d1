import { withTimeLimit } from '../core/abort.ts'
import { toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { errorCode } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import type { TokenPrices } from '../core/price.ts'
import { withinCap } from '../market/index.ts'
import type { MeshStream } from '../mesh/index.ts'
import { decodeAnnouncement, type JobAnnouncement, type Recipient } from '../wire/announcement.ts'
import { LIMITS } from '../wire/limits.ts'
import { decodeOfferAnswer, encodeOffer } from '../wire/offer.ts'
import { PROTOCOLS } from '../wire/protocols.ts'
import type { EnclaveIdentity } from './enclave-identity.ts'
import { offeredCost } from './job-price.ts'
import { peerJobKey, type Slots } from './slots.ts'

export interface AnnouncedJobsInit {
  modelDigest: Uint8Array
  prices: TokenPrices
  minimumDeposit: NanoTon
  windowTokens: number
  /** How long an offer holds its place, in milliseconds. */
  offerTtlMs: number
  /** How long an accepted job may take to open its stream (its channel may have to be opened first), in milliseconds. */
  acceptedTtlMs: number
  expectedTtftMs: number
}

export interface AnnouncedJobsComponents {
  logger: Logger
  clock: Clock
  slots: Slots
  identity: EnclaveIdentity
  mesh: {
    open(peerId: string, protocol: string, options: { maxFrameBytes: number; signal: AbortSignal }): Promise<MeshStream>
  }
}

/** An announcement for this enclave, within its price limits. */
interface AddressedJob {
  announcement: JobAnnouncement
  recipient: Recipient
  from: string
  waitsUntilMs: number
}

/** How long a job may wait for a place: about as long as its client waits for an offer. */
const WAIT_MS = 8_000

/** Jobs that wait at most; beyond them the oldest, which has the least time left, is forgotten. */
const MAX_WAITING = 64

/** A job this provider offered for and the client accepted: waiting for its job stream. */
export interface AcceptedJob {
  announcement: JobAnnouncement
  recipient: Recipient
  /** What the offer named as the most it may cost. */
  maxCost: NanoTon
}

/**
 * Two peers' clocks may differ by this much. Gossip forgets a message long before that, and an offer for a job that is
 * over is declined by its client.
 */
const CLOCK_TOLERANCE_MS = 10 * 60_000

/**
 * From announcement to acceptance (design §4, steps 2–4): reads announcements, offers for those addressed to
 * this enclave while a place is free, and keeps what was accepted until its job stream opens.
 */
export class AnnouncedJobs {
  readonly #components: AnnouncedJobsComponents
  readonly #init: AnnouncedJobsInit
  #waiting: AddressedJob[] = []
  readonly #accepted = new Map<string, AcceptedJob>()
  readonly #stopped = new AbortController()

  constructor(components: AnnouncedJobsComponents, init: AnnouncedJobsInit) {
    this.#components = components
    this.#init = init
    components.slots.onRelease(() => this.#serveWaiting())
  }

  stop(): void {
    this.#waiting = []
    this.#stopped.abort()
  }

  /** Gossip validator: a malformed announcement costs its sender, a late one is only not passed on. */
  validate(bytes: Uint8Array): 'accept' | 'ignore' | 'reject' {
    let job: JobAnnouncement
    try {
      job = decodeAnnouncement(bytes)
    } catch {
      return 'reject'
    }
    if (toHex(job.modelDigest) !== toHex(this.#init.modelDigest)) {
      return 'reject'
    }
    const aheadMs = job.deadlineMs - this.#components.clock.nowMs()
    return Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS ? 'accept' : 'ignore'
  }

  /** Offers for the job if it is addressed to this enclave, within its price limits, and a place is free. */
  async consider(from: string, bytes: Uint8Array): Promise<void> {
    const announcement = decodeAnnouncement(bytes)
    const recipient = this.#components.identity.addressed(announcement.jobId, announcement.recipients)
    if (recipient === undefined || !this.#fits(announcement)) {
      return
    }
    const job = { from, announcement, recipient, waitsUntilMs: this.#components.clock.nowMs() + WAIT_MS }
    if (this.#components.slots.free <= 0) {
      this.#waiting.push(job)
      this.#waiting.splice(0, this.#waiting.length - MAX_WAITING)
      return
    }
    await this.#offerPlace(job)
  }

  /** Jobs that found no free place get one that is given back while their client still listens, first come first served. */
  #serveWaiting(): void {
    while (this.#waiting.length > 0 && this.#components.slots.free > 0) {
      const job = this.#waiting.shift() as AddressedJob
      if (job.waitsUntilMs > this.#components.clock.nowMs() && !this.#stopped.signal.aborted) {
        void this.#offerPlace(job)
      }
    }
  }

  /** Never throws. */
  async #offerPlace({ from, announcement, recipient }: AddressedJob): Promise<void> {
    const key = peerJobKey(from, announcement.jobId)
    if (!this.#components.slots.reserve(key, from, this.#init.offerTtlMs * 2)) {
      return
    }
    let accepted = false
    try {
      const { body, maxCompletionTokens } = announcement
      const maxCost = offeredCost(this.#init.prices, body, maxCompletionTokens)
      accepted = await this.#offer(from, announcement, maxCost)
      if (accepted) {
        this.#components.slots.extend(key, this.#init.acceptedTtlMs)
        this.#keep(key, { announcement, recipient, maxCost })
      }
    } catch (err) {
      this.#components.logger.debug('offer not answered', { job: key, code: errorCode(err) })
    } finally {
      if (!accepted) {
        this.#components.slots.release(key)
      }
    }
  }

  /** Hands out a job that this peer accepted, once. */
  take(peerId: string, jobId: Uint8Array): AcceptedJob | undefined {
    const key = peerJobKey(peerId, jobId)
    const job = this.#accepted.get(key)
    this.#accepted.delete(key)
    return job
  }

  #fits(job: JobAnnouncement): boolean {
    const { identity } = this.#components
    return (
      job.tier === identity.current.tier &&
      withinCap(this.#init.prices, {
        promptPerMTokens: job.maxPromptPerMTokens,
        completionPerMTokens: job.maxCompletionPerMTokens
      })
    )
  }

  /** Whether the client took the offer in time. It cannot be taken later, nor for more than it says. */
  #offer(peerId: string, { jobId }: JobAnnouncement, maxCost: NanoTon): Promise<boolean> {
    const { mesh, slots, clock } = this.#components
    const { offerTtlMs, acceptedTtlMs, expectedTtftMs, prices, minimumDeposit, windowTokens } = this.#init
    return withTimeLimit(offerTtlMs, this.#stopped.signal, async signal => {
      const stream = await mesh.open(peerId, PROTOCOLS.offer, { maxFrameBytes: LIMITS.offerBytes, signal })
      try {
        const expiresAtMs = clock.nowMs() + offerTtlMs
        await stream.write(
          encodeOffer({
            jobId,
            prices,
            queue: slots.total - slots.free - 1,
            expectedTtftMs,
            minimumDeposit,
            windowTokens,
            expiresAtMs,
            maxCost,
            startWithinMs: acceptedTtlMs
          })
        )
        const answer = await stream.read({ signal })
        await stream.close({ signal })
        return answer !== undefined && clock.nowMs() <= expiresAtMs && decodeOfferAnswer(answer).accepted
      } catch (err) {
        stream.abort(err as Error)
        throw err
      }
    })
  }

  // As many entries as there are places: an entry whose reservation ran out makes room for the next.
  #keep(key: string, job: AcceptedJob): void {
    for (const oldest of this.#accepted.keys()) {
      if (this.#accepted.size < this.#components.slots.total) {
        break
      }
      this.#accepted.delete(oldest)
    }
    this.#accepted.set(key, job)
  }
}
