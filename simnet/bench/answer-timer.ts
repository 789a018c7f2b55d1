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
  /** Signed for it. */
  vouchers: number
}

/** Completion tokens per second while the answer streams: from its first token to its last, payments included. */
export function streamRate({ tokens, firstTokenMs, lastTokenMs }: AnswerTiming): number {
  return ((tokens - 1) * 1000) / (lastTokenMs - firstTokenMs)
}

/** Completion tokens per second from the question to the end: prompt, first voucher, receipt and books included. */
export function wholeRate({ tokens, totalMs }: AnswerTiming): number {
  return (tokens * 1000) / totalMs
}

/** A piece of text, or at the end what the answer came to. */
export type AnswerPiece = { text: string } | { tokens: number; vouchers: number }

export async function timeAnswer(answer: AsyncIterable<AnswerPiece>): Promise<AnswerTiming> {
  const startMs = performance.now()
  let firstTokenMs: number | undefined
  let lastTokenMs = Number.NaN
  let end = { tokens: 0, vouchers: 0 }
  for await (const piece of answer) {
    if ('tokens' in piece) {
      end = piece
    } else if (piece.text !== '') {
      lastTokenMs = performance.now() - startMs
      firstTokenMs ??= lastTokenMs
    }
  }
  return { firstTokenMs: firstTokenMs ?? Number.NaN, lastTokenMs, totalMs: performance.now() - startMs, ...end }
}
