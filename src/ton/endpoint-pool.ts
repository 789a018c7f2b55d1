import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { CocoonError } from '../core/errors.ts'
import { ChainUnreachableError } from './chain-errors.ts'
import { type Endpoint, type EndpointRequest, isOurFault, type Refusal } from './endpoint.ts'
import { ChainInconsistentError } from './endpoint-errors.ts'
import { AbsurdAnswer, ToncenterFailure } from './toncenter-failure.ts'
import type { Sleep } from './wait.ts'

/** What a server showed. */
export interface Shown<T> {
  endpoint: Endpoint
  value: T
}

/** A request, and how its answer is read. */
export interface Question<T> extends EndpointRequest {
  /** @throws {AbsurdAnswer} */
  read(result: unknown): T
}

/** Per server. */
const ATTEMPTS = 3
const MAX_COMPLAINTS = 8
/** Servers that rest are not waited for any longer, those that only ask for fewer requests are. */
const LONGEST_WAIT_MS = 3_000
const LONGEST_COMPLAINT_MS = 20_000
/** How soon to look again: somebody else's trial may have gone well. */
const CHECK_MS = 250

/** Several servers in the order of preference: the first that is well is asked. */
export class EndpointPool {
  readonly #endpoints: readonly Endpoint[]
  readonly #sleep: Sleep

  constructor(endpoints: readonly Endpoint[], sleep: Sleep) {
    this.#endpoints = endpoints
    this.#sleep = sleep
  }

  /** All that may be believed, well or not. */
  get usable(): Endpoint[] {
    return this.#endpoints.filter(({ refusal }) => refusal === undefined)
  }

  /** All that may be asked at once. */
  get ready(): Endpoint[] {
    return this.usable.filter(({ waitMs }) => waitMs === 0)
  }

  /**
   * Asks the first of `among` that is well, and others when it fails, each a few times. A server that rests is waited for
   * a few seconds.
   *
   * @param among all by default
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {ChainInconsistentError} `CHAIN_INCONSISTENT`, or `CHAIN_WRONG_NETWORK`, if none may be believed any more
   */
  async ask<T>(question: Question<T>, options: AbortOptions = {}, among = this.#endpoints): Promise<Shown<T>> {
    const disliked = new Set<Endpoint>()
    let failure: ToncenterFailure | undefined
    let attempts = 0
    let complaints = 0
    let waitedMs = 0
    for (;;) {
      throwIfAborted(options.signal)
      const usable = among.filter(({ refusal }) => refusal === undefined)
      if (usable.length === 0) {
        throw among.map(({ refusal }) => refusal).find(refusal => refusal !== undefined) ?? this.unreachable(question)
      }
      const left = usable.filter(endpoint => !disliked.has(endpoint))
      const waitMs = Math.min(...left.map(endpoint => endpoint.waitMs))
      const tired = attempts >= ATTEMPTS * usable.length || complaints >= MAX_COMPLAINTS
      const limitMs = complaints > 0 ? LONGEST_COMPLAINT_MS : LONGEST_WAIT_MS
      if (left.length === 0 || tired || waitedMs + waitMs > limitMs) {
        throw this.unreachable(question, failure)
      }
      const endpoint = left.find(candidate => candidate.waitMs === 0)
      if (endpoint === undefined) {
        await this.#sleep(Math.min(waitMs, CHECK_MS), options)
        waitedMs += Math.min(waitMs, CHECK_MS)
        continue
      }
      const answer = await this.askOne(endpoint, question, options)
      if (answer === undefined) {
        continue
      }
      if (!(answer instanceof ToncenterFailure)) {
        return answer
      }
      if (answer.notAsked) {
        continue
      }
      failure = answer
      if (isOurFault(answer)) {
        disliked.add(endpoint)
      } else if (answer.status === 429) {
        complaints++
      } else {
        attempts++
      }
    }
  }

  /**
   * Asks one server once.
   *
   * @returns undefined if it may not be believed any more
   * @throws {CancelledError} `CANCELLED`
   */
  async askOne<T>(
    endpoint: Endpoint,
    question: Question<T>,
    options: AbortOptions = {}
  ): Promise<Shown<T> | ToncenterFailure | undefined> {
    try {
      return { endpoint, value: question.read(await endpoint.ask(question, options)) }
    } catch (err) {
      if (err instanceof ToncenterFailure) {
        return err
      }
      if (err instanceof AbsurdAnswer) {
        endpoint.refuse(new ChainInconsistentError(endpoint.name, `it showed ${err.message}`))
      } else if (!(err instanceof CocoonError) || err !== endpoint.refusal) {
        throw err
      }
      return undefined
    }
  }

  /**
   * Nobody can tell which of two is right: neither is asked again. One that contradicts itself, or two others who agree, is
   * refused alone.
   *
   * @param others names of those whom `name` contradicts
   */
  refuse(name: string, others: readonly string[], why: string): void {
    const alone = others.includes(name) || others.length > 1
    const names = alone ? [name] : [name, ...others]
    const reason = new ChainInconsistentError(names.join(' and '), why)
    for (const endpoint of this.#endpoints.filter(one => names.includes(one.name))) {
      endpoint.refuse(reason)
    }
  }

  /** Why none may be believed any more; undefined while one may. */
  get refusal(): Refusal | undefined {
    return this.usable.length > 0
      ? undefined
      : this.#endpoints.map(({ refusal }) => refusal).find(refusal => refusal !== undefined)
  }

  /** Of the servers that may be believed. */
  get names(): string {
    return this.usable.map(({ name }) => name).join(', ')
  }

  unreachable({ method }: Pick<EndpointRequest, 'method'>, failure?: ToncenterFailure): ChainUnreachableError {
    const before = this.usable.map(({ lastFailure }) => lastFailure).find(why => why !== undefined)
    return new ChainUnreachableError(this.names, method, failure?.message ?? before ?? 'it rests')
  }
}
