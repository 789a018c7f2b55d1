import { nanoTon } from '../../../src/core/nano-ton.ts'
import { tokenCost } from '../../../src/core/price.ts'
import {
  demandedAuthorization,
  initialAuthorization,
  type JobBounds,
  nextAuthorization,
  type Pace,
  paceAfterChunk,
  paceAfterStall,
  paceAfterVoucher
} from '../../../src/payments/index.ts'

/** A provider and a client at the two ends of a link. */
export interface Link {
  roundTripMs: number
  tokensPerSecond: number
  /** What the client takes to sign and store a voucher. */
  signingMs: number
  /** Tokens of the answer. */
  tokens: number
  /** Tokens a chunk carries. */
  chunkTokens: number
  bounds: JobBounds
  /** Undefined: a window that never changes. */
  pace: Pace | undefined
}

export interface LinkRun {
  /** How often the provider had a token and no money for it. */
  stalls: number
  stalledMs: number
  /** When the last token came, against when it would have without payments. */
  slowdownMs: number
  vouchers: number
  /** Most tokens that were paid and not delivered, after the opening and at any time. */
  mostAhead: number
  /** The same, averaged over the tokens of the second half. */
  meanAhead: number
  lastWindow: number
}

/** One nanoton a token: amounts are tokens. */
export function linkBounds(windowTokens: number, maxCompletionTokens: number): JobBounds {
  const prices = { promptPerMTokens: 0n, cachedPromptPerMTokens: 0n, completionPerMTokens: 1_000_000n }
  return {
    prices: {
      promptPerMTokens: nanoTon(prices.promptPerMTokens),
      cachedPromptPerMTokens: nanoTon(prices.cachedPromptPerMTokens),
      completionPerMTokens: nanoTon(prices.completionPerMTokens)
    },
    requestBytes: 100,
    windowTokens,
    openingTokens: Math.min(windowTokens, 32),
    maxCompletionTokens
  }
}

/** Runs one answer over the link, event by event: no clock but the model's own. */
export function runLink(link: Link): LinkRun {
  const { bounds, tokens, chunkTokens } = link
  const oneWayMs = link.roundTripMs / 2
  const events: Array<{ atMs: number; run: (nowMs: number) => void }> = []
  // In order of time, and of scheduling within one moment.
  const later = (atMs: number, run: (nowMs: number) => void): void => {
    let low = 0
    let high = events.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((events[middle]?.atMs ?? 0) <= atMs) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    events.splice(low, 0, { atMs, run })
  }
  let pace = link.pace
  let authorized: bigint = initialAuthorization(bounds, pace)
  let paid = authorized
  let delivered = 0
  let released = 0
  let produced = 0
  let stalledSinceMs: number | undefined
  let lastAtMs = 0
  const ahead: number[] = []
  const run: LinkRun = {
    stalls: 0,
    stalledMs: 0,
    slowdownMs: 0,
    vouchers: 1,
    mostAhead: 0,
    meanAhead: 0,
    lastWindow: 0
  }
  const usage = (completionTokens: number) => ({ promptTokens: 0, cachedPromptTokens: 0, completionTokens })
  const paced = (): JobBounds =>
    pace === undefined ? bounds : { ...bounds, windowTokens: pace.windowTokens, lowTokens: pace.lowTokens }

  const sign = (amount: bigint, nowMs: number): void => {
    authorized = amount > authorized ? amount : authorized
    run.mostAhead = Math.max(run.mostAhead, Number(authorized) - delivered)
    run.vouchers++
    pace = pace && paceAfterVoucher(pace, link.signingMs)
    later(nowMs + link.signingMs + oneWayMs, atMs => {
      paid = amount > paid ? amount : paid
      release(atMs)
    })
  }
  const onChunk = (count: number, nowMs: number): void => {
    pace = pace && paceAfterChunk(pace, count - delivered, nowMs)
    delivered = count
    lastAtMs = nowMs
    const amount = nextAuthorization(paced(), usage(count), nanoTon(authorized))
    if (amount !== undefined) {
      sign(amount, nowMs)
    }
    ahead.push(Number(authorized) - delivered)
  }
  const onDemand = (count: number, nowMs: number): void => {
    pace = pace && paceAfterStall(pace, nowMs)
    const asked = usage(count)
    if (tokenCost(bounds.prices, asked) > authorized) {
      sign(demandedAuthorization(paced(), delivered, asked), nowMs)
    }
  }
  const release = (nowMs: number): void => {
    for (;;) {
      const next = Math.min(tokens, released + chunkTokens)
      if (next === released || produced < next) {
        return
      }
      if (BigInt(next) > paid) {
        if (stalledSinceMs === undefined) {
          stalledSinceMs = nowMs
          run.stalls++
          later(nowMs + oneWayMs, atMs => onDemand(next, atMs))
        }
        return
      }
      if (stalledSinceMs !== undefined) {
        run.stalledMs += nowMs - stalledSinceMs
        stalledSinceMs = undefined
      }
      released = next
      later(nowMs + oneWayMs, atMs => onChunk(next, atMs))
    }
  }
  for (let n = 1; n <= tokens; n++) {
    later((n * 1000) / link.tokensPerSecond, atMs => {
      produced = n
      release(atMs)
    })
  }
  for (let event = events.shift(); event !== undefined; event = events.shift()) {
    event.run(event.atMs)
  }
  run.slowdownMs = lastAtMs - ((tokens * 1000) / link.tokensPerSecond + oneWayMs)
  const second = ahead.slice(Math.floor(ahead.length / 2))
  run.meanAhead = second.reduce((sum, value) => sum + value, 0) / Math.max(1, second.length)
  run.lastWindow = pace?.windowTokens ?? bounds.windowTokens
  return run
}
