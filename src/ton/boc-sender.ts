import { createHash } from 'node:crypto'
import type { AbortOptions } from '../core/abort.ts'
import { CancelledError } from '../core/errors.ts'
import { ChainRefusedError } from './chain-errors.ts'
import type { Endpoint, EndpointRequest } from './endpoint.ts'
import type { EndpointPool } from './endpoint-pool.ts'
import { ToncenterFailure } from './toncenter-failure.ts'
import type { Sleep } from './wait.ts'

/** Messages are valid for a minute or two; no more of them are remembered. */
const MAX_REMEMBERED = 4_096
const MAX_COMPLAINTS = 3
/** A server that rests longer is not waited for. */
const LONGEST_REST_MS = 5_000

const TOO_MANY_REQUESTS = 429

const REFUSAL = /cannot apply external message|not accepted/i
/** The wallet has this seqno no more: by this very message, or by another. 33 and 133 are wallets' codes for it. */
const DUPLICATE = /duplicate|exit ?code[ =:]*1?33\b/i

/** What is known of a message that is being handed in. */
interface Handing {
  key: string
  question: EndpointRequest & { read(result: unknown): true }
  /** Some server may have it. */
  doubtful: boolean
  /** Nobody can have had it before the request under way. */
  isFirst: boolean
  failure?: ToncenterFailure
  /** Words of a server that does not take it. */
  refusal?: string
}

/**
 * Hands an external message to one server after the other until one takes it, to each once: it lands at most once however
 * often it arrives, because it uses up its seqno.
 */
export class BocSender {
  readonly #pool: EndpointPool
  readonly #sleep: Sleep
  /** Messages that some server may have. */
  readonly #handedIn = new Set<string>()

  constructor({ pool, sleep }: { pool: EndpointPool; sleep: Sleep }) {
    this.#pool = pool
    this.#sleep = sleep
  }

  /**
   * Without an answer it may still have arrived: `details.sent` is `false` only if no server can have it, not from this
   * call and from no earlier one of this process.
   *
   * @throws {ChainRefusedError} `CHAIN_REFUSED` if the account does not accept it, with `details.duplicate` and no promise
   *   if its seqno was used: by another message, or by this one
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {ChainInconsistentError} `CHAIN_INCONSISTENT`, `CHAIN_WRONG_NETWORK`
   * @throws {CancelledError} `CANCELLED`
   */
  async send(boc: Uint8Array, options: AbortOptions = {}): Promise<void> {
    const key = createHash('sha256').update(boc).digest('base64')
    const params = { boc: Buffer.from(boc).toString('base64') }
    const handing: Handing = {
      key,
      question: { method: 'sendBoc', params, read: () => true },
      doubtful: this.#handedIn.has(key),
      isFirst: false
    }
    try {
      const servers = this.#pool.usable.toSorted((one, other) => Number(one.waitMs > 0) - Number(other.waitMs > 0))
      for (const endpoint of servers) {
        if (await this.#handTo(endpoint, handing, options)) {
          return
        }
      }
    } catch (err) {
      throw err instanceof CancelledError && !handing.doubtful
        ? new CancelledError(err.message, { cause: err.cause, details: { sent: false } })
        : err
    }
    throw this.#failure(handing)
  }

  /** @returns whether it took the message */
  async #handTo(endpoint: Endpoint, handing: Handing, options: AbortOptions): Promise<boolean> {
    for (let complaints = 0; complaints < MAX_COMPLAINTS; complaints++) {
      for (let waitMs = endpoint.waitMs; waitMs > 0; waitMs = endpoint.waitMs) {
        if (waitMs > LONGEST_REST_MS) {
          return false
        }
        await this.#sleep(waitMs, options)
      }
      const sending = () => this.#doubt(handing)
      const answer = await this.#pool.askOne(endpoint, { ...handing.question, sending }, options)
      if (!(answer instanceof ToncenterFailure)) {
        return answer !== undefined
      }
      handing.failure = answer
      const refused = REFUSAL.test(answer.message)
      if (refused) {
        handing.refusal = answer.message
      }
      if (handing.isFirst && (refused || answer.notSent)) {
        handing.doubtful = false
        this.#handedIn.delete(handing.key)
      }
      if (answer.status !== TOO_MANY_REQUESTS) {
        return false
      }
    }
    return false
  }

  #doubt(handing: Handing): void {
    handing.isFirst = !this.#handedIn.has(handing.key)
    handing.doubtful = true
    this.#handedIn.add(handing.key)
    const [oldest] = this.#handedIn
    if (this.#handedIn.size > MAX_REMEMBERED && oldest !== undefined) {
      this.#handedIn.delete(oldest)
    }
  }

  #failure({ doubtful, failure, refusal, question }: Handing): Error {
    const unbelievable = this.#pool.refusal
    if (unbelievable !== undefined) {
      return doubtful ? unbelievable : unbelievable.unsent()
    }
    if (refusal !== undefined && DUPLICATE.test(refusal)) {
      return new ChainRefusedError('the message', refusal, { duplicate: true })
    }
    if (doubtful) {
      return this.#pool.unreachable(question, failure)
    }
    return refusal === undefined
      ? this.#pool.unreachable(question, failure).unsent()
      : new ChainRefusedError('the message', refusal, { sent: false })
  }
}
