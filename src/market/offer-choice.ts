import type { NanoTon } from '../core/nano-ton.ts'
import type { Offer } from '../wire/offer.ts'

/** The most a client pays, in nanotons per million tokens. */
export interface PriceCap {
  promptPerMTokens: NanoTon
  completionPerMTokens: NanoTon
}

/** What an offer must keep to. */
export interface OfferPolicy {
  maxPrices: PriceCap
  /** Largest deposit the client locks for one provider. */
  maxDeposit: NanoTon
}

/** Why an offer cannot be taken, or undefined. */
export function refuseOffer(offer: Offer, policy: OfferPolicy, nowMs: number): string | undefined {
  if (!withinCap(offer.prices, policy.maxPrices)) {
    return 'price above the cap'
  }
  if (offer.minimumDeposit > policy.maxDeposit) {
    return 'minimum deposit above the limit'
  }
  if (offer.expiresAtMs <= nowMs) {
    return 'expired'
  }
  return undefined
}

export function withinCap(prices: { promptPerMTokens: bigint; completionPerMTokens: bigint }, cap: PriceCap): boolean {
  return prices.promptPerMTokens <= cap.promptPerMTokens && prices.completionPerMTokens <= cap.completionPerMTokens
}
