import { type NanoTon, nanoTon } from './nano-ton.ts'

/** What a provider asks, in nanotons per million tokens. */
export interface TokenPrices {
  promptPerMTokens: NanoTon
  cachedPromptPerMTokens: NanoTon
  completionPerMTokens: NanoTon
}

/** Tokens a job has used so far. Cached prompt tokens are not counted again in `prompt`. */
export interface TokenUsage {
  promptTokens: number
  cachedPromptTokens: number
  completionTokens: number
}

const MILLION = 1_000_000n

/**
 * Price of a job's tokens so far, rounded up once over the whole sum: both sides compute the same
 * nanoton whatever the chunk sizes were.
 */
export function tokenCost(prices: TokenPrices, usage: TokenUsage): NanoTon {
  const sum =
    prices.promptPerMTokens * BigInt(usage.promptTokens) +
    prices.cachedPromptPerMTokens * BigInt(usage.cachedPromptTokens) +
    prices.completionPerMTokens * BigInt(usage.completionTokens)
  return nanoTon((sum + MILLION - 1n) / MILLION)
}
