import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { CancelledError, type CocoonError, EnvironmentError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { GpuChoice } from '../inference/index.ts'
import { EnclaveReply, EnclaveRequest, type ModelLoaded } from '../wire/generated/enclave.ts'
import type {
  AttestedStatement,
  AttestInput,
  Enclave,
  EnclaveEvent,
  EnclaveInfo,
  EnclaveJob,
  EnclaveRun
} from './enclave.ts'
import { defaultEntry, EnclaveProcess } from './enclave-process.ts'
import type { EvidenceKind } from './evidence/source.ts'
import { RunQueue } from './run-queue.ts'
import { fromFault } from './wire-fault.ts'

export interface SpawnEnclaveInit {
  /** A GGUF file. */
  modelPath: string
  /** @default measured inside the enclave */
  threads?: number
  /** @default 4 */
  slots?: number
  /** @default 'auto' */
  gpu?: GpuChoice
  /** @default the model's own, at most 8,192 */
  contextTokens?: number
  /**
   * What the machine has to prove.
   * @default 'auto': what it can
   */
  evidence?: EvidenceKind
  /** Absolute path of a command that asks the GPUs of a TD for their reports. */
  gpuCommand?: string
  logger: Logger
  /**
   * Compiled enclave program.
   * @default the one beside this file
   */
  entry?: string
  /** The process ended although nobody stopped it. */
  onExit?: () => void
}

/**
 * Starts an enclave program in a process of its own, loads a model into it and waits for its self-test.
 *
 * @throws {EnvironmentError} `ENCLAVE_SPAWN_FAILED`, `ENCLAVE_DIED`, and what loading the model can throw: `MODEL_…`,
 *   `LLAMA_UNAVAILABLE`, `GPU_UNAVAILABLE`, `EVIDENCE_…`
 * @throws {CancelledError} `CANCELLED`; the process is gone then
 */
export async function spawnEnclave(init: SpawnEnclaveInit, options: AbortOptions = {}): Promise<Enclave> {
  throwIfAborted(options.signal)
  const enclave = new EnclaveHandle(init)
  try {
    await enclave.load(init, options)
  } catch (err) {
    await enclave.stop()
    throw err
  }
  return enclave
}

type RequestBody = Partial<Omit<EnclaveRequest, 'id'>>
type ReplyBody = Omit<EnclaveReply, 'id'>

interface Exchange {
  resolve(reply: ReplyBody): void
  reject(fault: CocoonError): void
}

class EnclaveHandle implements Enclave {
  readonly #process: EnclaveProcess
  readonly #logger: Logger
  readonly #exchanges = new Map<number, Exchange>()
  readonly #runs = new Map<number, RunQueue>()
  readonly #onExit: (() => void) | undefined
  #info: EnclaveInfo | undefined
  #lastId = 0
  /** Why nothing can be asked any more. */
  #over: EnvironmentError | undefined

  constructor(init: SpawnEnclaveInit) {
    this.#logger = init.logger
    this.#onExit = init.onExit
    this.#process = new EnclaveProcess({
      entry: init.entry ?? defaultEntry(),
      logger: init.logger,
      onMessage: message => this.#receive(message),
      onExit: () => this.#died()
    })
  }

  get info(): EnclaveInfo {
    if (this.#info === undefined) {
      throw new EnvironmentError('ENCLAVE_NOT_LOADED', 'The enclave has no model yet: load one first')
    }
    return this.#info
  }

  async load(init: SpawnEnclaveInit, options: AbortOptions): Promise<void> {
    const { modelPath: path, threads = 0, slots = 0, gpu = 'auto', contextTokens = 0 } = init
    const { evidence = 'auto', gpuCommand = '' } = init
    const load = { path, threads, slots, gpu, contextTokens, evidence, gpuCommand }
    const { loaded } = await this.#ask({ load }, options)
    if (loaded === undefined) {
      throw brokenReply('load')
    }
    this.#info = readInfo(loaded, this.#process.pid)
    const { model, backend, tokensPerSecond } = this.#info
    this.#logger.info('enclave ready', {
      pid: this.#process.pid,
      model: model.name,
      backend,
      threads: this.#info.threads,
      tokensPerSecond
    })
  }

  async attest(input: AttestInput, options: AbortOptions = {}): Promise<AttestedStatement> {
    const { attested } = await this.#ask(
      { attest: { ...input, challenge: input.challenge ?? new Uint8Array() } },
      options
    )
    if (attested === undefined) {
      throw brokenReply('attest')
    }
    const { statement, evidence, xwingKey } = attested
    return { statement, evidence, xwingKey }
  }

  async inspect(options: AbortOptions = {}): Promise<{ rssBytes: number; running: number }> {
    const { inspection } = await this.#ask({ inspect: {} }, options)
    if (inspection === undefined) {
      throw brokenReply('inspect')
    }
    return { rssBytes: Number(inspection.rssBytes), running: inspection.running }
  }

  run(job: EnclaveJob, options: AbortOptions = {}): EnclaveRun {
    const { signal } = options
    const id = ++this.#lastId
    const abort = (): void => run.abandon(new CancelledError('The job was cancelled', { cause: signal?.reason }))
    const run = new RunQueue({
      grant: completionTokens => this.#send(id, { grant: { completionTokens } }),
      cancel: () => this.#send(id, { cancel: {} }),
      onDone: () => {
        this.#runs.delete(id)
        signal?.removeEventListener('abort', abort)
      }
    })
    if (this.#over !== undefined) {
      run.fail(this.#over)
    } else if (signal?.aborted === true) {
      abort()
    } else {
      this.#runs.set(id, run)
      signal?.addEventListener('abort', abort, { once: true })
      this.#send(id, { run: encodeJob(job) })
    }
    return run
  }

  async stop(): Promise<void> {
    this.#end(new EnvironmentError('ENCLAVE_STOPPED', 'The enclave was stopped: start it again'))
    await this.#process.stop()
  }

  async #ask(body: RequestBody, { signal }: AbortOptions): Promise<ReplyBody> {
    throwIfAborted(signal)
    if (this.#over !== undefined) {
      throw this.#over
    }
    const id = ++this.#lastId
    let abort: (() => void) | undefined
    try {
      return await new Promise<ReplyBody>((resolve, reject) => {
        abort = () => reject(new CancelledError('Cancelled while the enclave was asked', { cause: signal?.reason }))
        signal?.addEventListener('abort', abort, { once: true })
        this.#exchanges.set(id, { resolve, reject })
        this.#send(id, body)
      })
    } finally {
      this.#exchanges.delete(id)
      if (abort !== undefined) {
        signal?.removeEventListener('abort', abort)
      }
    }
  }

  #send(id: number, body: RequestBody): void {
    this.#process.send(EnclaveRequest.encode({ id, ...body }))
  }

  #receive(message: Uint8Array): void {
    const { id, ...body } = EnclaveReply.decode(message)
    const run = this.#runs.get(id)
    if (run === undefined) {
      const exchange = this.#exchanges.get(id)
      if (body.failed === undefined) {
        exchange?.resolve(body)
      } else {
        exchange?.reject(fromFault(body.failed))
      }
    } else if (body.failed !== undefined) {
      run.fail(fromFault(body.failed))
    } else {
      const event = readEvent(body)
      if (event !== undefined) {
        run.push(event)
      }
    }
  }

  #died(): void {
    if (this.#over === undefined) {
      this.#logger.error('enclave died', { pid: this.#process.pid })
      this.#end(
        new EnvironmentError(
          'ENCLAVE_DIED',
          `The enclave process ${this.#process.pid} ended unexpectedly: restart the provider`
        )
      )
      this.#onExit?.()
    }
  }

  #end(why: EnvironmentError): void {
    this.#over ??= why
    for (const exchange of this.#exchanges.values()) {
      exchange.reject(this.#over)
    }
    for (const run of this.#runs.values()) {
      run.fail(this.#over)
    }
  }
}

function encodeJob(job: EnclaveJob): NonNullable<EnclaveRequest['run']> {
  const { recipient, prices, ...rest } = job
  return { ...rest, ...recipient, ...prices }
}

function readEvent({ chunk, ended }: ReplyBody): EnclaveEvent | undefined {
  if (chunk !== undefined) {
    return { type: 'chunk', ...chunk }
  }
  return ended === undefined ? undefined : { type: 'ended', ...ended }
}

function readInfo(loaded: ModelLoaded, pid: number): EnclaveInfo {
  const { name, digest, contextTokens, quantization, hasChatTemplate } = loaded
  return {
    model: { name, digest, contextTokens, quantization, parameters: Number(loaded.parameters), hasChatTemplate },
    backend: loaded.backend,
    devices: loaded.devices.map(device => ({
      name: device.name,
      vramTotalBytes: Number(device.vramTotalBytes),
      vramFreeBytes: Number(device.vramFreeBytes)
    })),
    threads: loaded.threads,
    slots: loaded.slots,
    tokensPerSecond: loaded.tokensPerSecond,
    firstTokenMs: loaded.firstTokenMs,
    bundleDigest: loaded.bundleDigest,
    pid
  }
}

function brokenReply(what: string): EnvironmentError {
  return new EnvironmentError(
    'ENCLAVE_REPLY_INVALID',
    `The enclave answered ${what} with something else: its program is not of this version`
  )
}
