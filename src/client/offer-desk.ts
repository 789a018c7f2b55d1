import { withTimeLimit } from '../core/abort.ts'
import { toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { CancelledError, NetworkError } from '../core/errors.ts'
import { type OfferPolicy, refuseOffer } from '../market/index.ts'
import type { Mesh, MeshStream } from '../mesh/index.ts'
import { LIMITS } from '../wire/limits.ts'
import { decodeOffer, encodeOfferAnswer, type Offer, type OfferAnswer } from '../wire/offer.ts'
import { PROTOCOLS } from '../wire/protocols.ts'

/** An offer that was taken. */
export interface TakenOffer {
  peerId: string
  offer: Offer
}

interface OpenCall {
  invited: ReadonlySet<string>
  policy: OfferPolicy
  refusals: string[]
  take(offer: TakenOffer): void
  taken: boolean
}

const ANSWER_TIMEOUT_MS = 5_000

/**
 * Receives offers for announced jobs: the first one of an invited provider that keeps to the policy is accepted,
 * every other one is declined with the reason.
 */
export class OfferDesk {
  readonly #mesh: Mesh
  readonly #clock: Clock
  readonly #calls = new Map<string, OpenCall>()

  constructor(components: { mesh: Mesh; clock: Clock }) {
    this.#mesh = components.mesh
    this.#clock = components.clock
  }

  async start(): Promise<void> {
    await this.#mesh.handle(PROTOCOLS.offer, (stream, peer) => this.#receive(stream, peer.id), {
      maxFrameBytes: LIMITS.offerBytes
    })
  }

  /**
   * Opens a call for offers. Await `offer` after the announcement went out.
   *
   * @returns `offer` rejects with `NO_OFFER` when the time is up, naming what was refused, and with `CANCELLED`
   */
  call(
    jobId: Uint8Array,
    invited: ReadonlySet<string>,
    policy: OfferPolicy,
    options: { timeoutMs: number; signal?: AbortSignal }
  ): { offer: Promise<TakenOffer>; close: () => void } {
    const key = toHex(jobId)
    let resolve!: (offer: TakenOffer) => void
    let reject!: (reason: unknown) => void
    const promise = new Promise<TakenOffer>((onOffer, onFailure) => {
      resolve = onOffer
      reject = onFailure
    })
    const refusals: string[] = []
    this.#calls.set(key, { invited, policy, refusals, take: resolve, taken: false })
    const timer = setTimeout(() => {
      const why = refusals.length === 0 ? 'none answered' : refusals.join(', ')
      reject(
        new NetworkError('NO_OFFER', `No offer from ${invited.size} provider(s) within ${options.timeoutMs} ms: ${why}`)
      )
    }, options.timeoutMs)
    const cancel = (): void => reject(new CancelledError('Cancelled', { cause: options.signal?.reason }))
    options.signal?.addEventListener('abort', cancel, { once: true })
    const close = (): void => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', cancel)
      this.#calls.delete(key)
    }
    const offer = promise.finally(close)
    // The caller may fail before it awaits the offer: that must not become an unhandled rejection.
    offer.catch(() => undefined)
    return { offer, close }
  }

  async #receive(stream: MeshStream, peerId: string): Promise<void> {
    await withTimeLimit(ANSWER_TIMEOUT_MS, undefined, signal => this.#answer(stream, peerId, signal))
  }

  async #answer(stream: MeshStream, peerId: string, signal: AbortSignal): Promise<void> {
    const bytes = await stream.read({ signal })
    if (bytes === undefined) {
      return
    }
    const offer = decodeOffer(bytes)
    const call = this.#calls.get(toHex(offer.jobId))
    const reason = this.#refusal(call, peerId, offer)
    if (reason !== undefined || call === undefined) {
      await this.#reply(stream, { accepted: false, reason: reason ?? '' }, signal)
      return
    }
    // Before any await: two offers in one tick must not both be accepted.
    call.taken = true
    try {
      await this.#reply(stream, { accepted: true, reason: '' }, signal)
    } catch (err) {
      // Gone before it heard: the next offer may have the job.
      call.taken = false
      throw err
    }
    call.take({ peerId, offer })
  }

  async #reply(stream: MeshStream, answer: OfferAnswer, signal: AbortSignal): Promise<void> {
    await stream.write(encodeOfferAnswer(answer), { signal })
    await stream.close({ signal })
  }

  #refusal(call: OpenCall | undefined, peerId: string, offer: Offer): string | undefined {
    if (call === undefined || !call.invited.has(peerId)) {
      return 'no such job'
    }
    if (call.taken) {
      return 'another offer was faster'
    }
    const reason = refuseOffer(offer, call.policy, this.#clock.nowMs())
    if (reason !== undefined) {
      call.refusals.push(reason)
    }
    return reason
  }
}
