import { nanoTon } from '../../src/core/nano-ton.ts'
import { type TokenPrices, tokenCost } from '../../src/core/price.ts'

/** Dear tokens, so that a few jobs are worth their chain fees. */
export const PRICES: TokenPrices = {
  promptPerMTokens: nanoTon(10_000_000_000n),
  cachedPromptPerMTokens: nanoTon(10_000_000_000n),
  completionPerMTokens: nanoTon(1_000_000_000_000n)
}

export const WINDOW_TOKENS = 16
export const PROMPT_TOKENS = 4
export const REQUEST_BYTES = 16
export const CHALLENGE_SECONDS = 2

/** The most that may be signed for one running job and not delivered yet: a window, and the prompt before it. */
export const JOB_EXPOSURE = tokenCost(PRICES, {
  promptTokens: PROMPT_TOKENS,
  cachedPromptTokens: 0,
  completionTokens: WINDOW_TOKENS
})

export const MODEL_DIGEST = new Uint8Array(32).fill(5)
export const CLIENT_PEER = '12D3KooWCrashPayer'
export const PROVIDER_PEER = '12D3KooWCrashPayee'

/**
 * Whether the scripted enclave takes its time, as a model does: where it answers at once, a running job uses what came to
 * open another one. A job's limit says which: even ones take their time.
 */
export function takesItsTime(maxCompletionTokens: number): boolean {
  return maxCompletionTokens % 2 === 0
}
