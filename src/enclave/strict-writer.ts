import type { TokenUsage } from '../core/price.ts'
import { FRAME_PAYLOAD_BYTES, type ResponseSealer } from '../seal/index.ts'
import { ANSWER_TEXT_OVERHEAD, encodeAnswerEvent } from '../wire/answer-event.ts'
import type { AnswerOutput, SendChunk } from './answer-output.ts'
import { STEP_TICKS, STRICT_STEP_TOKENS, TICK_MS } from './strict-plan.ts'
import { systemTiming, type Timing } from './timing.ts'

const MAX_FRAME_TEXT = FRAME_PAYLOAD_BYTES - ANSWER_TEXT_OVERHEAD
const DUMMY = new Uint8Array(0)

/** Half a tick less than the ticks it stands for: none is quite punctual. */
const STEP_MS = (STEP_TICKS - 0.5) * TICK_MS

export interface StrictWriterInit {
  /** Frames of the whole answer, a power of two. If it takes longer, twice as many, and so on. */
  ticks: number
}

export interface StrictWriterComponents {
  sealer: ResponseSealer
  send: SendChunk
  /** @default the system's */
  timing?: Timing
}

/**
 * One frame at every tick, from the prompt's count to a number of frames fixed beforehand: text where there is some, else
 * a dummy of the same size. Tokens become visible to the host in whole steps, and only at a tick.
 */
export class StrictWriter implements AnswerOutput {
  readonly #components: StrictWriterComponents
  readonly #timing: Timing
  readonly #queue: Array<{ payload: Uint8Array; usage: TokenUsage }> = []
  #pending = ''
  #usage: TokenUsage = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }
  /** Count of what stands in the queue or went out. */
  #released: TokenUsage = this.#usage
  #delivered: TokenUsage = this.#usage
  #ticks: number
  #sent = 0
  /** When the count rose last, that of the prompt included. */
  #steppedMs = 0
  #startedMs: number | undefined
  #cancelTimer: () => void = () => undefined
  #closing = false
  #cut = false
  #onFinal: () => void = () => undefined

  constructor(components: StrictWriterComponents, { ticks }: StrictWriterInit) {
    this.#components = components
    this.#timing = components.timing ?? systemTiming
    this.#ticks = ticks
  }

  get delivered(): TokenUsage {
    return this.#delivered
  }

  /** Sends the first frame. */
  prompt(promptTokens: number, cachedPromptTokens: number): void {
    this.#usage = { ...this.#usage, promptTokens, cachedPromptTokens }
    this.#released = this.#usage
    this.#delivered = this.#usage
    this.#begin()
  }

  text(text: string, completionTokens: number): void {
    this.#pending += text
    this.#usage = { ...this.#usage, completionTokens }
    if (completionTokens - this.#released.completionTokens >= STRICT_STEP_TOKENS) {
      this.flush()
    }
  }

  flush(): void {
    if (this.#usage === this.#released) {
      return
    }
    this.#released = this.#usage
    const text = Buffer.from(this.#pending)
    this.#pending = ''
    for (let at = 0; at === 0 || at < text.byteLength; at += MAX_FRAME_TEXT) {
      const payload = encodeAnswerEvent({ type: 'text', text: text.subarray(at, at + MAX_FRAME_TEXT) })
      this.#queue.push({ payload, usage: this.#usage })
    }
    text.fill(0)
  }

  discard(): void {
    this.#pending = ''
    this.#queue.splice(0).forEach(({ payload }) => payload.fill(0))
    this.#usage = this.#delivered
    this.#released = this.#delivered
  }

  close(): void {
    this.discard()
    this.#cancelTimer()
  }

  async end(finishReason: string, signal: AbortSignal): Promise<void> {
    this.flush()
    const payload = encodeAnswerEvent({ type: 'end', finishReason })
    this.#queue.push({ payload, usage: this.#usage })
    this.#closing = true
    const cut = (): void => {
      this.#cut = true
    }
    signal.addEventListener('abort', cut, { once: true })
    this.#cut ||= signal.aborted
    try {
      await new Promise<void>(resolve => {
        this.#onFinal = resolve
        this.#begin()
      })
    } finally {
      signal.removeEventListener('abort', cut)
    }
  }

  #begin(): void {
    if (this.#startedMs === undefined) {
      this.#startedMs = this.#timing.nowMs()
      this.#steppedMs = this.#startedMs
      this.#tick()
    }
  }

  #tick(): void {
    const next = this.#mayStep() ? this.#queue.shift() : undefined
    if (next !== undefined && next.usage.completionTokens > this.#delivered.completionTokens) {
      this.#steppedMs = this.#timing.nowMs()
    }
    const isLast = this.#isLast()
    this.#delivered = next?.usage ?? this.#delivered
    const frames = this.#components.sealer.seal(next?.payload ?? DUMMY, isLast)
    next?.payload.fill(0)
    for (const sealed of frames) {
      this.#components.send(sealed, this.#delivered)
    }
    this.#sent++
    if (isLast) {
      this.#onFinal()
      return
    }
    // On the grid of the first frame: a late one must not move those after it, and how late it was tells nothing more.
    const dueMs = (this.#startedMs ?? 0) + this.#sent * TICK_MS
    this.#cancelTimer = this.#timing.after(Math.max(0, dueMs - this.#timing.nowMs()), () => this.#tick())
  }

  /** Whether what waits first may go out: a step not too soon after the one before, by the time and not by the grid. */
  #mayStep(): boolean {
    const isStep = (this.#queue[0]?.usage.completionTokens ?? 0) > this.#delivered.completionTokens
    return !isStep || this.#timing.nowMs() - this.#steppedMs >= STEP_MS
  }

  /** Whether the frame being made ends the answer. At the end of the plan an answer that is not over gets as long again. */
  #isLast(): boolean {
    const isOver = this.#closing && this.#queue.length === 0
    if (isOver && this.#cut) {
      return true
    }
    if (this.#sent + 1 < this.#ticks) {
      return false
    }
    if (!isOver) {
      this.#ticks *= 2
    }
    return isOver
  }
}
