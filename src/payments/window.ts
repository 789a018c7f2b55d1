import { PeerError } from '../core/errors.ts'
import { type NanoTon, subNanoFloor } from '../core/nano-ton.ts'
import { type TokenPrices, type TokenUsage, tokenCost } from '../core/price.ts'

/** Tokens a model's chat template may add around the request's own text. */
export const TEMPLATE_ALLOWANCE_TOKENS = 256

/** The most prompt tokens a request can honestly make: no token stands for less than a byte of it, plus the template. */
export function maxPlausiblePrompt(requestBytes: number): number {
  return requestBytes + TEMPLATE_ALLOWANCE_TOKENS
}

/** What bounds a job before its first token. */
export interface JobBounds {
  prices: TokenPrices
  /** Size of the request's plain text in bytes. */
  requestBytes: number
  /** Completion tokens prepaid at a time, from the provider's offer and the client's own limit. */
  windowTokens: number
  maxCompletionTokens: number
}

/** The most the job can honestly cost. */
export function maxJobCost({ prices, requestBytes, maxCompletionTokens }: JobBounds): NanoTon {
  const promptTokens = maxPlausiblePrompt(requestBytes)
  const dearest =
    prices.promptPerMTokens > prices.cachedPromptPerMTokens ? prices.promptPerMTokens : prices.cachedPromptPerMTokens
  return tokenCost(
    { ...prices, promptPerMTokens: dearest },
    { promptTokens, cachedPromptTokens: 0, completionTokens: maxCompletionTokens }
  )
}

/**
 * What to prepay before anything is known: the price of one window, which also covers a short prompt. The prompt's
 * size is the provider's word until the first chunk comes, so a longer one is paid when the provider asks.
 */
export function initialAuthorization(bounds: JobBounds): NanoTon {
  const completionTokens = Math.min(bounds.windowTokens, bounds.maxCompletionTokens)
  return tokenCost(bounds.prices, { promptTokens: 0, cachedPromptTokens: 0, completionTokens })
}

/**
 * What the job should be paid up to next, given what was delivered: one window ahead once less than half a window is
 * left, and never ahead of the last token.
 *
 * @param usage what was delivered and checked, or what a `NeedVoucher` asks for, checked too
 * @param authorized what the job was paid up to so far
 * @returns undefined while enough is prepaid
 */
export function nextAuthorization(bounds: JobBounds, usage: TokenUsage, authorized: NanoTon): NanoTon | undefined {
  const cost = tokenCost(bounds.prices, usage)
  const windowTokens = Math.max(0, Math.min(bounds.windowTokens, bounds.maxCompletionTokens - usage.completionTokens))
  const target = tokenCost(bounds.prices, { ...usage, completionTokens: usage.completionTokens + windowTokens })
  if (target <= authorized) {
    return undefined
  }
  const left = subNanoFloor(authorized, cost)
  return cost > authorized || left * 2n < target - cost ? target : undefined
}

/**
 * Checks a provider's count of a job's tokens before anything is paid by it.
 *
 * @param before the last count that passed
 * @throws {PeerError} `METER_IMPLAUSIBLE` if it shrinks, changes the prompt's size, or goes beyond what the request or one
 *   window allows
 */
export function checkUsage(bounds: JobBounds, before: TokenUsage | undefined, usage: TokenUsage): void {
  const prompt = usage.promptTokens + usage.cachedPromptTokens
  const plausible = maxPlausiblePrompt(bounds.requestBytes)
  if (prompt > plausible) {
    throw implausible(
      `${prompt} prompt tokens for a request of ${bounds.requestBytes} bytes: at most ${plausible} are plausible`
    )
  }
  if (
    before !== undefined &&
    (usage.promptTokens !== before.promptTokens || usage.cachedPromptTokens !== before.cachedPromptTokens)
  ) {
    throw implausible(
      `${prompt} prompt tokens where an earlier count said ${before.promptTokens + before.cachedPromptTokens}`
    )
  }
  const completedBefore = before?.completionTokens ?? 0
  if (usage.completionTokens < completedBefore) {
    throw implausible(`${usage.completionTokens} completion tokens after ${completedBefore}`)
  }
  if (usage.completionTokens > bounds.maxCompletionTokens) {
    throw implausible(`${usage.completionTokens} completion tokens: the job allows ${bounds.maxCompletionTokens}`)
  }
  if (usage.completionTokens - completedBefore > bounds.windowTokens) {
    throw implausible(
      `${usage.completionTokens - completedBefore} completion tokens at once: a window has ${bounds.windowTokens}`
    )
  }
}

function implausible(what: string): PeerError {
  return new PeerError('METER_IMPLAUSIBLE', `The provider's token count cannot be right: ${what}`)
}
