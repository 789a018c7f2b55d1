import type { AnswerTiming } from './answer-timer.ts'
import { quartiles, round } from './statistics.ts'

/** Every job opens with a voucher, one that costs nothing with one over nothing new. It is over before the first token. */
const OPENING = 1

/**
 * Stream time of an answer that is paid for, over that of the same answer of a provider that asks nothing: from the first
 * token to the last. The two are asked in turns, and each is also compared with its own answer of the turn before: that
 * ratio shows nothing but noise.
 *
 * @param turns each one answer of both
 */
export async function comparePaying(
  paid: () => Promise<AnswerTiming>,
  free: () => Promise<AnswerTiming>,
  turns: number
): Promise<Record<string, unknown>> {
  // Sessions, channels and prompt caches of both are warm from here on.
  await free()
  await paid()
  const { tokens, vouchers } = await paid()
  if (vouchers <= OPENING) {
    throw new Error('No voucher was signed while the answer that is paid for streamed')
  }
  const times: Array<{ paid: number; free: number }> = []
  for (let turn = 0; turn < turns; turn++) {
    const took = { paid: 0, free: 0 }
    // In turns which one goes first: whatever the machine does meanwhile weighs on both.
    for (const which of turn % 2 === 0 ? (['paid', 'free'] as const) : (['free', 'paid'] as const)) {
      const answer = await { paid, free }[which]()
      took[which] = answer.lastTokenMs - answer.firstTokenMs
      if (answer.tokens !== tokens || (which === 'free' && answer.vouchers > OPENING)) {
        throw new Error(
          `An answer of ${answer.tokens} tokens and ${answer.vouchers} vouchers cannot be compared to one of ${tokens}`
        )
      }
    }
    times.push(took)
  }
  const again = times.slice(1).flatMap((now, before) => {
    const last = times[before] ?? now
    return [now.paid / last.paid, now.free / last.free]
  })
  return {
    turns,
    tokens,
    vouchers,
    freeMs: quartiles(times.map(time => time.free)),
    paidMs: quartiles(times.map(time => time.paid)),
    ratio: quartiles(
      times.map(time => time.paid / time.free),
      4
    ),
    ratioOfAllTime: round(sum(times.map(time => time.paid)) / sum(times.map(time => time.free)), 4),
    sameOverSame: quartiles(again, 4)
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
