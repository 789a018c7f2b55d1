import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { AnswerEvent, AskRequest } from '../../client/events.ts'
import { type AbortOptions, anySignal } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'
import { CocoonError, errorCode } from '../../core/errors.ts'
import { showError } from '../errors.ts'
import type { ChosenModel } from '../model-choice.ts'
import type { Sealing } from '../sealing.ts'
import type { BatchJob } from './batch-line.ts'
import { answerLine, errorLine, type FinishedAnswer } from './result-line.ts'

export interface BatchRunComponents {
  clock: Clock
  /** What `ask` seals with: it is noted beside every answer. */
  sealing: Sealing
  ask(request: AskRequest, options: Required<AbortOptions>): AsyncIterable<AnswerEvent>
  findModel(name: string, options: Required<AbortOptions>): Promise<ChosenModel>
  /** Durable when it resolves. */
  append(line: string): Promise<void>
  pause(ms: number, signal: AbortSignal): Promise<void>
  onProgress(tally: Readonly<BatchTally>): void
}

export interface BatchRunInit {
  /** Jobs under way at once. */
  parallel: number
  /**
   * How often a job is tried when a provider or the network fails.
   * @default 3
   */
  attempts?: number
}

/** What came of the jobs so far. Amounts are nanotons. */
export interface BatchTally {
  answered: number
  failed: number
  completionTokens: number
  cost: bigint
  /** Signed, the parts of answers that broke off included. */
  paid: bigint
}

const DEFAULT_ATTEMPTS = 3
const FIRST_PAUSE_MS = 1_000

/** After these, other jobs of the same model would only fail in the same way, slowly. */
const MODEL_FAILURES: readonly unknown[] = ['NO_PROVIDERS', 'NO_USABLE_PROVIDER', 'MODEL_NOT_FOUND', 'MODEL_AMBIGUOUS']

/**
 * Asks every job, several at once. A job's own failure becomes an error line; what would fail every job (money, this
 * machine, a bug) lets running ones end and is thrown.
 */
export async function runBatch(
  jobs: AsyncIterable<BatchJob>,
  components: BatchRunComponents,
  init: BatchRunInit,
  signal: AbortSignal
): Promise<BatchTally> {
  return new BatchRun(components, init, signal).run(jobs)
}

class BatchRun {
  readonly #components: BatchRunComponents
  readonly #init: BatchRunInit
  readonly #storageFailed = new AbortController()
  readonly #signal: AbortSignal
  readonly #models = new Map<string, Promise<ChosenModel>>()
  readonly #failedModels = new Map<string, unknown>()
  readonly #tally: BatchTally = { answered: 0, failed: 0, completionTokens: 0, cost: 0n, paid: 0n }
  #stop: { reason: unknown } | undefined

  constructor(components: BatchRunComponents, init: BatchRunInit, signal: AbortSignal) {
    this.#components = components
    this.#init = init
    this.#signal = anySignal(signal, this.#storageFailed.signal)
    setMaxListeners(0, this.#signal)
  }

  async run(jobs: AsyncIterable<BatchJob>): Promise<BatchTally> {
    const queue = jobs[Symbol.asyncIterator]()
    try {
      await Promise.all(Array.from({ length: this.#init.parallel }, () => this.#work(queue)))
    } finally {
      await queue.return?.()
    }
    if (this.#stop !== undefined) {
      throw this.#stop.reason
    }
    return this.#tally
  }

  async #work(queue: AsyncIterator<BatchJob>): Promise<void> {
    while (this.#stop === undefined) {
      try {
        const next = await queue.next()
        if (next.done === true) {
          return
        }
        await this.#runJob(next.value)
      } catch (err) {
        this.#stop ??= { reason: err }
      }
    }
  }

  async #runJob(job: BatchJob): Promise<void> {
    const outcome = await this.#try(job)
    try {
      await this.#components.append(outcome)
    } catch (err) {
      // Further answers could not be kept: none is worth paying for.
      this.#storageFailed.abort(err)
      throw err
    }
    this.#components.onProgress(this.#tally)
  }

  /** The line that the job came to. @throws what stops the whole batch */
  async #try({ customId, body }: BatchJob): Promise<string> {
    const attempts = this.#init.attempts ?? DEFAULT_ATTEMPTS
    for (let attempt = 1; ; attempt++) {
      try {
        const model = await this.#model(body.model)
        const answer = await this.#answer({ ...body.request, modelDigestHex: model.digestHex })
        return answerLine(customId, model, this.#components.sealing, answer)
      } catch (err) {
        if (this.#signal.aborted || stopsAll(err)) {
          throw err
        }
        this.#countBroken(err)
        if (attempt < attempts && isPassing(err) && !this.#failedModels.has(body.model)) {
          await this.#components.pause(Math.max(FIRST_PAUSE_MS * 2 ** (attempt - 1), toldToWaitMs(err)), this.#signal)
          continue
        }
        this.#rememberModel(body.model, err)
        this.#tally.failed++
        return errorLine(customId, randomUUID(), showError(err))
      }
    }
  }

  /** Jobs of one model share one search. */
  async #model(name: string): Promise<ChosenModel> {
    if (this.#failedModels.has(name)) {
      throw this.#failedModels.get(name)
    }
    let search = this.#models.get(name)
    if (search === undefined) {
      search = this.#components.findModel(name, { signal: this.#signal })
      this.#models.set(name, search)
      search.catch(() => this.#models.delete(name))
    }
    return search
  }

  async #answer(request: AskRequest): Promise<FinishedAnswer> {
    let text = ''
    let provider: FinishedAnswer['provider']
    for await (const event of this.#components.ask(request, { signal: this.#signal })) {
      switch (event.type) {
        case 'provider':
          provider = event
          break
        case 'text':
          text += event.text
          break
        case 'end':
          this.#countAnswer(event)
          return { text, provider, end: event, createdMs: this.#components.clock.nowMs() }
      }
    }
    throw new CocoonError('internal', 'INTERNAL', 'An answer ended without its end')
  }

  #countAnswer({ usage, cost, paid }: FinishedAnswer['end']): void {
    this.#tally.answered++
    this.#tally.completionTokens += usage.completionTokens
    this.#tally.cost += cost
    this.#tally.paid += paid
  }

  /** An answer that broke off was paid for up to there. */
  #countBroken(err: unknown): void {
    const { cost, paid } = err instanceof CocoonError ? err.details : {}
    this.#tally.cost += typeof cost === 'bigint' ? cost : 0n
    this.#tally.paid += typeof paid === 'bigint' ? paid : 0n
  }

  #rememberModel(name: string, err: unknown): void {
    if (MODEL_FAILURES.includes(errorCode(err))) {
      this.#failedModels.set(name, err)
    }
  }
}

/** Errors that every other job would meet too. */
function stopsAll(err: unknown): boolean {
  return !(err instanceof CocoonError) || ['money', 'environment', 'internal', 'cancelled'].includes(err.errorClass)
}

/** Another provider, or the same one later, may do better. */
function isPassing(err: unknown): boolean {
  return err instanceof CocoonError && ['network', 'peer'].includes(err.errorClass)
}

/** How long a provider that is asked too often wants to be left alone: the wire bounds it. */
function toldToWaitMs(err: unknown): number {
  const { retryAfterMs } = err instanceof CocoonError ? err.details : {}
  return typeof retryAfterMs === 'number' ? retryAfterMs : 0
}
