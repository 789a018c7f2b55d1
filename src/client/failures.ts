import { PeerError } from '../core/errors.ts'
import { formatTon, type NanoTon } from '../core/nano-ton.ts'
import type { TokenUsage } from '../core/price.ts'

/** What was received and paid when an answer broke off. */
export interface BrokenAnswer {
  peerId: string
  usage: TokenUsage
  /** Price of what arrived. */
  cost: NanoTon
  /** Signed for this job. */
  paid: NanoTon
}

/**
 * The provider vanished, stalled or gave up during the answer. Names the provider and what was paid; the text received
 * before stays valid.
 */
export class AnswerBrokenError extends PeerError {
  readonly broken: BrokenAnswer

  constructor(code: string, what: string, broken: BrokenAnswer, cause: unknown) {
    const { peerId, usage, cost, paid } = broken
    super(
      code,
      `Provider ${peerId} ${what} after ${usage.completionTokens} tokens: paid ${formatTon(paid)}, of which ` +
        `${formatTon(cost)} for what arrived; ask again to use another provider`,
      { cause, details: { peerId, completionTokens: usage.completionTokens, cost, paid } }
    )
    this.broken = broken
  }
}
