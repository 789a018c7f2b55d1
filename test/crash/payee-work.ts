import { nanoTon } from '../../src/core/nano-ton.ts'
import type { MeshStream } from '../../src/mesh/index.ts'
import { PayeeChannels } from '../../src/payments/index.ts'
import { AnnouncedJobs } from '../../src/provider/announced-jobs.ts'
import { ChannelService } from '../../src/provider/channel-service.ts'
import { JobSession } from '../../src/provider/job-session.ts'
import { Slots } from '../../src/provider/slots.ts'
import { PROTOCOLS } from '../../src/wire/protocols.ts'
import { type ChannelFacts, payeeFacts } from './channel-facts.ts'
import { CLIENT_PEER, MODEL_DIGEST, PRICES, WINDOW_TOKENS } from './job-terms.ts'
import { ScriptedEnclave } from './scripted-enclave.ts'
import type { SideParts } from './side-setup.ts'
import { type ProtocolHandler, SocketMesh } from './socket-mesh.ts'

/** Blocks come every few milliseconds here, and so do top-ups. */
const REREAD_MS = 50
const MINIMUM_DEPOSIT = nanoTon(100_000_000n)
/**
 * More than is ever signed here: under a challenge period of two seconds a look at the chain is old after a fifth of one,
 * which a busy machine may take for it.
 */
const BLIND_EXPOSURE = nanoTon(100_000_000_000n)

/** A provider's work, by the provider's own code: jobs, vouchers, claims, closes. */
export class PayeeWork {
  readonly #parts: SideParts
  readonly #payee: PayeeChannels
  readonly #slots: Slots
  readonly #enclave = new ScriptedEnclave()
  #mesh: SocketMesh | undefined

  constructor(parts: SideParts) {
    this.#parts = parts
    const { ledger, chain, wallet, clock, logger, key } = parts
    this.#slots = new Slots(8, clock)
    this.#payee = new PayeeChannels(
      { ledger, chain, clock, logger, key, payeeAddress: wallet.address },
      {
        minimumDeposit: MINIMUM_DEPOSIT,
        minimumChallengeSeconds: 1,
        rereadMs: REREAD_MS,
        blindExposure: BLIND_EXPOSURE
      }
    )
  }

  async start(): Promise<void> {
    await this.#payee.start()
  }

  async connect(port: number): Promise<void> {
    this.#mesh?.close()
    const handlers = new Map<string, ProtocolHandler>([
      [PROTOCOLS.job, (stream, peerId, lost) => this.#serveJob(stream, peerId, lost)],
      [PROTOCOLS.channel, (stream, peerId, lost) => this.#serveChannel(stream, peerId, lost)]
    ])
    this.#mesh = await SocketMesh.connect(port, 'payee', CLIENT_PEER, handlers)
  }

  facts(): ChannelFacts[] {
    return this.#payee.list().map(payeeFacts)
  }

  async claim(): Promise<void> {
    for (const { channel, state } of this.#payee.list()) {
      await (state === 'closed' ? undefined : this.#payee.claim(channel))
    }
  }

  /** Looks at the chain, and claims where a channel is being closed. */
  async watch(): Promise<void> {
    for (const { channel, state } of this.#payee.list()) {
      const seen = state === 'closed' ? undefined : await this.#payee.refresh(channel)
      await (seen?.state === 'closing' ? this.#payee.claim(channel) : undefined)
    }
  }

  #serveJob(stream: MeshStream, peerId: string, lost: AbortSignal): Promise<void> {
    const { clock, logger } = this.#parts
    const components = { logger, clock, slots: this.#slots, announced: NOTHING_ANNOUNCED, enclave: this.#enclave }
    const init = { modelDigest: MODEL_DIGEST, prices: PRICES, windowTokens: WINDOW_TOKENS, patienceMs: 4_000 }
    return new JobSession({ ...components, payee: this.#payee }, init, stream, peerId).serve(lost)
  }

  #serveChannel(stream: MeshStream, peerId: string, lost: AbortSignal): Promise<void> {
    return new ChannelService({ logger: this.#parts.logger, payee: this.#payee }).serve(stream, peerId, lost)
  }
}

/** Every job here comes directly, on the warm path. */
const NOTHING_ANNOUNCED = { take: () => undefined } as unknown as AnnouncedJobs
