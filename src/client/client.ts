import { type AbortOptions, anySignal, throwIfAborted } from '../core/abort.ts'
import { fromHex } from '../core/bytes.ts'
import { CancelledError, CocoonError, errorCode, NetworkError, PeerError } from '../core/errors.ts'
import { minNano, type NanoTon } from '../core/nano-ton.ts'
import type { CandidateNeeds } from '../market/index.ts'
import type { Capacity } from '../mesh/index.ts'
import type { ChannelFinder, PayerChannelInfo } from '../payments/index.ts'
import { encodeJobRequest, type PrivacyMode } from '../wire/job-request.ts'
import { LIMITS } from '../wire/limits.ts'
import { announceJob, sealJob } from './announce-job.ts'
import { answer, type ReadyJob } from './answer.ts'
import { type AttestedPeer, AttestedPeers, expectModel } from './attested-peers.ts'
import { ClientChannels, type ClosedChannel } from './channels.ts'
import { type Candidate, findCandidates } from './directory.ts'
import type { AnswerEvent, AskRequest, ShownAttestation } from './events.ts'
import { OfferDesk } from './offer-desk.ts'
import { withOneMoreTry } from './one-more-try.ts'
import { patientLookup } from './patient-lookup.ts'
import type { ClientComponents, ClientInit } from './ports.ts'
import { type RecoveredChannel, resumeChannels } from './resume-channels.ts'
import { sealTarget } from './seal-target.ts'
import { type WarmSession, WarmSessions } from './warm-sessions.ts'

const DEFAULT_CANDIDATES = 2
const DEFAULT_DISCOVERY_TIMEOUT_MS = 10_000
const DEFAULT_OFFER_TIMEOUT_MS = 8_000
const DEFAULT_STALL_TIMEOUT_MS = 30_000
const DEFAULT_MAX_WINDOW_TOKENS = 32
const ANNOUNCE_ATTEMPTS = 3

/** The client role: finds attested providers, seals requests to them, pays for answers as they come. */
export class Client {
  readonly #components: ClientComponents
  readonly #init: ClientInit
  readonly #desk: OfferDesk
  readonly #peers: AttestedPeers
  readonly #channels: ClientChannels
  readonly #sessions: WarmSessions

  constructor(components: ClientComponents, init: ClientInit) {
    this.#components = components
    this.#init = init
    this.#desk = new OfferDesk(components)
    this.#peers = new AttestedPeers(components, init.policy)
    this.#channels = new ClientChannels(components)
    this.#sessions = new WarmSessions(components.clock)
  }

  async start(): Promise<void> {
    await this.#desk.start()
  }

  /** Providers that advertise the model, or any provider of a tier this client accepts; cheapest checks only, no attestation. */
  providers(
    query: { modelDigestHex?: string; tier?: string },
    options: AbortOptions & { timeoutMs?: number } = {}
  ): AsyncIterable<Capacity> {
    const { modelDigestHex, tier } = query
    return this.#components.mesh.findProviders(
      {
        ...(modelDigestHex === undefined ? {} : { modelDigest: fromHex(modelDigestHex, LIMITS.digestBytes) }),
        ...(tier === undefined ? {} : { tier })
      },
      { timeoutMs: options.timeoutMs ?? this.#discoveryTimeoutMs, signal: anySignal(options.signal) }
    )
  }

  /**
   * Asks the mesh a question (design §4). A provider that served this model a moment ago is asked directly; otherwise the
   * job is announced to attested candidates and the first offer that fits is taken.
   *
   * @throws {NetworkError} `NO_PROVIDERS`, `NO_USABLE_PROVIDER`, `NO_OFFER`
   * @throws {AttestationError} if no candidate could prove what it runs
   * @throws {MoneyError} if the channel cannot be opened or a limit would be passed
   * @throws {AnswerBrokenError} when the provider is lost during the answer, naming it and what was paid
   * @throws {CancelledError} `CANCELLED`
   */
  async *ask(request: AskRequest, options: AbortOptions = {}): AsyncGenerator<AnswerEvent> {
    const plaintext = encodeRequest(request, this.#privacyOf(request))
    const { signal } = options
    let begun = false
    const warm = this.#warmJob(request, plaintext)
    if (warm !== undefined) {
      try {
        for await (const event of this.#tryJob(request, warm, plaintext, signal)) {
          begun = true
          yield event
        }
        return
      } catch (err) {
        this.#coolDown(request.modelDigestHex, warm.peer.peerId, err)
        // Nothing of the answer came and the fault is the provider's: announcing the job costs the user nothing.
        if (begun || signal?.aborted === true || !isProviderFault(err)) {
          throw err
        }
      }
    }
    yield* this.#tryJob(request, await this.#announce(request, plaintext, signal), plaintext, signal)
  }

  /**
   * Opens (or finds) a channel to a provider ahead of the first question.
   *
   * @param deposit what must be left in it
   * @throws {MoneyError} `DEPOSIT_OVER_LIMIT`, `DEPOSIT_DAY_LIMIT`, and the errors of `PayerChannels.ensureChannel`
   */
  async openChannel(peerId: string, deposit?: NanoTon, options: AbortOptions = {}): Promise<PayerChannelInfo> {
    const capacity = await this.#capacityOf(peerId, options)
    // What is asked for is what is needed: above the limit it is refused, not cut down.
    const room = deposit ?? this.#init.deposit.default
    return this.#channels.ensure(capacity, { ...this.#depositPolicy(room), room }, options)
  }

  /**
   * What a provider's enclave shows of itself now, over a challenge of our own, and what the policy says to it.
   *
   * @throws what discovery and the connection throw; `PEER_SILENT`
   */
  async attestation(peerId: string, options: AbortOptions = {}): Promise<ShownAttestation> {
    const { mesh, clock } = this.#components
    const { addresses } = await this.#capacityOf(peerId, options)
    await mesh.connect(peerId, addresses, options)
    const { reply, challenge, verdict } = await this.#peers.show(peerId, options)
    const { statement, evidence, peerSignature } = reply
    const stored = { statement, evidence, peerSignature, challenge, fetchedAtMs: clock.nowMs() }
    return verdict.then(
      enclave => ({ stored, enclave }),
      (refusal: unknown) => ({ stored, refusal })
    )
  }

  /** Closes a channel together with its provider. */
  closeChannel(channel: string, options: AbortOptions = {}): Promise<ClosedChannel> {
    return this.#channels.close(channel, options)
  }

  /**
   * Looks for channels that this wallet opened and this node's ledger does not know, after the ledger was lost, and makes those
   * usable again whose providers can be found. Every other one can be closed alone. Only to be called when the user asks for
   * it: another node with the same wallet may be using them.
   *
   * @throws what the chain and discovery throw; calling it again goes on
   */
  async recoverChannels(finder: ChannelFinder, options: AbortOptions = {}): Promise<RecoveredChannel[]> {
    const { mesh, payer } = this.#components
    const found = await payer.recover(await finder.openedChannels(options), options)
    return resumeChannels(
      { mesh, channels: this.#channels, timeoutMs: this.#discoveryTimeoutMs },
      [...found.recovered, ...found.known.filter(({ state }) => state === 'recovered')],
      options
    )
  }

  /** One job with one provider. If our channel is all that is wrong, that is mended and the job tried once more. */
  #tryJob(
    request: AskRequest,
    job: ReadyJob,
    plaintext: Uint8Array,
    signal: AbortSignal | undefined
  ): AsyncIterable<AnswerEvent> {
    const { random, logger } = this.#components
    const provider = job.candidate.capacity
    const mend = async (err: unknown): Promise<boolean> => {
      const code = errorCode(err)
      throwIfAborted(signal)
      const mended = await this.#channels.mend(provider, code, signal === undefined ? {} : { signal })
      if (mended) {
        logger.info('job tried once more', { provider: provider.peerId, code })
      }
      return mended
    }
    return withOneMoreTry(this.#answer(request, job, plaintext, signal), mend, () => {
      const sealed = sealJob(random.bytes(LIMITS.jobIdBytes), plaintext, [job.peer], this.#init.suite)
      const again = { ...job, terms: lastingTerms(job.terms), sealed, warm: true }
      return this.#answer(request, again, plaintext, signal)
    })
  }

  async *#answer(
    request: AskRequest,
    job: ReadyJob,
    plaintext: Uint8Array,
    signal: AbortSignal | undefined
  ): AsyncGenerator<AnswerEvent> {
    const settings = {
      modelDigestHex: request.modelDigestHex,
      maxTokens: request.maxTokens,
      requestBytes: plaintext.byteLength,
      stallTimeoutMs: this.#init.stallTimeoutMs ?? DEFAULT_STALL_TIMEOUT_MS,
      depositPolicy: this.#depositPolicy(this.#init.deposit.default),
      maxWindowTokens: this.#init.maxWindowTokens ?? DEFAULT_MAX_WINDOW_TOKENS,
      privacy: this.#privacyOf(request)
    }
    const { candidate, peer } = job
    const release = this.#sessions.begin(peer.peerId)
    try {
      yield* answer({ ...this.#components, channels: this.#channels }, job, settings, signal)
    } finally {
      release()
    }
    this.#sessions.keep(request.modelDigestHex, { candidate, peer, terms: lastingTerms(job.terms) })
  }

  /** A provider that is merely busy stays warm; any other failure makes the next job start from its attestation. */
  #coolDown(modelDigestHex: string, peerId: string, err: unknown): void {
    const code = errorCode(err)
    this.#components.logger.info('warm job failed', { provider: peerId, code })
    if (code !== 'PROVIDER_BUSY') {
      this.#sessions.drop(modelDigestHex, peerId)
      this.#peers.forget(peerId)
    }
  }

  #warmJob(request: AskRequest, plaintext: Uint8Array): ReadyJob | undefined {
    const session = this.#sessions.find(request.modelDigestHex, request.provider)
    if (session === undefined) {
      return undefined
    }
    const jobId = this.#components.random.bytes(LIMITS.jobIdBytes)
    const sealed = sealJob(jobId, plaintext, [session.peer], this.#init.suite)
    return { ...session, sealed, warm: true }
  }

  /** Announces until someone offers: providers that were busy a moment ago may have a free place by then. */
  async #announce(request: AskRequest, plaintext: Uint8Array, signal: AbortSignal | undefined): Promise<ReadyJob> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#announceOnce(request, plaintext, signal)
      } catch (err) {
        if (errorCode(err) !== 'NO_OFFER' || attempt === ANNOUNCE_ATTEMPTS) {
          throw err
        }
        this.#components.logger.info('nobody offered', { attempt })
      }
    }
  }

  async #announceOnce(request: AskRequest, plaintext: Uint8Array, signal: AbortSignal | undefined): Promise<ReadyJob> {
    const { mesh, clock, random } = this.#components
    const candidates = await this.#candidates(request, signal)
    const attested = await this.#attest(candidates, request.modelDigestHex, signal)
    for (const { candidate } of attested) {
      this.#channels.greet(candidate.capacity.payment)
    }
    const sealed = sealJob(
      random.bytes(LIMITS.jobIdBytes),
      plaintext,
      attested.map(({ peer }) => peer),
      this.#init.suite
    )
    const timeoutMs = this.#init.offerTimeoutMs ?? DEFAULT_OFFER_TIMEOUT_MS
    const taken = await announceJob(mesh, this.#desk, sealed, {
      modelDigestHex: request.modelDigestHex,
      maxCompletionTokens: request.maxTokens,
      maxPrices: this.#init.maxPrices,
      tier: (attested[0] as AttestedCandidate).peer.enclave.tier,
      deadlineMs: clock.nowMs() + timeoutMs,
      timeoutMs,
      policy: { maxPrices: this.#init.maxPrices, maxDeposit: this.#init.deposit.max },
      ...(signal === undefined ? {} : { signal })
    })
    const { candidate, peer } = attested.find(one => one.peer.peerId === taken.peerId) as AttestedCandidate
    return { candidate, peer, terms: taken.offer, sealed, warm: false }
  }

  #capacityOf(peerId: string, options: AbortOptions): Promise<Capacity> {
    return patientLookup(() => this.#components.mesh.getCapacity(peerId, options), this.#components, options)
  }

  #candidates(request: AskRequest, signal: AbortSignal | undefined): Promise<Candidate[]> {
    const { mesh, chain } = this.#components
    const needs: CandidateNeeds = {
      tiers: this.#init.policy.acceptedTiers,
      maxPrices: this.#init.maxPrices,
      globalId: chain.globalId,
      ...(request.provider === undefined ? {} : { pinned: request.provider })
    }
    const find = (): Promise<Candidate[]> =>
      findCandidates(mesh, request.modelDigestHex, needs, {
        timeoutMs: this.#discoveryTimeoutMs,
        // One more than the job is sealed to, so that one that fails its attestation can be replaced.
        enough: this.#candidateCount + 1,
        running: peerId => this.#sessions.running(peerId),
        signal: anySignal(signal)
      })
    return patientLookup(find, this.#components, signal === undefined ? {} : { signal })
  }

  /** The best candidates whose enclaves attest to the model, all of one tier. */
  async #attest(
    candidates: readonly Candidate[],
    modelDigestHex: string,
    signal: AbortSignal | undefined
  ): Promise<AttestedCandidate[]> {
    const tried = await Promise.allSettled(
      candidates.slice(0, this.#candidateCount + 1).map(async candidate => {
        const { peerId, capacity } = candidate
        await this.#components.mesh.connect(peerId, capacity.addresses, { signal: anySignal(signal) })
        const peer = await this.#peers.attest(peerId, capacity.statementDigest, { signal: anySignal(signal) })
        expectModel(peer, modelDigestHex)
        sealTarget(peer, this.#init.suite ?? 'x25519')
        return { candidate, peer }
      })
    )
    throwIfAborted(signal)
    const attested = tried.filter(result => result.status === 'fulfilled').map(({ value }) => value)
    const best = attested[0]
    if (best === undefined) {
      const causes = tried.filter(result => result.status === 'rejected').map(({ reason }) => reason as unknown)
      // The one reason, where there is one: it says what to do better than a summary can.
      throw causes.length === 1 && causes[0] instanceof CocoonError
        ? causes[0]
        : new NetworkError(
            'NO_ATTESTED_PROVIDER',
            `None of ${tried.length} provider(s) could be reached and attested: ${causes.map(cause => errorCode(cause) ?? 'failed').join(', ')}`,
            { cause: causes[0] }
          )
    }
    return attested.filter(({ peer }) => peer.enclave.tier === best.peer.enclave.tier).slice(0, this.#candidateCount)
  }

  #depositPolicy(deposit: NanoTon) {
    const { max, challengeSeconds, topUpBelowPercent = 0 } = this.#init.deposit
    return { room: deposit, deposit: minNano(deposit, max), maxDeposit: max, challengeSeconds, topUpBelowPercent }
  }

  #privacyOf({ privacy }: AskRequest): PrivacyMode {
    return privacy ?? this.#init.privacy ?? 'standard'
  }

  get #candidateCount(): number {
    return this.#init.candidates ?? DEFAULT_CANDIDATES
  }

  get #discoveryTimeoutMs(): number {
    return this.#init.discoveryTimeoutMs ?? DEFAULT_DISCOVERY_TIMEOUT_MS
  }
}

interface AttestedCandidate {
  candidate: Candidate
  peer: AttestedPeer
}

function encodeRequest(request: AskRequest, privacy: PrivacyMode): Uint8Array {
  const { messages, maxTokens, temperature, topP, seed, stop } = request
  return encodeJobRequest({
    messages,
    maxTokens,
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(seed === undefined ? {} : { seed }),
    ...(stop === undefined ? {} : { stop }),
    ...(privacy === 'standard' ? {} : { privacy })
  })
}

/** What holds for a provider's next jobs too; the most a job costs is its own. */
function lastingTerms({ prices, windowTokens, minimumDeposit }: ReadyJob['terms']): WarmSession['terms'] {
  return { prices, windowTokens, minimumDeposit }
}

function isProviderFault(err: unknown): boolean {
  return (err instanceof PeerError || err instanceof NetworkError) && !(err instanceof CancelledError)
}
