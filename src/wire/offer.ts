import { type NanoTon, nanoTon } from '../core/nano-ton.ts'
import type { TokenPrices } from '../core/price.ts'
import { decodeAmount, decodeWire, encodeAmount, requireBytes, requireField, requireText } from './check.ts'
import { OfferAnswer as WireAnswer, Offer as WireOffer } from './generated/job.ts'
import { LIMITS } from './limits.ts'

/** What a provider would do a job for (design §4, step 3). */
export interface Offer {
  jobId: Uint8Array
  prices: TokenPrices
  /** Jobs ahead of this one. */
  queue: number
  expectedTtftMs: number
  minimumDeposit: NanoTon
  /** Completion tokens the client prepays at most. */
  windowTokens: number
  /** Until when it can be taken, Unix milliseconds. */
  expiresAtMs: number
  /** The most the job will cost: the provider ends it before it would be more. */
  maxCost: NanoTon
  /** How long an accepted job may take to open its stream, milliseconds. */
  startWithinMs: number
}

export interface OfferAnswer {
  accepted: boolean
  reason: string
}

export function encodeOffer(offer: Offer): Uint8Array {
  const { prices, expiresAtMs, maxCost } = offer
  return WireOffer.encode({
    ...offer,
    ...prices,
    expiresAtMs: BigInt(expiresAtMs),
    maxCost: encodeAmount(maxCost)
  })
}

/** @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED` */
export function decodeOffer(bytes: Uint8Array): Offer {
  const name = 'Offer'
  const wire = decodeWire(name, bytes, LIMITS.offerBytes, b => WireOffer.decode(b))
  requireBytes(name, 'jobId', wire.jobId, LIMITS.jobIdBytes)
  requireField(name, 'expiresAtMs', wire.expiresAtMs <= BigInt(Number.MAX_SAFE_INTEGER), 'a safe integer')
  requireField(name, 'windowTokens', wire.windowTokens >= 1 && wire.windowTokens <= 4096, '1 to 4096')
  return {
    jobId: wire.jobId,
    prices: {
      promptPerMTokens: nanoTon(wire.promptPerMTokens),
      cachedPromptPerMTokens: nanoTon(wire.cachedPromptPerMTokens),
      completionPerMTokens: nanoTon(wire.completionPerMTokens)
    },
    queue: wire.queue,
    expectedTtftMs: wire.expectedTtftMs,
    minimumDeposit: nanoTon(wire.minimumDeposit),
    windowTokens: wire.windowTokens,
    expiresAtMs: Number(wire.expiresAtMs),
    maxCost: decodeAmount(name, 'maxCost', wire.maxCost),
    startWithinMs: wire.startWithinMs
  }
}

export function encodeOfferAnswer(answer: OfferAnswer): Uint8Array {
  return WireAnswer.encode(answer)
}

/** @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED` */
export function decodeOfferAnswer(bytes: Uint8Array): OfferAnswer {
  const wire = decodeWire('Offer answer', bytes, LIMITS.offerBytes, b => WireAnswer.decode(b))
  requireText('Offer answer', 'reason', wire.reason, 200)
  return wire
}
