import type { TokenUsage } from '../core/price.ts'
import { FRAME_PAYLOAD_BYTES, type ResponseSealer } from '../seal/index.ts'
import { ANSWER_TEXT_OVERHEAD, encodeAnswerEvent } from '../wire/answer-event.ts'
import type { AnswerOutput, SendChunk } from './answer-output.ts'
import { systemTiming, type Timing } from './timing.ts'

/**
 * Text waits at most this long for more to share its frame with, in milliseconds. Every frame wakes the host and the
 * client: at 1,400 tokens/s on two cores, 5 ms cost a fifth of the speed, 10 ms a twentieth, and longer gained no more
 * while it would let a window of 32 tokens run dry before the next grant.
 */
const COALESCE_MS = 10
/** No frame covers more tokens, so that no payment stands for more than one window of them. */
const MAX_FRAME_TOKENS = 32
const MAX_FRAME_TEXT = FRAME_PAYLOAD_BYTES - ANSWER_TEXT_OVERHEAD

/**
 * The mode `standard`. Gathers an answer's text into sealed frames of one size: the first token goes out at once, later ones share
 * frames. Costs no promise and no timer per token.
 */
export class AnswerWriter implements AnswerOutput {
  readonly #sealer: ResponseSealer
  readonly #send: SendChunk
  readonly #timing: Timing
  #pending: Buffer[] = []
  #pendingBytes = 0
  #usage: TokenUsage = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }
  #delivered: TokenUsage = this.#usage
  #lastFlushMs = Number.NEGATIVE_INFINITY
  #cancelTimer: (() => void) | undefined

  constructor(sealer: ResponseSealer, send: SendChunk, timing: Partial<Timing> = {}) {
    this.#sealer = sealer
    this.#send = send
    this.#timing = { ...systemTiming, ...timing }
  }

  get delivered(): TokenUsage {
    return this.#delivered
  }

  prompt(promptTokens: number, cachedPromptTokens: number): void {
    this.#usage = { ...this.#usage, promptTokens, cachedPromptTokens }
  }

  text(text: string, completionTokens: number): void {
    const bytes = Buffer.from(text)
    if (this.#pendingBytes + bytes.byteLength > MAX_FRAME_TEXT) {
      this.flush()
    }
    if (bytes.byteLength > 0) {
      this.#pending.push(bytes)
      this.#pendingBytes += bytes.byteLength
    }
    this.#usage = { ...this.#usage, completionTokens }
    const frameTokens = completionTokens - this.#delivered.completionTokens
    const sinceMs = this.#timing.nowMs() - this.#lastFlushMs
    if (sinceMs >= COALESCE_MS || frameTokens >= MAX_FRAME_TOKENS || this.#pendingBytes >= MAX_FRAME_TEXT) {
      this.flush()
    } else {
      this.#cancelTimer ??= this.#timing.after(COALESCE_MS - sinceMs, () => this.flush())
    }
  }

  flush(): void {
    this.#stopTimer()
    if (this.#usage === this.#delivered) {
      return
    }
    const text = Buffer.concat(this.#pending)
    for (let at = 0; at === 0 || at < text.byteLength; at += MAX_FRAME_TEXT) {
      this.#seal(encodeAnswerEvent({ type: 'text', text: text.subarray(at, at + MAX_FRAME_TEXT) }), false)
    }
    for (const bytes of this.#pending) {
      bytes.fill(0)
    }
    text.fill(0)
    this.#pending = []
    this.#pendingBytes = 0
    this.#lastFlushMs = this.#timing.nowMs()
  }

  discard(): void {
    this.#stopTimer()
    this.#pending = []
    this.#pendingBytes = 0
    this.#usage = this.#delivered
  }

  close(): void {
    this.discard()
  }

  async end(finishReason: string): Promise<void> {
    this.flush()
    this.#seal(encodeAnswerEvent({ type: 'end', finishReason }), true)
  }

  #stopTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #seal(payload: Uint8Array, final: boolean): void {
    this.#delivered = this.#usage
    for (const sealed of this.#sealer.seal(payload, final)) {
      this.#send(sealed, this.#delivered)
    }
  }
}
