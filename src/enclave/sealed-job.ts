import { makeReceipt, type SignedReceipt } from '../attest/receipt.ts'
import { sha256, toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { CancelledError, PeerError } from '../core/errors.ts'
import { nanoTon } from '../core/nano-ton.ts'
import { type TokenPrices, tokenCost } from '../core/price.ts'
import type { Engine } from '../inference/index.ts'
import { openRequest, type ResponseSealer, responseSealer, wipe } from '../seal/index.ts'
import type { RunJob } from '../wire/generated/enclave.ts'
import { decodeJobRequest, type JobRequest } from '../wire/job-request.ts'
import type { AnswerOutput, SendChunk } from './answer-output.ts'
import { AnswerWriter } from './answer-writer.ts'
import type { Epoch, SealKey } from './epoch.ts'
import { peerIdText } from './peer-id-text.ts'
import { plannedTicks } from './strict-plan.ts'
import { StrictWriter } from './strict-writer.ts'
import { TokenGrant } from './token-grant.ts'

/** Completion tokens when neither the client nor the host says fewer. */
const DEFAULT_MAX_TOKENS = 4_096

export interface SealedJobComponents {
  clock: Clock
  engine: Engine
  /** The epoch the request was sealed to, and which of its keys. */
  epoch: Epoch
  key: SealKey
  /** Of the self-test: how long an answer in the mode `strict` is planned. */
  tokensPerSecond: number
  send: SendChunk
}

/** How a job ended. */
export interface EndedJob extends SignedReceipt {
  finishReason: string
}

/** One job inside the enclave: opens the request, answers it in sealed frames, signs the receipt. */
export class SealedJob {
  readonly #components: SealedJobComponents
  readonly #job: RunJob
  readonly #grant: TokenGrant
  readonly #cancel = new AbortController()

  constructor(components: SealedJobComponents, job: RunJob) {
    this.#components = components
    this.#job = job
    this.#grant = new TokenGrant(job.grantedTokens)
  }

  /** Raises the completion tokens that may be made to this total. */
  grant(completionTokens: number): void {
    this.#grant.raise(completionTokens)
  }

  /** Ends the answer where it is; {@link run} still resolves, with a receipt for what was delivered. */
  cancel(): void {
    this.#cancel.abort()
  }

  /**
   * @throws {PeerError} as `openRequest`, and `JOB_REQUEST_INVALID`
   * @throws {UsageError} `PROMPT_TOO_LONG`, `PROMPT_INVALID`
   * @throws {EnvironmentError} `INFERENCE_FAILED`, `ENGINE_CLOSED`
   */
  async run(): Promise<EndedJob> {
    const startedAtMs = this.#components.clock.nowMs()
    const { request, sealer } = this.#open()
    let writer: AnswerOutput | undefined
    try {
      const maxTokens = this.#limit(request)
      writer = this.#writer(request, maxTokens, sealer)
      const finishReason = await this.#answer(request, maxTokens, writer)
      await writer.end(finishReason, this.#cancel.signal)
      const signed = this.#receipt(request, { maxTokens, finishReason, startedAtMs, writer, sealer })
      return { ...signed, finishReason }
    } finally {
      writer?.close()
      sealer.wipe()
    }
  }

  #open(): { request: JobRequest; sealer: ResponseSealer } {
    const { jobId, hint, enc, wrappedKey, sealedRequest } = this.#job
    const { epoch, key } = this.#components
    const { plaintext, responseKey } = openRequest({
      jobId,
      keyPair: key.keyPair,
      statementDigest: epoch.statementDigest,
      recipient: { hint, enc, wrappedKey },
      sealedRequest,
      replayGuard: key.replayGuard
    })
    try {
      return { request: decodeJobRequest(plaintext), sealer: responseSealer(responseKey, jobId) }
    } finally {
      wipe(plaintext)
      responseKey.wipe()
    }
  }

  /** The client's own limit and the one its job announced: the smaller wins. */
  #limit(request: JobRequest): number {
    const { maxCompletionTokens } = this.#job
    if (maxCompletionTokens === 0) {
      throw new PeerError('JOB_REQUEST_INVALID', 'The job allows no completion token: ask for 1 or more')
    }
    return Math.min(request.maxTokens ?? DEFAULT_MAX_TOKENS, maxCompletionTokens)
  }

  #writer(request: JobRequest, maxTokens: number, sealer: ResponseSealer): AnswerOutput {
    const { send, tokensPerSecond, engine } = this.#components
    const most = Math.min(maxTokens, engine.model.contextTokens)
    return request.privacy === 'strict'
      ? new StrictWriter(
          { sealer, send },
          { ticks: plannedTicks(most, this.#job.sealedRequest.byteLength, tokensPerSecond) }
        )
      : new AnswerWriter(sealer, send)
  }

  async #answer(request: JobRequest, maxTokens: number, writer: AnswerOutput): Promise<string> {
    const mayGenerate = (tokens: number): Promise<void> | undefined => {
      const granted = this.#grant.beyond(tokens)
      if (granted !== undefined) {
        // The grant is raised for what was delivered: nothing may wait here meanwhile.
        writer.flush()
      }
      return granted
    }
    try {
      const events = this.#components.engine.generate(
        { ...request, maxTokens },
        { signal: this.#cancel.signal, mayGenerate }
      )
      for await (const event of events) {
        if (event.type === 'text') {
          writer.text(event.text, event.completionTokens)
        } else if (event.type === 'prompt') {
          writer.prompt(event.promptTokens, event.cachedPromptTokens)
        } else {
          return event.finishReason
        }
      }
      return 'stop'
    } catch (err) {
      if (err instanceof CancelledError && this.#cancel.signal.aborted) {
        writer.discard()
        return 'cancelled'
      }
      throw err
    }
  }

  #receipt(
    request: JobRequest,
    run: { maxTokens: number; finishReason: string; startedAtMs: number; writer: AnswerOutput; sealer: ResponseSealer }
  ): SignedReceipt {
    const { epoch, engine, clock } = this.#components
    const job = this.#job
    const usage = run.writer.delivered
    const prices: TokenPrices = {
      promptPerMTokens: nanoTon(job.promptPerMTokens),
      cachedPromptPerMTokens: nanoTon(job.cachedPromptPerMTokens),
      completionPerMTokens: nanoTon(job.completionPerMTokens)
    }
    const { temperature, topP, seed } = request
    return makeReceipt(
      {
        jobId: toHex(job.jobId),
        requestDigest: toHex(sha256(job.sealedRequest)),
        answerDigest: toHex(run.sealer.chainHash),
        modelDigest: toHex(engine.model.digest),
        statementDigest: toHex(epoch.statementDigest),
        sampling: {
          maxTokens: run.maxTokens,
          ...(temperature === undefined ? {} : { temperatureMilli: Math.round(temperature * 1_000) }),
          ...(topP === undefined ? {} : { topPMilli: Math.round(topP * 1_000) }),
          ...(seed === undefined ? {} : { seed })
        },
        ...usage,
        prices: {
          promptPerMTokens: String(prices.promptPerMTokens),
          cachedPromptPerMTokens: String(prices.cachedPromptPerMTokens),
          completionPerMTokens: String(prices.completionPerMTokens)
        },
        cost: String(tokenCost(prices, usage)),
        channel: job.channel,
        openedLt: String(job.openedLt),
        finishReason: run.finishReason,
        startedAtMs: run.startedAtMs,
        endedAtMs: clock.nowMs(),
        providerPeerId: epoch.statement.peerId,
        clientPeerId: peerIdText(job.clientPeerId)
      },
      epoch.receiptKey
    )
  }
}
