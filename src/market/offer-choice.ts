import type { NanoTon } from '../core/nano-ton.ts'
import type { TokenPrices } from '../core/price.ts'
import type { Offer } from '../wire/offer.ts'

/** The most a client pays, in nanotons per million tokens. */
export interface PriceCap {
  /** For prompt tokens, cached ones too: what a cache saved is the provider's word. */
  promptPerMTokens: NanoTon
  completionPerMTokens: NanoTon
}

/** What an offer must keep to. */
export interface OfferPolicy {
  maxPrices: PriceCap
  /** Largest deposit the client locks for one provider. */
  maxDeposit: NanoTon
}

/** Two peers' clocks may differ by this much. An offer's life is kept by who made it; here it only sorts out old ones. */
const CLOCK_TOLERANCE_MS = 10 * 60_000

/** Why an offer cannot be taken, or undefined. */
export function refuseOffer(offer: Offer, policy: OfferPolicy, nowMs: number): string | undefined {
  if (!withinCap(offer.prices, policy.maxPrices)) {
    return 'price above the cap'
  }
  if (offer.minimumDeposit > policy.maxDeposit) {
    return 'minimum deposit above the limit'
  }
  if (offer.expiresAtMs + CLOCK_TOLERANCE_MS <= nowMs) {
    return 'expired'
  }
  return undefined
}

export function withinCap(prices: TokenPrices, cap: PriceCap): boolean {
  return (
    prices.promptPerMTokens <= cap.promptPerMTokens &&
    prices.cachedPromptPerMTokens <= cap.promptPerMTokens &&
    prices.completionPerMTokens <= cap.completionPerMTokens
  )
}
