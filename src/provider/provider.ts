import { setMaxListeners } from 'node:events'
import { toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { errorCode } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import type { TokenPrices } from '../core/price.ts'
import type { Random } from '../core/random.ts'
import { repeat } from '../core/repeat.ts'
import type { Enclave } from '../enclave/index.ts'
import type { Capacity, Mesh, MeshStream } from '../mesh/index.ts'
import type { PayeeChannels } from '../payments/index.ts'
import { LIMITS } from '../wire/limits.ts'
import { PROTOCOLS } from '../wire/protocols.ts'
import { AnnouncedJobs } from './announced-jobs.ts'
import { AttestService } from './attest-service.ts'
import { ChannelService } from './channel-service.ts'
import { EnclaveIdentity } from './enclave-identity.ts'
import { JobSession, type JobSessionInit } from './job-session.ts'
import { Slots } from './slots.ts'

export interface ProviderInit {
  prices: TokenPrices
  /** Least a channel must hold to be served on. */
  minimumDeposit: NanoTon
  /** Ed25519 key that agrees to cooperative closes, 32 bytes. */
  payeeKey: Uint8Array
  /** Where claims are paid to, raw address. */
  payeeAddress: string
  /** Completion tokens a client prepays at most. */
  windowTokens: number
  /**
   * How long a client may keep a job waiting, in milliseconds.
   * @default 15_000
   */
  patienceMs?: number
}

export interface ProviderComponents {
  logger: Logger
  clock: Clock
  random: Random
  mesh: Mesh
  enclave: Enclave
  payee: PayeeChannels
  evidence: ConstructorParameters<typeof EnclaveIdentity>[0]['evidence']
  chain: { globalId: number; tip: ConstructorParameters<typeof EnclaveIdentity>[0]['chain']['tip'] }
}

const RECORD_LIFE_MS = 10 * 60_000
const HEARTBEAT_MS = 15_000
const OFFER_TTL_MS = 5_000
// The client may have to open its channel first, which takes the chain's time.
const ACCEPTED_TTL_MS = 60_000
const DEFAULT_PATIENCE_MS = 15_000

/** The provider role: advertises the enclave's capacity, offers for jobs, relays sealed answers as they are paid for. */
export class Provider {
  readonly #components: ProviderComponents
  readonly #init: ProviderInit
  readonly #session: JobSessionInit
  readonly #slots: Slots
  readonly #identity: EnclaveIdentity
  readonly #announced: AnnouncedJobs
  readonly #attest: AttestService
  readonly #channels: ChannelService
  readonly #stopped = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #unsubscribe: (() => void) | undefined
  #onPublished: (() => void) | undefined

  constructor(components: ProviderComponents, init: ProviderInit) {
    const { enclave } = components
    this.#components = components
    this.#init = init
    // Every job under way listens.
    setMaxListeners(0, this.#stopped.signal)
    this.#slots = new Slots(enclave.info.slots, components.clock)
    this.#identity = new EnclaveIdentity(components)
    this.#session = {
      modelDigest: enclave.info.model.digest,
      prices: init.prices,
      windowTokens: init.windowTokens,
      patienceMs: init.patienceMs ?? DEFAULT_PATIENCE_MS
    }
    this.#announced = new AnnouncedJobs(
      { ...components, slots: this.#slots, identity: this.#identity },
      {
        ...this.#session,
        minimumDeposit: init.minimumDeposit,
        offerTtlMs: OFFER_TTL_MS,
        acceptedTtlMs: ACCEPTED_TTL_MS,
        expectedTtftMs: Math.ceil(2_000 / Math.max(1, enclave.info.tokensPerSecond))
      }
    )
    this.#attest = new AttestService({ clock: components.clock, identity: this.#identity }, this.#session)
    this.#channels = new ChannelService(components)
  }

  get slots(): { free: number; total: number } {
    return { free: this.#slots.free, total: this.#slots.total }
  }

  /** What the enclave's evidence proves. Known after `start`. */
  get tier(): string {
    return this.#identity.current.tier
  }

  /** Resolves after the capacity record was read back from the DHT for the first time. */
  readonly published = new Promise<void>(resolve => {
    this.#onPublished = resolve
  })

  /** Attests the enclave, answers its protocols and begins to advertise. Advertising goes on by itself until it succeeds. */
  async start(): Promise<void> {
    const { mesh, logger, enclave } = this.#components
    const stop = this.#stopped.signal
    await this.#identity.refresh({ signal: stop })
    await mesh.handle(
      PROTOCOLS.attest,
      (stream, peer) => this.#track(this.#attest.serve(stream, peer.id, stop), peer.id),
      { maxFrameBytes: LIMITS.attestReplyBytes }
    )
    await mesh.handle(PROTOCOLS.job, (stream, peer) => this.#track(this.#serve(stream, peer.id), peer.id), {
      maxFrameBytes: LIMITS.jobFrameBytes
    })
    await mesh.handle(
      PROTOCOLS.channel,
      (stream, peer) => this.#track(this.#channels.serve(stream, peer.id, stop), peer.id),
      { maxFrameBytes: LIMITS.channelFrameBytes }
    )
    this.#unsubscribe = mesh.onAnnouncement(
      toHex(enclave.info.model.digest),
      (_from, bytes) => this.#announced.validate(bytes),
      (from, bytes) => void this.#track(this.#announced.consider(from, bytes), from)
    )
    repeat(() => this.#publish(), {
      pauseMs: failures => this.#publishPauseMs(failures),
      signal: stop,
      onError: err => logger.warn('capacity not published', { code: errorCode(err) })
    })
    repeat(() => this.#beat(), {
      pauseMs: () => HEARTBEAT_MS * (0.8 + (0.4 * (this.#components.random.bytes(1)[0] ?? 0)) / 255),
      signal: stop,
      onError: err => logger.debug('heartbeat not sent', { code: errorCode(err) })
    })
  }

  /** Takes no new job, ends running ones, and waits for them. */
  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#announced.stop()
    this.#stopped.abort()
    await Promise.allSettled(this.#running)
  }

  #publishes = 0

  /**
   * At once, then twice in a record's life. Until the first success every attempt is followed by the next, because each
   * of them waits for a peer that can keep the record; a later failure is made good after 1 s, 2 s, … 60 s.
   */
  #publishPauseMs(failures: number): number {
    if (this.#publishes === 0) {
      return failures === 0 ? 0 : 1_000
    }
    return failures === 0 ? RECORD_LIFE_MS / 2 : Math.min(60_000, 500 * 2 ** failures)
  }

  async #publish(): Promise<void> {
    const { mesh } = this.#components
    if (this.#identity.isAging()) {
      await this.#identity.refresh({ signal: this.#stopped.signal })
    }
    await mesh.publishCapacity(this.#capacity(), { signal: this.#stopped.signal })
    this.#publishes++
    this.#onPublished?.()
  }

  async #beat(): Promise<void> {
    await this.#components.mesh.publishHeartbeat({ slotsFree: this.#slots.free, prices: this.#init.prices })
  }

  #capacity(): Capacity {
    const { mesh, clock, enclave, chain } = this.#components
    const { model, devices, backend, tokensPerSecond } = enclave.info
    const now = clock.nowMs()
    return {
      peerId: mesh.peerId,
      addresses: mesh.addresses(),
      models: [{ ...model, tokensPerSecond }],
      gpus: devices.filter(device => device.vramTotalBytes > 0),
      backend,
      slotsTotal: this.#slots.total,
      slotsFree: this.#slots.free,
      prices: this.#init.prices,
      tier: this.#identity.current.tier,
      statementDigest: this.#identity.current.digest,
      payment: {
        payeeKey: this.#init.payeeKey,
        payeeAddress: this.#init.payeeAddress,
        minimumDeposit: this.#init.minimumDeposit,
        networks: [chain.globalId]
      },
      sequence: BigInt(now),
      expiresAtMs: now + RECORD_LIFE_MS
    }
  }

  async #serve(stream: MeshStream, peerId: string): Promise<void> {
    const components = { ...this.#components, slots: this.#slots, announced: this.#announced }
    await new JobSession(components, this.#session, stream, peerId).serve(this.#stopped.signal)
  }

  // What a stranger causes ends here: one quiet line, never an unhandled rejection.
  async #track(work: Promise<void>, peerId: string): Promise<void> {
    const quiet = work.catch((err: unknown) => {
      this.#components.logger.debug('exchange ended early', { peer: peerId, code: errorCode(err) })
    })
    this.#running.add(quiet)
    await quiet
    this.#running.delete(quiet)
  }
}
