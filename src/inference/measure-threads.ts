import type { LlamaModel, Token } from 'node-llama-cpp'

const CONTEXT_TOKENS = 256
const WARM_UP_TOKENS = 4
const TOKENS = 24
const LONG_ENOUGH_MS = 1_500

/**
 * Tokens per second of a short generation with this many threads. Takes about 1.5 s at
 * most, or five tokens of a model that needs longer for them.
 */
export async function measureThreads(model: LlamaModel, threads: number): Promise<number> {
  const context = await model.createContext({ sequences: 1, contextSize: CONTEXT_TOKENS, batchSize: 32, threads })
  try {
    const sequence = context.getSequence()
    const prompt = [model.tokens.bos ?? model.tokens.eos ?? (0 as Token)]
    let count = 0
    let startMs = performance.now()
    // End-of-generation tokens go on like any other: only the speed matters.
    for await (const _ of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
      count += 1
      if (count === WARM_UP_TOKENS) {
        startMs = performance.now()
      }
      if (
        count >= WARM_UP_TOKENS + TOKENS ||
        (count > WARM_UP_TOKENS && performance.now() - startMs > LONG_ENOUGH_MS)
      ) {
        break
      }
    }
    return ((count - WARM_UP_TOKENS) / (performance.now() - startMs)) * 1000
  } finally {
    await context.dispose()
  }
}
