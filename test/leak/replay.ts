import { createCipheriv, randomBytes } from 'node:crypto'
import type { TokenUsage } from '../../src/core/price.ts'
import type { AnswerOutput } from '../../src/enclave/answer-output.ts'
import { AnswerWriter } from '../../src/enclave/answer-writer.ts'
import { plannedTicks } from '../../src/enclave/strict-plan.ts'
import { StrictWriter } from '../../src/enclave/strict-writer.ts'
import { ResponseKey, responseSealer } from '../../src/seal/index.ts'
import { encodeJobDown } from '../../src/wire/job-stream.ts'
import { VirtualTime } from '../support/virtual-time.ts'
import type { Recording } from './record.ts'
import type { Seen, Trace } from './trace.ts'

/** `none` is no mode of the product: it shows what an onlooker sees of frames per token that are as long as their text. */
export const MODES = ['none', 'standard', 'strict'] as const

export type Mode = (typeof MODES)[number]

export interface ReplayInit {
  maxTokens: number
  /** What the enclave would have measured of itself. */
  tokensPerSecond: number
  /** The middle one of all recorded gaps, in milliseconds: the others are taken in proportion to it. */
  middleGapMs: number
}

/** A machine that did something else for a moment is not slowed down together with its model. */
const MOST_GAPS = 10
const PROMPT_TOKENS = 20
const REQUEST_BYTES = 1_024
const JOB_ID = new Uint8Array(16).fill(1)

/** A recorded answer through the product's own writer and sealer, in a time of its own, as it goes over the wire. */
export async function replay(recording: Recording, mode: Mode, init: ReplayInit): Promise<Trace> {
  const time = new VirtualTime()
  const seen: Seen[] = []
  const send = (sealed: Uint8Array, usage: TokenUsage): void => {
    seen.push({ ms: time.nowMs(), bytes: encodeJobDown({ type: 'chunk', sealed, usage }).byteLength })
  }
  const writer = writerOf(mode, send, time, init)
  writer.prompt(PROMPT_TOKENS, 0)
  for (const [at, { text, gapMs }] of recording.tokens.entries()) {
    time.run((1_000 / init.tokensPerSecond) * Math.min(MOST_GAPS, gapMs / init.middleGapMs))
    writer.text(text, at + 1)
  }
  const ended = writer.end('stop', new AbortController().signal)
  time.run(24 * 3_600_000)
  await ended
  return { label: recording.label, seen }
}

type Send = (sealed: Uint8Array, usage: TokenUsage) => void

function writerOf(mode: Mode, send: Send, timing: VirtualTime, init: ReplayInit): AnswerOutput {
  if (mode === 'none') {
    return new BareWriter(send)
  }
  const sealer = responseSealer(new ResponseKey(new Uint8Array(44).fill(2)), JOB_ID)
  return mode === 'standard'
    ? new AnswerWriter(sealer, send, timing)
    : new StrictWriter(
        { sealer, send, timing },
        { ticks: plannedTicks(init.maxTokens, REQUEST_BYTES, init.tokensPerSecond) }
      )
}

/** The baseline: each token at once, in a frame of its own length. */
class BareWriter implements AnswerOutput {
  readonly #send: Send
  readonly #key = randomBytes(32)
  #counter = 0
  #usage: TokenUsage = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }

  constructor(send: Send) {
    this.#send = send
  }

  get delivered(): TokenUsage {
    return this.#usage
  }

  prompt(promptTokens: number, cachedPromptTokens: number): void {
    this.#usage = { ...this.#usage, promptTokens, cachedPromptTokens }
  }

  text(text: string, completionTokens: number): void {
    this.#usage = { ...this.#usage, completionTokens }
    this.#seal(text)
  }

  flush(): void {
    // Nothing ever waits.
  }

  discard(): void {
    // Nothing ever waits.
  }

  close(): void {
    // Nothing ever waits.
  }

  async end(finishReason: string): Promise<void> {
    this.#seal(finishReason)
  }

  #seal(text: string): void {
    const nonce = Buffer.alloc(12)
    nonce.writeUInt32BE(this.#counter++, 8)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce)
    this.#send(Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]), this.#usage)
  }
}
