import { EnvironmentError } from '../core/errors.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import { type TokenPrices, type TokenUsage, tokenCost } from '../core/price.ts'
import { MAX_OPENING_TOKENS, maxJobCost } from '../payments/index.ts'
import type { SealedBody } from '../wire/announcement.ts'

/**
 * What must be paid before the enclave reads a prompt.
 *
 * @param windowTokens the window, or the job's limit if that is less
 */
export function firstPayment(prices: TokenPrices, windowTokens: number): NanoTon {
  const completionTokens = Math.min(windowTokens, MAX_OPENING_TOKENS)
  return tokenCost(prices, { promptTokens: 0, cachedPromptTokens: 0, completionTokens })
}

/** The most a job may cost: the prompt cannot have more tokens than its sealed bytes and the model's template. */
export function offeredCost(prices: TokenPrices, body: SealedBody, maxCompletionTokens: number): NanoTon {
  const requestBytes = body.kind === 'inline' ? body.sealedRequest.byteLength : body.sizeBytes
  return maxJobCost({ prices, requestBytes, windowTokens: 0, maxCompletionTokens })
}

/**
 * The tokens of a chunk, counted by our own enclave: it is charged for by these and nothing else. Every chunk has a
 * prompt behind it, and counts never fall.
 *
 * @throws {EnvironmentError} `ENCLAVE_UNMETERED`
 */
export function countedUsage(chunk: TokenUsage, before: TokenUsage): TokenUsage {
  const { promptTokens, cachedPromptTokens, completionTokens } = chunk
  if (
    promptTokens + cachedPromptTokens === 0 ||
    promptTokens < before.promptTokens ||
    cachedPromptTokens < before.cachedPromptTokens ||
    completionTokens < before.completionTokens
  ) {
    throw new EnvironmentError(
      'ENCLAVE_UNMETERED',
      `The enclave counted ${promptTokens} + ${cachedPromptTokens} prompt and ${completionTokens} answer tokens for a chunk, after ${before.promptTokens} + ${before.cachedPromptTokens} and ${before.completionTokens}: install the package again`
    )
  }
  return { promptTokens, cachedPromptTokens, completionTokens }
}
