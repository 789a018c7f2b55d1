import { randomBytes } from 'node:crypto'
import { CHALLENGE_BYTES, reportData } from '../attest/report-data.ts'
import type { Beacon } from '../attest/statement.ts'
import { sha256, toHex } from '../core/bytes.ts'
import { canonicalJson } from '../core/canonical-json.ts'
import type { Clock } from '../core/clock.ts'
import { EnvironmentError, PeerError } from '../core/errors.ts'
import { type Engine, type GpuChoice, type LlamaEngineInit, measureSpeed } from '../inference/index.ts'
import {
  type AttestEnclave,
  EnclaveReply,
  EnclaveRequest,
  type LoadModel,
  type RunJob
} from '../wire/generated/enclave.ts'
import { Epochs } from './epoch.ts'
import { EVIDENCE_KINDS, type EvidenceKind, type EvidenceSource, type EvidenceSourceInit } from './evidence/source.ts'
import { peerIdText } from './peer-id-text.ts'
import { SealedJob } from './sealed-job.ts'
import { toFault, toJobFault, type WireFault } from './wire-fault.ts'

export interface EnclaveProgramComponents {
  clock: Clock
  openEngine(init: LlamaEngineInit): Promise<Engine>
  openEvidence(init: EvidenceSourceInit): Promise<EvidenceSource>
  /** Hands an encoded `EnclaveReply` to the host. */
  send(reply: Uint8Array): void
}

export interface EnclaveProgramInit {
  software: { version: string /** 32 bytes. */; bundleDigest: Uint8Array }
}

type Reply = Partial<Omit<EnclaveReply, 'id'>>

/** Jobs held at a time, waiting ones included; a host that keeps to its slots never comes near. */
const MAX_JOBS = 512
/** Bytes of all sealed requests held at a time. What is made of one in the enclave is a small multiple of it. */
const MAX_HELD_BYTES = 64 * 1024 * 1024

const GPU_CHOICES: readonly string[] = ['auto', 'cuda', 'vulkan', 'metal', 'off']

/** The trusted program behind its pipe: every request of the host comes in through {@link handle}. */
export class EnclaveProgram {
  readonly #components: EnclaveProgramComponents
  readonly #init: EnclaveProgramInit
  readonly #epochs: Epochs
  readonly #bootId = toHex(randomBytes(16))
  readonly #jobs = new Map<number, SealedJob>()
  #heldBytes = 0
  #engine: Engine | undefined
  #evidence: EvidenceSource | undefined
  #loading = false
  #configDigest = ''
  #tokensPerSecond = 1

  constructor(components: EnclaveProgramComponents, init: EnclaveProgramInit) {
    this.#components = components
    this.#init = init
    this.#epochs = new Epochs(components.clock)
  }

  /** Serves one encoded `EnclaveRequest`. Never throws: what fails is answered under the request's id. */
  handle(bytes: Uint8Array): void {
    let request: EnclaveRequest
    try {
      request = EnclaveRequest.decode(bytes)
    } catch {
      this.#fail(0, toFault(new PeerError('MESSAGE_MALFORMED', 'The enclave got a message that is none')))
      return
    }
    const { id } = request
    if (request.grant !== undefined) {
      this.#jobs.get(id)?.grant(request.grant.completionTokens)
    } else if (request.cancel !== undefined) {
      this.#jobs.get(id)?.cancel()
    } else if (request.run !== undefined) {
      void this.#run(id, request.run)
    } else {
      void this.#answer(id, request)
    }
  }

  async #answer(id: number, request: EnclaveRequest): Promise<void> {
    try {
      this.#reply(id, await this.#serve(request))
    } catch (err) {
      this.#fail(id, toFault(err))
    }
  }

  async #serve({ load, attest, inspect }: EnclaveRequest): Promise<Reply> {
    if (load !== undefined) {
      return this.#load(load)
    }
    if (attest !== undefined) {
      return this.#attest(attest)
    }
    if (inspect !== undefined) {
      return { inspection: { rssBytes: BigInt(process.memoryUsage.rss()), running: this.#jobs.size } }
    }
    throw new PeerError('MESSAGE_MALFORMED', 'The enclave got an empty request')
  }

  async #load({ path, threads, slots, gpu, contextTokens, evidence, gpuCommand }: LoadModel): Promise<Reply> {
    if (this.#loading) {
      throw new EnvironmentError('ENCLAVE_LOADED', 'This enclave has a model already: start another for another model')
    }
    this.#loading = true
    // First: a machine that cannot prove what it is asked to prove need not read a model.
    this.#evidence = await this.#components.openEvidence({
      kind: evidenceKind(evidence),
      bundleDigest: this.#init.software.bundleDigest,
      ...(gpuCommand === '' ? {} : { gpuCommand })
    })
    const engine = await this.#components.openEngine({
      modelPath: path,
      gpu: gpuChoice(gpu),
      ...(threads === 0 ? {} : { threads }),
      ...(slots === 0 ? {} : { slots }),
      ...(contextTokens === 0 ? {} : { contextTokens })
    })
    // The self-test of design §3: only a model that answered is ever advertised.
    const { tokensPerSecond, firstTokenMs } = await measureSpeed(engine)
    this.#engine = engine
    this.#tokensPerSecond = Math.max(1, tokensPerSecond)
    this.#configDigest = toHex(sha256(canonicalJson(settingsOf(engine))))
    const { model, backend, devices } = engine
    return {
      loaded: {
        name: model.name,
        digest: model.digest,
        contextTokens: model.contextTokens,
        quantization: model.quantization,
        parameters: BigInt(model.parameters),
        hasChatTemplate: model.hasChatTemplate,
        threads: engine.threads,
        slots: engine.slots,
        backend,
        tokensPerSecond: Math.max(1, Math.round(tokensPerSecond)),
        firstTokenMs: Math.ceil(firstTokenMs),
        devices: devices.map(({ name, vramTotalBytes, vramFreeBytes }) => ({
          name,
          vramTotalBytes: BigInt(vramTotalBytes),
          vramFreeBytes: BigInt(vramFreeBytes)
        })),
        bundleDigest: this.#init.software.bundleDigest
      }
    }
  }

  async #attest({ peerId, globalId, beaconHeight, beaconHash, challenge }: AttestEnclave): Promise<Reply> {
    const engine = this.#requireEngine()
    const source = this.#evidence as EvidenceSource
    if (challenge.byteLength !== 0 && challenge.byteLength !== CHALLENGE_BYTES) {
      throw new PeerError(
        'MESSAGE_MALFORMED',
        `A challenge of ${challenge.byteLength} bytes: expected ${CHALLENGE_BYTES} or none`
      )
    }
    const { version, bundleDigest } = this.#init.software
    const beacon: Beacon = { globalId, height: beaconHeight, hash: toHex(beaconHash) }
    const facts = {
      tier: source.tier,
      peerId: peerIdText(peerId),
      modelDigests: [toHex(engine.model.digest)],
      configDigest: this.#configDigest,
      software: { version, bundleDigest: toHex(bundleDigest) },
      bootId: this.#bootId,
      beacon
    }
    const { gpuProofs } = source
    const epoch =
      gpuProofs === undefined ? this.#epochs.current(facts) : await this.#epochs.currentWithGpus(facts, gpuProofs)
    const freshness = challenge.byteLength === 0 ? epoch.statement.beacon : challenge
    const evidence = await source.make(reportData(epoch.statementBytes, freshness), epoch.gpuProofs)
    return { attested: { statement: epoch.statementBytes, evidence, xwingKey: epoch.keys.xwing.keyPair.publicKey } }
  }

  async #run(id: number, request: RunJob): Promise<void> {
    try {
      if (this.#jobs.has(id)) {
        throw new PeerError('MESSAGE_MALFORMED', `A job is running under id ${id}`)
      }
      const { byteLength } = request.sealedRequest
      this.#requireRoom(byteLength)
      const job = new SealedJob(
        {
          clock: this.#components.clock,
          engine: this.#requireEngine(),
          tokensPerSecond: this.#tokensPerSecond,
          ...this.#epochs.addressed(request.jobId, request.hint),
          send: (sealed, usage) => this.#reply(id, { chunk: { sealed, ...usage } })
        },
        request
      )
      this.#jobs.set(id, job)
      this.#heldBytes += byteLength
      try {
        const { bytes, signature, finishReason } = await job.run()
        this.#reply(id, { ended: { receipt: bytes, receiptSignature: signature, finishReason } })
      } finally {
        this.#jobs.delete(id)
        this.#heldBytes -= byteLength
      }
    } catch (err) {
      this.#fail(id, toJobFault(err))
    }
  }

  #requireRoom(byteLength: number): void {
    if (this.#jobs.size >= MAX_JOBS || this.#heldBytes + byteLength > MAX_HELD_BYTES) {
      throw new EnvironmentError(
        'ENCLAVE_FULL',
        `The enclave holds ${this.#jobs.size} jobs of ${this.#heldBytes} bytes: at most ${MAX_JOBS} of ${MAX_HELD_BYTES}. Wait until one has ended`
      )
    }
  }

  #requireEngine(): Engine {
    if (this.#engine === undefined) {
      throw new EnvironmentError('ENCLAVE_NOT_LOADED', 'The enclave has no model yet: load one first')
    }
    return this.#engine
  }

  #reply(id: number, body: Reply): void {
    this.#components.send(EnclaveReply.encode({ id, ...body }))
  }

  #fail(id: number, fault: WireFault): void {
    this.#reply(id, { failed: fault })
  }
}

function gpuChoice(text: string): GpuChoice {
  if (!GPU_CHOICES.includes(text)) {
    throw new PeerError('MESSAGE_MALFORMED', `Unknown GPU choice: expected one of ${GPU_CHOICES.join(', ')}`)
  }
  return text as GpuChoice
}

function evidenceKind(text: string): EvidenceKind {
  const found = EVIDENCE_KINDS.find(kind => kind === text)
  if (found === undefined) {
    throw new PeerError('MESSAGE_MALFORMED', `Unknown evidence: expected one of ${EVIDENCE_KINDS.join(', ')}`)
  }
  return found
}

/** What a statement's config digest stands for. */
function settingsOf({ model, backend, threads, slots }: Engine): Record<string, string | number> {
  return { backend, contextTokens: model.contextTokens, slots, threads }
}
