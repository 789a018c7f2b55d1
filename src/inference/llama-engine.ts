import { availableParallelism } from 'node:os'
import type { Llama, LlamaContext, LlamaContextSequence, LlamaModel } from 'node-llama-cpp'
import { type AbortOptions, linkSignals, throwIfAborted } from '../core/abort.ts'
import { CocoonError, EnvironmentError, UsageError } from '../core/errors.ts'
import { plainRenderer, templateRenderer } from './chat-template.ts'
import { chooseThreads } from './choose-threads.ts'
import type { Device, Engine, GenerateEvent, GenerateOptions, GenerateRequest, ModelInfo } from './engine.ts'
import { answer } from './llama-answer.ts'
import { backendName, type GpuChoice, listDevices, loadLlama, loadLlamaModel } from './llama-backend.ts'
import { LlamaPrompts, readVocabulary } from './llama-prompts.ts'
import { measureThreads } from './measure-threads.ts'
import { checkModelFile, type ModelFile, modelDigest } from './model-file.ts'
import { SlotQueue } from './slot-queue.ts'

export interface LlamaEngineInit {
  /** A GGUF file. */
  modelPath: string
  /** @default measured */
  threads?: number
  /**
   * Answers made at the same time, each with a context of its own.
   * @default 4
   */
  slots?: number
  /**
   * Tokens of each slot's context.
   * @default what the model was trained on, at most 8,192, and less where memory is short
   */
  contextTokens?: number
  /** @default 'auto' */
  gpu?: GpuChoice
}

const DEFAULT_SLOTS = 4
const DEFAULT_CONTEXT_TOKENS = 8_192
const LEAST_CONTEXT_TOKENS = 256

/**
 * Loads a model with llama.cpp. The file is checked and hashed before llama.cpp sees it.
 *
 * @throws {EnvironmentError} `MODEL_NOT_FOUND`, `MODEL_NOT_GGUF`, `MODEL_TRUNCATED`, `MODEL_UNSUPPORTED`,
 * `MODEL_NEEDS_MEMORY`, `LLAMA_UNAVAILABLE`, `GPU_UNAVAILABLE`
 */
export async function openLlamaEngine(init: LlamaEngineInit, options: AbortOptions = {}): Promise<Engine> {
  const file = await checkModelFile(init.modelPath, options)
  const digest = await modelDigest(init.modelPath, options)
  const llama = await loadLlama(init.gpu ?? 'auto')
  try {
    const model = await loadLlamaModel(llama, file)
    throwIfAborted(options.signal)
    const threads = init.threads ?? (await chooseThreads(availableParallelism(), count => measureThreads(model, count)))
    throwIfAborted(options.signal)
    const context = await openContext(model, file, { ...init, threads })
    return new LlamaEngine({ llama, model, context, file, digest, threads, devices: await listDevices(llama) })
  } catch (err) {
    await llama.dispose()
    throw err
  }
}

async function openContext(
  model: LlamaModel,
  file: ModelFile,
  init: LlamaEngineInit & { threads: number }
): Promise<LlamaContext> {
  const most = Math.min(file.contextTokens, DEFAULT_CONTEXT_TOKENS)
  const sequences = init.slots ?? DEFAULT_SLOTS
  try {
    return await model.createContext({
      sequences,
      threads: init.threads,
      contextSize: init.contextTokens ?? { min: Math.min(most, LEAST_CONTEXT_TOKENS), max: most },
      flashAttention: 'auto'
    })
  } catch (cause) {
    throw new EnvironmentError(
      'MODEL_NEEDS_MEMORY',
      `${sequences} slots of ${init.contextTokens ?? most} tokens do not fit beside ${file.name}: use fewer slots, a shorter context or a smaller model`,
      { cause }
    )
  }
}

interface Loaded {
  llama: Llama
  model: LlamaModel
  context: LlamaContext
  file: ModelFile
  digest: Uint8Array
  threads: number
  devices: readonly Device[]
}

class LlamaEngine implements Engine {
  readonly model: ModelInfo
  readonly backend: string
  readonly devices: readonly Device[]
  readonly threads: number
  readonly slots: number
  readonly #llama: Llama
  readonly #llamaModel: LlamaModel
  readonly #prompts: LlamaPrompts
  readonly #queue: SlotQueue<LlamaContextSequence>
  readonly #running = new Set<Promise<void>>()
  readonly #closing = new AbortController()

  constructor({ llama, model, context, file, digest, threads, devices }: Loaded) {
    const { chatTemplate } = file
    const { controlTexts, longestToken } = readVocabulary(model)
    const render =
      chatTemplate === undefined
        ? plainRenderer
        : templateRenderer(chatTemplate, {
            bosToken: model.tokens.bosString ?? '',
            eosToken: model.tokens.eosString ?? '',
            controlTexts
          })
    this.model = {
      name: file.name,
      digest,
      contextTokens: context.contextSize,
      quantization: file.quantization,
      parameters: file.parameters,
      hasChatTemplate: chatTemplate !== undefined
    }
    this.backend = backendName(llama)
    this.devices = devices
    this.threads = threads
    this.slots = context.totalSequences
    this.#llama = llama
    this.#llamaModel = model
    this.#prompts = new LlamaPrompts(model, render, context.contextSize, longestToken)
    this.#queue = new SlotQueue(Array.from({ length: this.slots }, () => context.getSequence()))
  }

  async *generate(request: GenerateRequest, options: GenerateOptions = {}): AsyncGenerator<GenerateEvent> {
    if (!Number.isInteger(request.maxTokens) || request.maxTokens < 1) {
      throw new UsageError('PROMPT_INVALID', `${request.maxTokens} is no number of tokens: ask for 1 or more`)
    }
    throwIfAborted(options.signal)
    this.#requireOpen()
    const prompt = this.#prompts.tokenize(request.messages)
    const sequence = await this.#queue.acquire(options)
    const { promise: running, resolve: ended } = deferred()
    this.#running.add(running)
    const either = linkSignals(options.signal, this.#closing.signal)
    try {
      yield* answer({
        model: this.#llamaModel,
        sequence,
        prompt,
        request,
        limit: Math.min(request.maxTokens, this.model.contextTokens - prompt.length),
        signal: either.signal,
        mayGenerate: options.mayGenerate
      })
    } catch (err) {
      throw this.#explain(err)
    } finally {
      either.unlink()
      await this.#giveBack(sequence)
      this.#running.delete(running)
      ended()
    }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) {
      return
    }
    this.#closing.abort()
    this.#queue.close(engineClosed())
    await Promise.all(this.#running)
    await this.#llama.dispose()
  }

  #requireOpen(): void {
    if (this.#closing.signal.aborted) {
      throw engineClosed()
    }
  }

  /** A sequence goes back empty: no client's words are ever another client's cache. */
  async #giveBack(sequence: LlamaContextSequence): Promise<void> {
    try {
      await sequence.clearHistory()
      this.#queue.release(sequence)
    } catch (cause) {
      // Better no further answers than one that continues a stranger's.
      this.#queue.close(
        new EnvironmentError('INFERENCE_FAILED', 'A context could not be cleared and is not used again: restart', {
          cause
        })
      )
    }
  }

  #explain(err: unknown): unknown {
    if (this.#closing.signal.aborted) {
      return engineClosed()
    }
    if (err instanceof CocoonError) {
      return err
    }
    const message = `llama.cpp failed while ${this.model.name} was answering: check free memory and restart`
    return new EnvironmentError('INFERENCE_FAILED', message, { cause: err })
  }
}

function engineClosed(): EnvironmentError {
  return new EnvironmentError('ENGINE_CLOSED', 'The engine was closed: open it again')
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}
