/** When the pieces of one answer came. Milliseconds. */
export interface AnswerTiming {
  /** From the question to the first text. */
  firstTokenMs: number
  /** From the question to the end of the answer. */
  totalMs: number
  /** Completion tokens. */
  tokens: number
}

/** Completion tokens per second from question to end: prompt, payment and receipt included. */
export function tokensPerSecond({ tokens, totalMs }: AnswerTiming): number {
  return (tokens * 1000) / totalMs
}

/** Times an answer given as pieces of text and, at the end, the number of its tokens. */
export async function timeAnswer(answer: AsyncIterable<{ text: string } | { tokens: number }>): Promise<AnswerTiming> {
  const startMs = performance.now()
  let firstTokenMs: number | undefined
  let tokens = 0
  for await (const piece of answer) {
    if ('tokens' in piece) {
      tokens = piece.tokens
    } else if (piece.text !== '') {
      firstTokenMs ??= performance.now() - startMs
    }
  }
  return { firstTokenMs: firstTokenMs ?? Number.NaN, totalMs: performance.now() - startMs, tokens }
}
