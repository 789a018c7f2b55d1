/** When the pieces of one answer came. Milliseconds. */
export interface AnswerTiming {
  /** From the question to the first text. */
  firstTokenMs: number
  /** From the question to the last text. */
  lastTokenMs: number
  /** From the question to the end of the answer: over the mesh, with the receipt checked and both books closed. */
  totalMs: number
  /** Completion tokens. */
  tokens: number
}

/** Completion tokens per second while the answer streams: from its first token to its last, payments included. */
export function streamRate({ tokens, firstTokenMs, lastTokenMs }: AnswerTiming): number {
  return ((tokens - 1) * 1000) / (lastTokenMs - firstTokenMs)
}

/** Completion tokens per second from the question to the end: prompt, first voucher, receipt and books included. */
export function wholeRate({ tokens, totalMs }: AnswerTiming): number {
  return (tokens * 1000) / totalMs
}

/** Times an answer given as pieces of text and, at the end, the number of its tokens. */
export async function timeAnswer(answer: AsyncIterable<{ text: string } | { tokens: number }>): Promise<AnswerTiming> {
  const startMs = performance.now()
  let firstTokenMs: number | undefined
  let lastTokenMs = Number.NaN
  let tokens = 0
  for await (const piece of answer) {
    if ('tokens' in piece) {
      tokens = piece.tokens
    } else if (piece.text !== '') {
      lastTokenMs = performance.now() - startMs
      firstTokenMs ??= lastTokenMs
    }
  }
  return { firstTokenMs: firstTokenMs ?? Number.NaN, lastTokenMs, totalMs: performance.now() - startMs, tokens }
}
