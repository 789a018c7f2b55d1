import assert from 'node:assert/strict'
import { type AbortOptions, withTimeLimit } from '../../../src/core/abort.ts'
import { toHex } from '../../../src/core/bytes.ts'
import { CancelledError } from '../../../src/core/errors.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { type NanoTon, nanoTon } from '../../../src/core/nano-ton.ts'
import type { EnclaveEvent, EnclaveJob, EnclaveRun } from '../../../src/enclave/index.ts'
import { encodeVoucher, type PayerJob } from '../../../src/payments/index.ts'
import { AnnouncedJobs } from '../../../src/provider/announced-jobs.ts'
import { JobSession } from '../../../src/provider/job-session.ts'
import { Slots } from '../../../src/provider/slots.ts'
import { type SealedBody } from '../../../src/wire/announcement.ts'
import { decodeJobDown, encodeJobUp, type JobDownMessage, type JobUpMessage } from '../../../src/wire/job-stream.ts'
import { encodeOfferAnswer } from '../../../src/wire/offer.ts'
import { amount, PaymentPair, POLICY, PROVIDER } from '../../support/payment-pair.ts'
import { type MemoryStream, streamPair } from '../../support/stream-pair.ts'
import { CLIENT_PEER_ID } from '../attest/fixtures.ts'
import { FakeAttester, HPKE_KEY, MODEL_DIGEST, PRICES, recipientOf } from './provider-fixture.ts'

export const JOB_ID = new Uint8Array(16).fill(7)
export const WINDOW = 8
export const RECEIPT = { receipt: Uint8Array.of(1, 2), receiptSignature: new Uint8Array(64) }

/** An enclave that sends what the test says: completion tokens of each chunk, cumulative, then the receipt. */
export class FakeEnclave {
  readonly jobs: EnclaveJob[] = []
  readonly grants: number[] = []
  chunks: number[] = [4, 8]
  cancelled = false
  promptTokens = 3
  /** Waits before each event. */
  before: () => Promise<void> = async () => undefined
  failure: Error | undefined

  run(job: EnclaveJob, { signal }: AbortOptions = {}): EnclaveRun {
    this.jobs.push(job)
    this.cancelled = false
    return {
      grant: total => void this.grants.push(total),
      cancel: () => {
        this.cancelled = true
      },
      [Symbol.asyncIterator]: () => this.#events(signal)
    }
  }

  async *#events(signal: AbortSignal | undefined): AsyncGenerator<EnclaveEvent> {
    const ended = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(new CancelledError()), { once: true })
    })
    ended.catch(() => undefined)
    for (const completionTokens of this.chunks) {
      await Promise.race([this.before(), ended])
      if (this.cancelled) {
        break
      }
      yield {
        type: 'chunk',
        sealed: Uint8Array.of(completionTokens),
        promptTokens: this.promptTokens,
        cachedPromptTokens: 0,
        completionTokens
      }
    }
    if (this.failure !== undefined) {
      throw this.failure
    }
    yield { type: 'ended', ...RECEIPT, finishReason: 'stop' }
  }
}

interface Opening {
  direct?: boolean
  body?: SealedBody
  jobId?: Uint8Array
  modelDigest?: Uint8Array
  first?: NanoTon
}

/** A provider's session and the client's end of its stream. */
export class Bench extends PaymentPair {
  readonly enclave = new FakeEnclave()
  readonly attester = new FakeAttester()
  slots!: Slots
  announced!: AnnouncedJobs
  channel = ''
  paying!: PayerJob
  client!: MemoryStream
  patienceMs = 2_000
  prices = PRICES
  timeLimit: typeof withTimeLimit = withTimeLimit
  readonly stop = new AbortController()

  async setUp(places = 1): Promise<this> {
    await this.start()
    this.channel = (await this.payer.ensureChannel(PROVIDER, POLICY)).channel
    this.paying = this.payer.startJob(this.channel, { jobId: toHex(JOB_ID), maxCost: amount(1_000_000) })
    this.slots = new Slots(places, this.attester.clock)
    const identity = this.attester.identity()
    await identity.refresh()
    this.announced = new AnnouncedJobs(
      {
        logger: silentLogger,
        clock: this.attester.clock,
        slots: this.slots,
        identity,
        mesh: {
          open: async () => {
            const [provider, client] = streamPair()
            await client.write(encodeOfferAnswer({ accepted: true, reason: '' }))
            await client.close()
            return provider
          }
        }
      },
      {
        modelDigest: MODEL_DIGEST,
        prices: this.prices,
        minimumDeposit: nanoTon(500n),
        windowTokens: WINDOW,
        offerTtlMs: 5_000,
        acceptedTtlMs: 60_000,
        expectedTtftMs: 1
      }
    )
    return this
  }

  /** Starts a session; resolves when it is over. `client` is the other end. */
  serve(peerId = CLIENT_PEER_ID): Promise<void> {
    const [client, provider] = streamPair()
    this.client = client
    const { slots, announced, enclave, payee } = this
    const components = { logger: silentLogger, clock: this.attester.clock, slots, announced, enclave, payee }
    const { prices, patienceMs, timeLimit } = this
    const init = { modelDigest: MODEL_DIGEST, prices, windowTokens: WINDOW, patienceMs, timeLimit }
    return new JobSession(components, init, provider, peerId).serve(this.stop.signal)
  }

  async begin({
    direct = true,
    body,
    jobId = JOB_ID,
    modelDigest = MODEL_DIGEST,
    first = amount(WINDOW)
  }: Opening = {}): Promise<void> {
    const { client } = this
    const voucher = encodeVoucher(await this.paying.payUpTo(first))
    const work = {
      modelDigest,
      maxCompletionTokens: 1_000,
      recipient: recipientOf(HPKE_KEY, jobId),
      body: body ?? { kind: 'inline' as const, sealedRequest: Uint8Array.of(9) }
    }
    const channel = this.terms(this.channel)
    await client.write(encodeJobUp({ type: 'open', jobId, channel, voucher, ...(direct ? { direct: work } : {}) }))
  }

  async send(message: JobUpMessage): Promise<void> {
    await this.client.write(encodeJobUp(message))
  }

  async pay(total: NanoTon): Promise<void> {
    await this.send({ type: 'voucher', voucher: encodeVoucher(await this.paying.payUpTo(total)) })
  }

  async next(): Promise<JobDownMessage | undefined> {
    const frame = await this.client.read()
    return frame === undefined ? undefined : decodeJobDown(frame)
  }

  /** Reads on until the stream ends. */
  async rest(): Promise<JobDownMessage[]> {
    const messages: JobDownMessage[] = []
    for (let message = await this.next(); message !== undefined; message = await this.next()) {
      messages.push(message)
    }
    return messages
  }

  /** The session must end with this refusal, its place free and its job off the books. */
  async refused(session: Promise<void>, code: string): Promise<Extract<JobDownMessage, { type: 'failed' }>> {
    await session
    const last = (await this.rest()).at(-1)
    assert.ok(last?.type === 'failed', `ended with ${last?.type ?? 'nothing'}`)
    assert.equal(last.code, code)
    assert.equal(this.slots.free, this.slots.total)
    assert.ok(this.payee.list().every(({ runningJobs }) => runningJobs === 0))
    return last
  }
}
