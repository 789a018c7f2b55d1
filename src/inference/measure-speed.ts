import type { AbortOptions } from '../core/abort.ts'
import { EnvironmentError } from '../core/errors.ts'
import type { Engine } from './engine.ts'

const QUESTION = 'Tell me a story about a fox.'
const TOKENS = 64
const LONG_ENOUGH_MS = 2_000

/** What a short real answer showed. */
export interface SpeedReport {
  /** Completion tokens per second of one answer, first token left out. */
  tokensPerSecond: number
  /** From asking to the first token, in milliseconds. */
  firstTokenMs: number
  completionTokens: number
}

/**
 * Asks the model one short question: a self-test that text comes out, and the speed that is advertised.
 *
 * @throws {EnvironmentError} `MODEL_SELF_TEST_FAILED` if no text comes out
 */
export async function measureSpeed(engine: Engine, options: AbortOptions = {}): Promise<SpeedReport> {
  const startMs = performance.now()
  let firstMs = 0
  let lastMs = 0
  let completionTokens = 0
  let sawText = false
  const messages = [{ role: 'user' as const, content: QUESTION }]
  for await (const event of engine.generate({ messages, maxTokens: TOKENS, temperature: 0 }, options)) {
    if (event.type === 'text') {
      lastMs = performance.now()
      firstMs = completionTokens === 0 ? lastMs : firstMs
      completionTokens = event.completionTokens
      sawText ||= event.text !== ''
      if (lastMs - startMs > LONG_ENOUGH_MS && completionTokens > 1) {
        break
      }
    }
  }
  if (!sawText) {
    throw new EnvironmentError(
      'MODEL_SELF_TEST_FAILED',
      `${engine.model.name} gave no text for a short question: use another GGUF file`
    )
  }
  const spanMs = completionTokens > 1 ? lastMs - firstMs : lastMs - startMs
  const counted = completionTokens > 1 ? completionTokens - 1 : completionTokens
  return {
    tokensPerSecond: (counted / Math.max(spanMs, 0.001)) * 1000,
    firstTokenMs: firstMs - startMs,
    completionTokens
  }
}
