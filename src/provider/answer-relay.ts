import { PeerError } from '../core/errors.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import { type TokenPrices, type TokenUsage, tokenCost } from '../core/price.ts'
import type { EnclaveRun } from '../enclave/index.ts'
import type { PayeeJob } from '../payments/index.ts'
import type { JobDownMessage } from '../wire/job-stream.ts'
import { countedUsage } from './job-price.ts'
import type { UnpaidPrompt } from './unpaid-prompts.ts'

export interface AnswerRelayInit {
  prices: TokenPrices
  windowTokens: number
  /** The most the job may cost: what was offered. */
  maxCost: NanoTon
  patienceMs: number
}

export interface AnswerRelayComponents {
  job: PayeeJob
  prompt: UnpaidPrompt
  /** Fires when the job is to end, whoever wants it. */
  stop: AbortSignal
  /** Bounds a wait for the client, which `stop` ends too. */
  patiently: <T>(wait: (limit: AbortSignal) => Promise<T>) => Promise<T>
  send: (message: JobDownMessage) => Promise<void>
  close: () => Promise<void>
  /** Whether it was the client that made an end: it went, or broke the rules. */
  clientEnded: () => boolean
}

/** Chunks down, each after it is paid for; the receipt after the books are closed. */
export class AnswerRelay {
  readonly #components: AnswerRelayComponents
  readonly #init: AnswerRelayInit
  #usage: TokenUsage = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }

  constructor(components: AnswerRelayComponents, init: AnswerRelayInit) {
    this.#components = components
    this.#init = init
  }

  /** Returns what the answer cost. However it ends, the job is over in the books. */
  async run(run: EnclaveRun): Promise<NanoTon> {
    const { job, prompt, stop, clientEnded } = this.#components
    let enclaveFailed = false
    try {
      for await (const event of tellFailure(run, () => (enclaveFailed = true))) {
        if (event.type === 'ended') {
          await this.#finish(event)
          break
        }
        const next = countedUsage(event, this.#usage)
        await this.#awaitPayment(next)
        prompt.paid()
        this.#usage = next
        await this.#components.send({ type: 'chunk', sealed: event.sealed, usage: next })
        run.grant(next.completionTokens + this.#init.windowTokens)
      }
    } catch (err) {
      if (clientEnded() || !(enclaveFailed || stop.aborted)) {
        prompt.lost()
      }
      throw err
    } finally {
      run.cancel()
      await job.end(job.charged, this.#usage)
    }
    return tokenCost(this.#init.prices, this.#usage)
  }

  async #finish({ receipt, receiptSignature }: { receipt: Uint8Array; receiptSignature: Uint8Array }): Promise<void> {
    const { job, send, close } = this.#components
    await job.end(job.charged, this.#usage)
    await send({ type: 'done', receipt, receiptSignature })
    await close()
  }

  async #awaitPayment(usage: TokenUsage): Promise<void> {
    const { job, send, patiently, stop } = this.#components
    const { prices, maxCost, patienceMs } = this.#init
    const cost = tokenCost(prices, usage)
    if (cost > maxCost) {
      throw new PeerError(
        'OFFER_EXCEEDED',
        `The job would cost ${cost} nanotons: it was offered for ${maxCost} at most`
      )
    }
    if (job.charge(cost)) {
      return
    }
    await send({ type: 'need-voucher', cumulative: job.required(cost), usage })
    // Only now: however long the enclave took, the client owed nothing yet.
    await patiently(async limit => {
      try {
        await job.chargeWhenPaid(cost, { signal: limit })
      } catch (err) {
        throw limit.aborted && !stop.aborted
          ? new PeerError('VOUCHER_TIMEOUT', `No voucher came within ${patienceMs} ms`, { cause: err })
          : err
      }
    })
  }
}

/** The same events; `onFailure` is called if their source throws, as against whoever reads them. */
async function* tellFailure<T>(events: AsyncIterable<T>, onFailure: () => void): AsyncGenerator<T> {
  try {
    yield* events
  } catch (err) {
    onFailure()
    throw err
  }
}
