import { PeerError } from '../core/errors.ts'
import { maxNano, type NanoTon, subNanoFloor } from '../core/nano-ton.ts'
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
  /**
   * Completion tokens whose price opens the job: the provider reads no prompt for less.
   * @default a window
   */
  openingTokens?: number
  /**
   * Completion tokens below which the next window is paid.
   * @default half a window
   */
  lowTokens?: number
}

/** The most completion tokens whose price a provider may ask before it reads the prompt, however long its window is. */
export const MAX_OPENING_TOKENS = 32

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
 * What to prepay before anything is known: the price of the opening tokens, which also covers a short prompt. The prompt's
 * size is the provider's word until the first chunk comes, so a longer one is paid when the provider asks.
 *
 * @param pace a link that needs a longer window than the opening gets it at once
 */
export function initialAuthorization(bounds: JobBounds, pace?: { windowTokens: number }): NanoTon {
  const { prices, windowTokens, openingTokens = windowTokens, maxCompletionTokens } = bounds
  const completionTokens = Math.min(Math.max(openingTokens, pace?.windowTokens ?? 0), maxCompletionTokens)
  return tokenCost(prices, { promptTokens: 0, cachedPromptTokens: 0, completionTokens })
}

/**
 * What the job should be paid up to next, given what was delivered: one window ahead once little of it is left, and never
 * ahead of the last token.
 *
 * @param usage what was delivered and checked
 * @param authorized what the job was paid up to so far
 * @returns undefined while enough is prepaid
 */
export function nextAuthorization(bounds: JobBounds, usage: TokenUsage, authorized: NanoTon): NanoTon | undefined {
  const { prices, windowTokens, lowTokens } = bounds
  const cost = tokenCost(prices, usage)
  const target = priceAhead(bounds, usage, windowTokens)
  if (target <= authorized) {
    return undefined
  }
  if (cost > authorized) {
    return target
  }
  const left = subNanoFloor(authorized, cost)
  const isLow = lowTokens === undefined ? left * 2n < target - cost : left < priceAhead(bounds, usage, lowTokens) - cost
  return isLow ? target : undefined
}

/**
 * What to pay when the provider waits: the cost it waits for, and one window beyond what it delivered, so that it does not
 * wait again at the next token.
 *
 * @param delivered completion tokens that came
 * @param demanded the count it asks for, checked
 */
export function demandedAuthorization(bounds: JobBounds, delivered: number, demanded: TokenUsage): NanoTon {
  const ahead = priceAhead(bounds, { ...demanded, completionTokens: delivered }, bounds.windowTokens)
  return maxNano(tokenCost(bounds.prices, demanded), ahead)
}

/** Price of `tokens` more than `usage`, up to the last one the job may have. */
function priceAhead({ prices, maxCompletionTokens }: JobBounds, usage: TokenUsage, tokens: number): NanoTon {
  const completionTokens = Math.max(
    usage.completionTokens,
    Math.min(maxCompletionTokens, usage.completionTokens + tokens)
  )
  return tokenCost(prices, { ...usage, completionTokens })
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
  const atOnce = usage.completionTokens - completedBefore
  const most = Math.max(bounds.windowTokens, bounds.openingTokens ?? 0)
  if (atOnce > most) {
    throw implausible(`${atOnce} completion tokens at once: ${most} are prepaid at most`)
  }
}

function implausible(what: string): PeerError {
  return new PeerError('METER_IMPLAUSIBLE', `The provider's token count cannot be right: ${what}`)
}
