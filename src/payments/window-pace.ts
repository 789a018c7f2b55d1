/** What is known of a link and a model before a job's first token. */
export interface PaceInit {
  /** The most that may be prepaid, tokens: of the provider's offer and the client's own limit, the lower one. */
  maxTokens: number
  /**
   * Last ping, milliseconds.
   * @default 100
   */
  roundTripMs?: number
  /**
   * What the provider says of its speed.
   * @default 50
   */
  tokensPerSecond?: number
}

/**
 * How far ahead a job is paid. A voucher takes effect one round trip after the token that caused it came, so this much
 * must be prepaid for the stream not to wait; anything more is only at risk.
 */
export interface Pace {
  readonly maxTokens: number
  /** Completion tokens to prepay at a time. */
  readonly windowTokens: number
  /** The next voucher is due when fewer tokens than this are left. */
  readonly lowTokens: number
  readonly roundTripMs: number
  /** Signing, storing and sending a voucher; falls slowly. */
  readonly signingMs: number
  readonly tokensPerMs: number
  /** Most tokens that came in one chunk lately. */
  readonly chunkTokens: number
  /**
   * Where stalls showed that the measures are not the whole truth: no smaller window than this, and vouchers no later than
   * at half of it. Up to twice `maxTokens`.
   */
  readonly floorTokens: number
  /** Tokens since the floor was last changed. */
  readonly sinceFloor: number
  /** Windows without a stall after which the floor is halved: twice as many after each stall. */
  readonly calmWindows: number
  /** The measurement under way. */
  readonly span: { readonly sinceMs: number; readonly tokens: number } | undefined
  /** When the provider said that it waits; undefined unless it does. */
  readonly stalledAtMs: number | undefined
}

/** Below this, vouchers would be more work than they save in risk: two durable writes for a dozen tokens. */
const SMALLEST_WINDOW = 24
/** A rate is measured over at least so long: tokens come in bursts. */
const SPAN_MS = 100
/** Links and models are not steady. */
const MARGIN = 1.25
/** Longer than any network takes: the provider was busy with something else. */
const LONGEST_ROUND_TRIP_MS = 10_000
/** After so many windows without a stall, the window may shrink again. */
const CALM_WINDOWS = 8
const MOST_CALM_WINDOWS = 4_096

/** The pace of a job's beginning. */
export function startPace({ maxTokens, roundTripMs = 100, tokensPerSecond = 50 }: PaceInit): Pace {
  return fit({
    maxTokens,
    windowTokens: 0,
    lowTokens: 0,
    roundTripMs: sane(roundTripMs, LONGEST_ROUND_TRIP_MS),
    signingMs: 0,
    tokensPerMs: sane(tokensPerSecond, 1e6) / 1000,
    chunkTokens: 1,
    floorTokens: 0,
    sinceFloor: 0,
    calmWindows: CALM_WINDOWS,
    span: undefined,
    stalledAtMs: undefined
  })
}

/** After `tokens` came in one chunk. */
export function paceAfterChunk(pace: Pace, tokens: number, nowMs: number): Pace {
  const { span, stalledAtMs } = pace
  const sinceFloor = pace.sinceFloor + tokens
  const calm = sinceFloor >= pace.calmWindows * pace.windowTokens
  const next: Pace = {
    ...pace,
    chunkTokens: Math.max(tokens, pace.chunkTokens - 1, 1),
    floorTokens: calm ? Math.floor(pace.floorTokens / 2) : pace.floorTokens,
    sinceFloor: calm ? 0 : sinceFloor,
    stalledAtMs: undefined,
    // From the stall's demand to the chunk that the voucher freed is a round trip as vouchers see it.
    ...(stalledAtMs === undefined ? {} : { roundTripMs: longer(pace.roundTripMs, nowMs - stalledAtMs) })
  }
  if (span === undefined || stalledAtMs !== undefined || nowMs < span.sinceMs) {
    return fit({ ...next, span: { sinceMs: nowMs, tokens: 0 } })
  }
  const counted = span.tokens + tokens
  const elapsedMs = nowMs - span.sinceMs
  if (elapsedMs < SPAN_MS) {
    return fit({ ...next, span: { ...span, tokens: counted } })
  }
  const rate = counted / elapsedMs
  // Faster at once, slower by and by: a window too small costs time, one too large only risk.
  const tokensPerMs = Math.max(rate, pace.tokensPerMs * 0.75 + rate * 0.25)
  return fit({ ...next, tokensPerMs, span: { sinceMs: nowMs, tokens: 0 } })
}

/** After a voucher was signed, stored and handed to the link. */
export function paceAfterVoucher(pace: Pace, tookMs: number): Pace {
  return fit({ ...pace, signingMs: Math.max(sane(tookMs, LONGEST_ROUND_TRIP_MS), pace.signingMs * 0.9) })
}

/** The provider waits for a voucher: more has to be prepaid, whatever was measured. */
export function paceAfterStall(pace: Pace, nowMs: number): Pace {
  const floorTokens = Math.min(pace.maxTokens * 2, Math.max(pace.windowTokens, pace.floorTokens) * 2)
  const calmWindows = Math.min(MOST_CALM_WINDOWS, pace.calmWindows * 2)
  return fit({ ...pace, floorTokens, sinceFloor: 0, calmWindows, stalledAtMs: nowMs })
}

function fit(pace: Pace): Pace {
  const { maxTokens, tokensPerMs, roundTripMs, signingMs, chunkTokens, floorTokens } = pace
  const underWay = tokensPerMs * (roundTripMs + signingMs) * MARGIN
  const needed = Math.ceil(underWay) + chunkTokens + 1
  const windowTokens = Math.max(1, Math.min(maxTokens, Math.max(SMALLEST_WINDOW, 2 * needed, floorTokens)))
  // Where the limit cuts the window short, vouchers come more often instead.
  const lowTokens = Math.min(windowTokens, Math.max(needed, Math.ceil(Math.max(windowTokens, floorTokens) / 2)))
  return { ...pace, windowTokens, lowTokens }
}

function longer(knownMs: number, seenMs: number): number {
  return Math.max(knownMs, sane(seenMs, LONGEST_ROUND_TRIP_MS))
}

/** What peers and clocks say may be anything. */
function sane(value: number, most: number): number {
  return Number.isFinite(value) ? Math.min(most, Math.max(0, value)) : 0
}
