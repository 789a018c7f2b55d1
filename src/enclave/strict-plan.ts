/** Time between two frames in the mode `strict`, in milliseconds. */
export const TICK_MS = 100

/** Completion tokens that become visible to the host together in the mode `strict`. */
export const STRICT_STEP_TOKENS = 32

/**
 * Ticks between two such steps, and before the first one, at least: the payment for one is under way while the next is
 * made, and a provider that has to ask for it would show when that was. Longer than a message around the world and back.
 */
export const STEP_TICKS = 4

/** No answer in the mode `strict` has fewer frames: it covers a short prompt's evaluation on a slow machine. */
const MIN_TICKS = 16

/** Nor is any planned longer, about seven minutes: padding holds the provider's place, and nobody pays for it. */
const MAX_TICKS = 4_096

/** A machine that serves several answers, or anything else, is slower than its self-test. */
const MARGIN = 2

/** Bytes of a sealed request whose evaluation takes about as long as making one token. */
const REQUEST_BYTES_PER_TOKEN = 32

/**
 * Frames of an answer in the mode `strict`: a power of two that lasts for the longest answer the job allows. It is made of
 * what an onlooker knows anyway, and of nothing that was asked or answered.
 *
 * @param maxTokens completion tokens the job and the model's context allow
 * @param requestBytes size of the sealed request
 * @param tokensPerSecond the enclave's self-test
 */
export function plannedTicks(maxTokens: number, requestBytes: number, tokensPerSecond: number): number {
  const tokensPerTick = Math.min((tokensPerSecond * TICK_MS) / 1_000, STRICT_STEP_TOKENS / STEP_TICKS)
  const ticks = (MARGIN * (maxTokens + requestBytes / REQUEST_BYTES_PER_TOKEN)) / tokensPerTick
  return 2 ** Math.ceil(Math.log2(Math.min(MAX_TICKS, Math.max(MIN_TICKS, ticks))))
}
