import assert from 'node:assert/strict'
import { errorCode, PeerError } from '../../src/core/errors.ts'
import type { NanoTon } from '../../src/core/nano-ton.ts'
import { type TokenUsage, tokenCost } from '../../src/core/price.ts'
import {
  demandedAuthorization,
  initialAuthorization,
  type JobBounds,
  maxJobCost,
  nextAuthorization,
  type PayeeJob,
  type PayerChannelInfo,
  type PayerJob,
  PaymentRefusal
} from '../../src/payments/index.ts'
import { type ClientActor, DEPOSITS } from './client-actor.ts'
import { PRICES, type ProviderActor, WINDOW_TOKENS } from './provider-actor.ts'
import type { Village } from './village.ts'

/** How far a job came, also when one of the two dies. */
export interface JobProgress {
  tokens: number
  /** Price of what the client received. */
  received: NanoTon
}

const TOKENS_PER_SECOND = 40
const REQUEST_BYTES = 400
/** As a provider waits for a voucher, virtual milliseconds. */
const PATIENCE_MS = 15_000
const PAUSE_MS = 100

/**
 * A job's payments as both nodes make them, chunk by chunk, until its end or until something breaks.
 *
 * @returns `done`, or the code of what ended it
 */
export async function playJob(
  village: Village,
  client: ClientActor,
  provider: ProviderActor,
  jobId: string,
  progress: JobProgress
): Promise<string> {
  const bounds: JobBounds = {
    prices: PRICES,
    requestBytes: REQUEST_BYTES,
    windowTokens: WINDOW_TOKENS,
    maxCompletionTokens: 20 + village.random.below(600)
  }
  let run: JobPlay | undefined
  try {
    const info = await client.channels.ensure(provider.capacity, { ...DEPOSITS, room: maxJobCost(bounds) })
    const paying = client.payer.startJob(info.channel, { jobId, maxCost: maxJobCost(bounds) })
    run = new JobPlay({ village, client, provider, bounds, paying, info, progress })
    await run.play(jobId)
    return 'done'
  } catch (err) {
    const code = errorCode(err)
    if (code === undefined || err instanceof assert.AssertionError) {
      throw err
    }
    await run?.breakOff(err)
    return code
  }
}

interface JobPlayInit {
  village: Village
  client: ClientActor
  provider: ProviderActor
  bounds: JobBounds
  paying: PayerJob
  info: PayerChannelInfo
  progress: JobProgress
}

class JobPlay {
  readonly #init: JobPlayInit
  readonly #clientLife
  readonly #providerLife
  #usage: TokenUsage = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }
  #served: PayeeJob | undefined

  constructor(init: JobPlayInit) {
    this.#init = init
    this.#clientLife = init.client.life
    this.#providerLife = init.provider.life
  }

  async play(jobId: string): Promise<void> {
    const { random, time } = this.#init.village
    const { payee } = this.#init.provider
    const { channel, terms } = this.#init.info
    const voucher = await this.#init.paying.payUpTo(initialAuthorization(this.#init.bounds))
    await this.#link()
    await payee.admit(terms, this.#init.client.peerId)
    const served = await payee.startJob(channel, { jobId, peerId: this.#init.client.peerId, voucher })
    this.#served = served
    const total = 1 + random.below(this.#init.bounds.maxCompletionTokens)
    const cutAt = random.below(10) === 0 ? random.below(total) : total
    const promptTokens = 20 + random.below(200)
    while (this.#usage.completionTokens < total) {
      const fresh = Math.min(1 + random.below(12), total - this.#usage.completionTokens)
      await time.sleep((fresh * 1_000) / TOKENS_PER_SECOND)
      const next = { promptTokens, cachedPromptTokens: 0, completionTokens: this.#usage.completionTokens + fresh }
      await this.#deliver(served, next)
      if (this.#usage.completionTokens >= cutAt && cutAt < total) {
        throw new PeerError('LINK_CUT', 'The link was cut')
      }
      await this.#payAhead()
    }
    await served.end(served.charged, this.#usage)
    await this.#link()
    await this.#init.paying.end({ cost: this.#init.progress.received, usage: this.#usage, confirmed: true })
  }

  /** Each side books the end for itself, as far as it is still there. */
  async breakOff(cause: unknown): Promise<void> {
    if (errorCode(cause) === 'CHANNEL_RESYNC' && this.#clientLife?.killed === false) {
      await this.#init.client.channels.sync(this.#init.info).catch(() => undefined)
    }
    if (this.#providerLife?.killed === false) {
      await this.#served?.end(this.#served.charged, this.#usage)
    }
    if (this.#clientLife?.killed === false) {
      await this.#init.paying.end({ cost: this.#init.progress.received, usage: this.#usage, confirmed: false })
      if (cause instanceof PaymentRefusal) {
        await this.#init.client.payer.refresh(this.#init.info.channel).catch(() => undefined)
      }
    }
  }

  async #deliver(served: PayeeJob, next: TokenUsage): Promise<void> {
    const cost = tokenCost(PRICES, next)
    this.#requireBoth()
    if (!served.charge(cost)) {
      const amount = demandedAuthorization(this.#init.bounds, this.#usage.completionTokens, next)
      const voucher = await this.#init.paying.payUpTo(amount)
      await this.#link()
      await this.#init.provider.payee.accept(voucher)
      await this.#charge(served, cost)
    }
    await this.#link()
    this.#usage = next
    Object.assign(this.#init.progress, { tokens: next.completionTokens, received: cost })
    // Prepaid and not received: a window of tokens, on top of what the prompt turned out to be.
    const ahead = this.#init.paying.paid - this.#init.progress.received
    const window = tokenCost(PRICES, { promptTokens: 0, cachedPromptTokens: 0, completionTokens: WINDOW_TOKENS })
    assert.ok(ahead <= window, `${ahead} prepaid, a window is ${window}`)
  }

  /** Another job of the channel may have used this one's payment; its own next one makes up for it, or time runs out. */
  async #charge(served: PayeeJob, cost: NanoTon): Promise<void> {
    for (let waitedMs = 0; !served.charge(cost); waitedMs += PAUSE_MS) {
      if (waitedMs >= PATIENCE_MS) {
        throw new PeerError('VOUCHER_TIMEOUT', 'What was paid did not suffice')
      }
      await this.#init.village.time.sleep(PAUSE_MS)
      this.#requireBoth()
    }
  }

  async #payAhead(): Promise<void> {
    const amount = nextAuthorization(this.#init.bounds, this.#usage, this.#init.paying.paid)
    if (amount !== undefined) {
      const voucher = await this.#init.paying.payUpTo(amount)
      await this.#link()
      await this.#init.provider.payee.accept(voucher)
    }
  }

  /** The way from one to the other. */
  async #link(): Promise<void> {
    this.#requireBoth()
    await this.#init.village.time.sleep(10 + this.#init.village.random.below(60))
    this.#requireBoth()
  }

  #requireBoth(): void {
    this.#clientLife?.requireAlive()
    this.#providerLife?.requireAlive()
    if (this.#clientLife === undefined || this.#providerLife === undefined) {
      throw new PeerError('LINK_CUT', 'One of the two is not there')
    }
  }
}
