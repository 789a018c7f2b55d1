import { type AbortOptions, abortable, throwIfAborted } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import { CancelledError, type CocoonError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { Random } from '../core/random.ts'
import { ChainWrongNetworkError, type ReadFailure } from './endpoint-errors.ts'
import { EndpointHealth } from './endpoint-health.ts'
import { RateLimit } from './rate-limit.ts'
import { readNetworkId } from './toncenter-answers.ts'
import type { ToncenterTransport } from './toncenter-client.ts'
import { ToncenterFailure } from './toncenter-failure.ts'
import type { Sleep } from './wait.ts'

export interface EndpointInit {
  /** toncenter API v2, `https://…/api/v2/jsonRPC`. */
  endpoint: string
  apiKey?: string | undefined
  /**
   * Most requests a second.
   * @default 10 with a key, 1 without one, as toncenter allows; no limit on a simnet
   */
  requestsPerSecond?: number | undefined
}

export interface EndpointSettings {
  /** Network it must be of. */
  globalId: number
  requestTimeoutMs: number
  defaultRequestsPerSecond(hasKey: boolean): number
}

export interface EndpointComponents {
  clock: Clock
  sleep: Sleep
  random: Random
  logger: Logger
  transport: ToncenterTransport
}

/** Why a server is not believed. */
export type Refusal = CocoonError & ReadFailure

/** What is asked. */
export interface EndpointRequest {
  method: string
  params: Readonly<Record<string, unknown>>
  /** Called just before the request may leave. */
  sending?: () => void
  /** Whether a failure says what was asked for, such as that there is no such block: it is handed on like a result. */
  isAnswer?: (failure: ToncenterFailure) => boolean
}

const NETWORK_ID: EndpointRequest = { method: 'getConfigParam', params: { config_id: 19 } }
const TOO_MANY_REQUESTS = 429

/** A full account state is 65,536 cells. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024
/** 100 transactions with a message of 64 KiB, which toncenter shows three times. */
const MAX_LIST_BYTES = 64 * 1024 * 1024

/** One server: its rate limit, its health, and whether it may be believed at all. */
export class Endpoint {
  /** Its origin, without what may be secret in its path or query. */
  readonly name: string
  readonly #components: EndpointComponents
  readonly #init: EndpointInit
  readonly #settings: EndpointSettings
  readonly #limit: RateLimit
  readonly #health: EndpointHealth
  #refusal: Refusal | undefined
  #network: Promise<void> | undefined
  #isOfOurNetwork = false
  #lastFailure: string | undefined

  constructor(components: EndpointComponents, init: EndpointInit, settings: EndpointSettings) {
    this.#components = components
    this.#init = init
    this.#settings = settings
    this.name = new URL(init.endpoint).origin
    const perSecond = init.requestsPerSecond ?? settings.defaultRequestsPerSecond(init.apiKey !== undefined)
    this.#limit = new RateLimit(components, perSecond)
    this.#health = new EndpointHealth(components)
  }

  /** Why it is not asked any more. */
  get refusal(): Refusal | undefined {
    return this.#refusal
  }

  /** Milliseconds until it may be asked: after a failure it rests, after a complaint it waits. */
  get waitMs(): number {
    return Math.max(this.#health.waitMs, this.#limit.pausedMs)
  }

  /** Why it failed the last time. */
  get lastFailure(): string | undefined {
    return this.#lastFailure
  }

  /** For good: a server that was wrong once is not asked again. */
  refuse(reason: Refusal): void {
    if (this.#refusal === undefined) {
      this.#refusal = reason
      this.#components.logger.warn('endpoint refused', { endpoint: this.name, code: reason.code, why: reason.message })
    }
  }

  /** Counts as a failure although it answered. */
  fail(why: string): void {
    this.#logFailure(this.#health.fail(), why)
  }

  /**
   * Asks once, after its turn has come. The first time it has to tell its network first.
   *
   * @throws {ToncenterFailure} no result; it rests for a while
   * @throws {AbsurdAnswer} the answer cannot be true
   * @throws {ChainWrongNetworkError} `CHAIN_WRONG_NETWORK`
   * @throws {CancelledError} `CANCELLED`
   */
  async ask(request: EndpointRequest, options: AbortOptions = {}): Promise<unknown> {
    if (!this.#isOfOurNetwork) {
      // Shared by all who wait for it, so nobody's signal ends it.
      this.#network ??= this.#checkNetwork().finally(() => (this.#network = undefined))
      this.#network.catch(() => undefined)
      await abortable(this.#network, options)
    }
    return this.#ask(request, options)
  }

  async #checkNetwork(): Promise<void> {
    const found = readNetworkId(await this.#ask(NETWORK_ID))
    if (found !== this.#settings.globalId) {
      const reason = new ChainWrongNetworkError(this.name, found, this.#settings.globalId)
      this.refuse(reason)
      throw reason
    }
    this.#isOfOurNetwork = true
  }

  async #ask({ method, params, sending, isAnswer }: EndpointRequest, options: AbortOptions = {}): Promise<unknown> {
    await this.#limit.take(options)
    throwIfAborted(options.signal)
    if (this.#refusal !== undefined) {
      throw this.#refusal
    }
    if (this.#health.waitMs > 0) {
      // It failed while we waited for our turn.
      throw new ToncenterFailure('rests after a failure', { notSent: true, notAsked: true })
    }
    const outcome = this.#health.begin()
    sending?.()
    try {
      const result = await this.#components.transport(
        {
          url: this.#init.endpoint,
          ...(this.#init.apiKey === undefined ? {} : { apiKey: this.#init.apiKey }),
          method,
          params,
          timeoutMs: this.#settings.requestTimeoutMs,
          maxBytes: method === 'getTransactions' ? MAX_LIST_BYTES : MAX_ANSWER_BYTES
        },
        options
      )
      outcome.succeeded()
      return result
    } catch (err) {
      if (err instanceof CancelledError) {
        outcome.abandoned()
      } else if (err instanceof ToncenterFailure && err.status === TOO_MANY_REQUESTS) {
        outcome.abandoned()
        this.#limit.slowDown(err.retryAfterMs)
      } else if (err instanceof ToncenterFailure && isAnswer?.(err) === true) {
        outcome.succeeded()
        return err
      } else if (err instanceof ToncenterFailure && isOurFault(err)) {
        outcome.succeeded()
      } else {
        this.#logFailure(outcome.failed(), err instanceof Error ? err.message : String(err))
      }
      throw err
    }
  }

  #logFailure(first: boolean, why: string): void {
    this.#lastFailure = why
    if (first) {
      this.#components.logger.warn('endpoint fails', { endpoint: this.name, why })
    }
  }
}

/** The server is well and did not like this one request. Without its key it likes none. */
export function isOurFault({ status = 0 }: ToncenterFailure): boolean {
  return status >= 400 && status < 500 && status !== TOO_MANY_REQUESTS && status !== 401 && status !== 403
}
