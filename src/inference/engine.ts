import type { AbortOptions } from '../core/abort.ts'

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** One answer to make. */
export interface GenerateRequest {
  messages: readonly ChatMessage[]
  /** Most completion tokens; the context may end earlier. */
  maxTokens: number
  /**
   * Zero is greedy: the same answer every time.
   * @default 0
   */
  temperature?: number
  /**
   * Nucleus sampling; counts only above temperature zero, where the 40 likeliest tokens are looked at.
   * @default 1
   */
  topP?: number
  /**
   * 32-bit seed of the sampler.
   * @default random
   */
  seed?: number
  /** Texts that end the answer; they are not part of it. */
  stop?: readonly string[]
}

/** Token counts are cumulative over the run. */
export type GenerateEvent =
  | { type: 'prompt'; promptTokens: number; cachedPromptTokens: number }
  /** One token. `text` is empty while a character is incomplete or may be the start of a stop text. */
  | { type: 'text'; text: string; completionTokens: number }
  | { type: 'end'; finishReason: 'stop' | 'length'; promptTokens: number; completionTokens: number }

export interface GenerateOptions extends AbortOptions {
  /**
   * Asked before each token with the tokens made so far. A promise holds this answer, and no other, until it
   * resolves; undefined lets it go on without a turn of the event loop.
   */
  mayGenerate?: (completionTokens: number) => Promise<void> | undefined
}

/** The model an engine runs. */
export interface ModelInfo {
  name: string
  /** SHA-256 of the file, 32 bytes. */
  digest: Uint8Array
  /** Tokens one answer and its prompt may take together. */
  contextTokens: number
  quantization: string
  parameters: number
  /** Without one, prompts are the messages' texts joined by line breaks. */
  hasChatTemplate: boolean
}

/** What computes. The processor, with no VRAM, where there is no GPU. */
export interface Device {
  name: string
  vramTotalBytes: number
  vramFreeBytes: number
}

/** Runs one loaded model. Nothing of one answer is kept for the next. */
export interface Engine {
  readonly model: ModelInfo
  /** What llama.cpp says it runs on: `cuda`, `vulkan`, `metal` or `cpu`. */
  readonly backend: string
  readonly devices: readonly Device[]
  readonly threads: number
  /** Answers made at the same time; more wait in line. */
  readonly slots: number
  /**
   * Makes one answer. Ending the iteration early frees the slot.
   *
   * @throws {UsageError} `PROMPT_TOO_LONG`, `PROMPT_INVALID`
   * @throws {CancelledError} `CANCELLED`
   * @throws {EnvironmentError} `ENGINE_CLOSED`, `INFERENCE_FAILED`
   */
  generate(request: GenerateRequest, options?: GenerateOptions): AsyncIterable<GenerateEvent>
  /** Ends running answers with `ENGINE_CLOSED` and frees the model. */
  close(): Promise<void>
}
