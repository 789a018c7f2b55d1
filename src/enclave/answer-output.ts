import type { TokenUsage } from '../core/price.ts'

/** A sealed frame and all tokens used up to and including it. */
export type SendChunk = (sealed: Uint8Array, usage: TokenUsage) => void

/** Turns an answer's text into sealed frames, as the client's privacy mode wants it. */
export interface AnswerOutput {
  /** Tokens the frames sent so far stand for. */
  readonly delivered: TokenUsage
  /** The prompt was counted. Comes first. */
  prompt(promptTokens: number, cachedPromptTokens: number): void
  /** Takes the text of the tokens up to `completionTokens`. */
  text(text: string, completionTokens: number): void
  /** The host waits with its grant for what waits here: nothing may be held back until there is more. */
  flush(): void
  /** Drops what waits: nobody pays for it, nobody gets it. */
  discard(): void
  /** Nothing is sent any more, whatever waits. */
  close(): void
  /**
   * Sends what waits and the final frame, without which an answer counts as cut short. Resolves when it was sent.
   *
   * @param signal sends it as soon as it fires
   */
  end(finishReason: string, signal: AbortSignal): Promise<void>
}
