import type { TokenPrices } from '../core/price.ts'
import { type PriceCap, withinCap } from './offer-choice.ts'

/** What the score needs to know of a provider: the relevant part of its capacity record. */
export interface CandidateFacts {
  peerId: string
  tier: string
  prices: TokenPrices
  slotsFree: number
  slotsTotal: number
  /** Measured completion tokens per second of the wanted model; 0 when unknown. */
  tokensPerSecond: number
  networks: readonly number[]
}

/** What a client wants of a provider. */
export interface CandidateNeeds {
  tiers: readonly string[]
  maxPrices: PriceCap
  globalId: number
  /** Only this provider will do. */
  pinned?: string
}

export type Exclusion = 'other-provider' | 'tier' | 'price' | 'network'

/** Why a provider cannot serve, or undefined. */
export function excludeCandidate(facts: CandidateFacts, needs: CandidateNeeds): Exclusion | undefined {
  if (needs.pinned !== undefined && facts.peerId !== needs.pinned) {
    return 'other-provider'
  }
  if (!needs.tiers.includes(facts.tier)) {
    return 'tier'
  }
  if (!withinCap(facts.prices, needs.maxPrices)) {
    return 'price'
  }
  return facts.networks.includes(needs.globalId) ? undefined : 'network'
}

/**
 * Higher is better; always finite, whatever a record claims (zero, missing or huge figures never block routing).
 * Speed counts with diminishing returns, a free slot counts most, price divides.
 */
export function scoreCandidate(facts: CandidateFacts): number {
  const speed = Math.log2(2 + clamp(facts.tokensPerSecond, 0, 1e6))
  const free = clamp(facts.slotsFree, 0, 1_000) > 0 ? 1 : 0.25
  const price = 1 + clamp(Number(facts.prices.completionPerMTokens), 0, 1e18) / 1e9
  return (speed * free) / price
}

/** Usable candidates, best first; equal scores in an order that differs from client to client (`salt`). */
export function rankCandidates<T extends CandidateFacts>(
  candidates: readonly T[],
  needs: CandidateNeeds,
  salt: string
): T[] {
  return candidates
    .filter(candidate => excludeCandidate(candidate, needs) === undefined)
    .map(candidate => ({ candidate, score: scoreCandidate(candidate), tie: tieBreak(candidate.peerId, salt) }))
    .sort((a, b) => b.score - a.score || a.tie - b.tie)
    .map(({ candidate }) => candidate)
}

function clamp(value: number, low: number, high: number): number {
  return Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : low
}

// FNV-1a, 32 bit: spreads equal providers over clients; nothing depends on its strength.
function tieBreak(peerId: string, salt: string): number {
  let hash = 0x811c9dc5
  for (const char of `${salt}/${peerId}`) {
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193)
  }
  return hash >>> 0
}
