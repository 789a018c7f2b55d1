import { ClientChannels } from '../../src/client/channels.ts'
import { JobRun } from '../../src/client/job-run.ts'
import { toHex } from '../../src/core/bytes.ts'
import { errorCode } from '../../src/core/errors.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import { systemRandom } from '../../src/core/random.ts'
import type { Mesh } from '../../src/mesh/index.ts'
import {
  type DepositPolicy,
  initialAuthorization,
  type JobBounds,
  maxJobCost,
  type PayerChannelInfo,
  PayerChannels,
  startPace
} from '../../src/payments/index.ts'
import { responseOpener } from '../../src/seal/index.ts'
import { PROTOCOLS } from '../../src/wire/protocols.ts'
import { until } from '../support/until.ts'
import { type ChannelFacts, payerFacts } from './channel-facts.ts'
import { CHALLENGE_SECONDS, MODEL_DIGEST, PRICES, PROVIDER_PEER, REQUEST_BYTES, WINDOW_TOKENS } from './job-terms.ts'
import { jobResponseKey } from './scripted-enclave.ts'
import { DEPOSIT_EXPIRY_MS, type SideParts } from './side-setup.ts'
import { SocketMesh } from './socket-mesh.ts'

/** Whom the payer pays, and how much it locks. */
export interface FundingWork {
  payeeKey: Uint8Array
  payeeAddress: string
  /** The least the payee asks for: raising it makes the payer top up. */
  minimumDeposit: bigint
  deposit: bigint
}

export interface JobWork {
  tokens: number
  /** Cancels after so many chunks. */
  cancelAfter?: number
}

/** A client's work, by the client's own code: channels, jobs, vouchers ahead, closes. */
export class PayerWork {
  readonly #payer: PayerChannels
  #mesh: SocketMesh | undefined
  #channels: ClientChannels | undefined
  readonly #parts: SideParts

  constructor(parts: SideParts) {
    this.#parts = parts
    const { ledger, chain, wallet, clock, logger, key } = parts
    this.#payer = new PayerChannels(
      { ledger, chain, clock, random: systemRandom, logger, key, payerAddress: wallet.address },
      { depositExpiryMs: DEPOSIT_EXPIRY_MS, pollMs: 25 }
    )
  }

  async start(): Promise<void> {
    await this.#payer.start()
  }

  async connect(port: number): Promise<void> {
    this.#mesh?.close()
    this.#mesh = await SocketMesh.connect(port, 'payer', PROVIDER_PEER)
    const mesh = this.#mesh as unknown as Mesh
    this.#channels = new ClientChannels({ mesh, payer: this.#payer, logger: this.#parts.logger })
  }

  /** Opens, or tops up, and agrees with the payee on what an earlier process left open. */
  async ensure(work: FundingWork, room = 0n): Promise<PayerChannelInfo> {
    const { payeeKey, payeeAddress } = work
    const payment = { payeeKey, payeeAddress, minimumDeposit: nanoTon(work.minimumDeposit), networks: [] }
    const policy: DepositPolicy = {
      room: nanoTon(room),
      deposit: nanoTon(work.deposit),
      maxDeposit: nanoTon(100_000_000_000n),
      challengeSeconds: CHALLENGE_SECONDS
    }
    return this.#open().ensure({ peerId: PROVIDER_PEER, payment }, policy)
  }

  /** Runs jobs at once; fails with the first failure, after all of them ended. */
  async jobs(work: FundingWork, jobs: readonly JobWork[]): Promise<void> {
    const caps = jobs.map(({ tokens }) => maxJobCost(bounds(tokens)))
    const channel = await this.ensure(
      work,
      caps.reduce<bigint>((sum, cap) => sum + cap, 0n)
    )
    const results = await Promise.allSettled(jobs.map(job => this.#job(channel, job)))
    const failed = results.find(result => result.status === 'rejected')
    if (failed !== undefined) {
      throw failed.reason
    }
  }

  /** Closes every open channel together with the payee. */
  async close(): Promise<void> {
    for (const { channel } of this.#unclosed()) {
      await this.#open()
        .close(channel)
        .catch((err: unknown) => ignoreClosed(err))
    }
  }

  async startClose(): Promise<void> {
    for (const { channel } of this.#unclosed()) {
      const { state } = await this.#parts.chain.readChannel(channel)
      await (state === 'open' ? this.#payer.startClose(channel) : this.#payer.refresh(channel))
    }
  }

  /** Waits for the challenge period to end, and gets the rest of the deposit. */
  async finish(): Promise<void> {
    const { chain } = this.#parts
    for (const { channel } of this.#unclosed()) {
      const { state, closeAtMs } = await chain.readChannel(channel)
      if (state === 'closing') {
        await until(async () => (await chain.tip()).timeMs >= closeAtMs)
        await this.#payer.finish(channel)
      } else {
        await this.#payer.refresh(channel)
      }
    }
  }

  facts(): ChannelFacts[] {
    return this.#payer.list().map(payerFacts)
  }

  #unclosed(): PayerChannelInfo[] {
    return this.#payer.list().filter(c => c.state === 'open' || c.state === 'closing')
  }

  #open(): ClientChannels {
    if (this.#channels === undefined) {
      throw new Error('Not connected')
    }
    return this.#channels
  }

  /** One job as the client runs it, from the first voucher to the books. */
  async #job(channel: PayerChannelInfo, { tokens, cancelAfter }: JobWork): Promise<void> {
    const jobId = systemRandom.bytes(16)
    const limits = bounds(tokens)
    const payerJob = this.#payer.startJob(channel.channel, { jobId: toHex(jobId), maxCost: maxJobCost(limits) })
    const cancel = new AbortController()
    let run: JobRun | undefined
    let confirmed = false
    try {
      const pace = startPace({ maxTokens: WINDOW_TOKENS })
      const firstVoucher = payerJob.payUpTo(initialAuthorization(limits, pace))
      firstVoucher.catch(() => undefined)
      const stream = await (this.#mesh as SocketMesh).open(PROVIDER_PEER, PROTOCOLS.job)
      const opener = responseOpener(jobResponseKey(jobId), jobId)
      run = new JobRun(
        { stream, opener, payerJob, payer: this.#payer },
        {
          peerId: PROVIDER_PEER,
          open: { jobId, channel: channel.terms, direct: direct(tokens) },
          firstVoucher,
          bounds: limits,
          pace,
          stallTimeoutMs: 8_000
        }
      )
      let chunks = 0
      for await (const event of run.events(cancel.signal)) {
        if (event.type === 'done') {
          confirmed = true
          await payerJob.end({ cost: run.cost, usage: run.usage, confirmed })
        } else if (++chunks === cancelAfter) {
          cancel.abort()
        }
      }
    } finally {
      if (!confirmed) {
        const usage = run?.usage ?? { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }
        await payerJob.end({ cost: run?.cost ?? payerJob.paid, usage, confirmed })
      }
    }
  }
}

function bounds(maxCompletionTokens: number): JobBounds {
  return { prices: PRICES, requestBytes: REQUEST_BYTES, windowTokens: WINDOW_TOKENS, maxCompletionTokens }
}

function direct(maxCompletionTokens: number) {
  return {
    modelDigest: MODEL_DIGEST,
    maxCompletionTokens,
    recipient: { hint: new Uint8Array(8), enc: new Uint8Array(32), wrappedKey: new Uint8Array(48) },
    body: { kind: 'inline' as const, sealedRequest: Uint8Array.of(1) }
  }
}

/** It was closed by a message whose answer an earlier process did not live to see. */
function ignoreClosed(err: unknown): void {
  if (errorCode(err) !== 'CHANNEL_CLOSED') {
    throw err
  }
}
