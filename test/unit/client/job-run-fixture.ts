import assert from 'node:assert/strict'
import { AnswerBrokenError } from '../../../src/client/failures.ts'
import { JobRun, type JobRunEvent } from '../../../src/client/job-run.ts'
import { minNano, nanoTon } from '../../../src/core/nano-ton.ts'
import { type TokenUsage } from '../../../src/core/price.ts'
import {
  type DepositPolicy,
  initialAuthorization,
  type JobBounds,
  maxJobCost,
  type Pace,
  type PayerJob
} from '../../../src/payments/index.ts'
import { ResponseKey, type ResponseSealer, responseOpener, responseSealer } from '../../../src/seal/index.ts'
import { encodeAnswerEvent } from '../../../src/wire/answer-event.ts'
import type { PrivacyMode } from '../../../src/wire/job-request.ts'
import { decodeJobUp, encodeJobDown, type JobDownMessage, type JobUpMessage } from '../../../src/wire/job-stream.ts'
import { PaymentPair, POLICY, PROVIDER, PROVIDER_PEER } from '../../support/payment-pair.ts'
import { type MemoryStream, streamPair } from '../../support/stream-pair.ts'

export const JOB_ID = new Uint8Array(16).fill(7)
export const WINDOW = 8
export const BOUNDS: JobBounds = {
  prices: {
    promptPerMTokens: nanoTon(1_000_000n),
    cachedPromptPerMTokens: nanoTon(500_000n),
    completionPerMTokens: nanoTon(2_000_000n)
  },
  requestBytes: 10,
  windowTokens: WINDOW,
  maxCompletionTokens: 40
}
export const DONE = { type: 'done', receipt: Uint8Array.of(1), receiptSignature: new Uint8Array(64) } as const

export function counts(completionTokens: number, promptTokens = 4, cachedPromptTokens = 0): TokenUsage {
  return { promptTokens, cachedPromptTokens, completionTokens }
}

/** A client's run and the provider's end of its stream, paid over a channel in memory. */
export class Bench extends PaymentPair {
  run!: JobRun
  job!: PayerJob
  provider!: MemoryStream
  readonly cancel = new AbortController()
  readonly events: JobRunEvent[] = []
  #sealer!: ResponseSealer
  #client!: MemoryStream

  async setUp(
    init: {
      bounds?: JobBounds
      stallTimeoutMs?: number
      laterBody?: Uint8Array
      policy?: DepositPolicy
      pace?: Pace
      privacy?: PrivacyMode
    } = {}
  ): Promise<this> {
    await this.start()
    const { bounds = BOUNDS, stallTimeoutMs = 5_000, laterBody, policy = POLICY, pace, privacy = 'standard' } = init
    const payee = { ...PROVIDER, minimumDeposit: minNano(PROVIDER.minimumDeposit, policy.deposit) }
    const { channel } = await this.payer.ensureChannel(payee, policy)
    const [client, provider] = streamPair()
    this.provider = provider
    this.#client = client
    const key = new ResponseKey(new Uint8Array(44).fill(3))
    this.#sealer = responseSealer(key, JOB_ID)
    this.job = this.payer.startJob(channel, { jobId: '07', maxCost: maxJobCost(bounds) })
    this.run = new JobRun(
      { stream: client, opener: responseOpener(key, JOB_ID), payerJob: this.job, payer: this.payer, clock: this.clock },
      {
        peerId: PROVIDER_PEER,
        open: { jobId: JOB_ID, channel: this.terms(channel) },
        firstVoucher: this.job.payUpTo(initialAuthorization(bounds)),
        bounds,
        stallTimeoutMs,
        privacy,
        ...(pace === undefined ? {} : { pace }),
        ...(laterBody === undefined ? {} : { laterBody })
      }
    )
    return this
  }

  /** Reads the answer to its end. */
  async read(): Promise<JobRunEvent[]> {
    for await (const event of this.run.events(this.cancel.signal)) {
      this.events.push(event)
    }
    return this.events
  }

  /** The next message from the client; undefined at its end. */
  async heard(): Promise<JobUpMessage | undefined> {
    const frame = await this.provider.read()
    return frame === undefined ? undefined : decodeJobUp(frame)
  }

  async say(message: JobDownMessage): Promise<void> {
    await this.provider.write(encodeJobDown(message))
  }

  async chunk(text: string, usage: TokenUsage): Promise<void> {
    await this.say({
      type: 'chunk',
      sealed: this.seal(encodeAnswerEvent({ type: 'text', text: Buffer.from(text) })),
      usage
    })
  }

  async end(usage: TokenUsage, finishReason = 'stop'): Promise<void> {
    await this.say({ type: 'chunk', sealed: this.seal(encodeAnswerEvent({ type: 'end', finishReason }), true), usage })
  }

  seal(bytes: Uint8Array, final = false): Uint8Array {
    return this.#sealer.seal(bytes, final)[0] ?? new Uint8Array()
  }

  get clientStream(): MemoryStream {
    return this.#client
  }

  text(): string {
    return this.events.map(event => (event.type === 'text' ? Buffer.from(event.bytes).toString() : '')).join('')
  }
}

export function broken(err: unknown, code: string): AnswerBrokenError {
  assert.ok(err instanceof AnswerBrokenError, String(err))
  assert.equal(err.code, code)
  assert.equal(err.broken.peerId, PROVIDER_PEER)
  return err
}

export async function failure(reading: Promise<unknown>): Promise<unknown> {
  try {
    await reading
  } catch (err) {
    return err
  }
  return assert.fail('it did not fail')
}
