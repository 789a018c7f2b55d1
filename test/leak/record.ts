import type { Engine } from '../../src/inference/index.ts'
import type { PromptClass } from './prompts.ts'

/** One answer as its model made it: every token with the time since the one before, or since the question. */
export interface Recording {
  label: number
  tokens: ReadonlyArray<{ text: string; gapMs: number }>
}

export interface RecordInit {
  samples: number
  maxTokens: number
  seed: number
}

/** Answers of every class, each sample with a seed of its own, in an order that mixes the classes. */
export async function recordAnswers(
  engine: Engine,
  classes: readonly PromptClass[],
  { samples, maxTokens, seed }: RecordInit
): Promise<Recording[]> {
  const recordings: Recording[] = []
  for (let sample = 0; sample < samples; sample++) {
    for (const [label, { content }] of classes.entries()) {
      recordings.push({ label, tokens: await record(engine, content, maxTokens, seed + sample * 1_000 + label) })
    }
  }
  return recordings
}

async function record(engine: Engine, content: string, maxTokens: number, seed: number): Promise<Recording['tokens']> {
  const tokens: Array<{ text: string; gapMs: number }> = []
  let lastMs = performance.now()
  const messages = [{ role: 'user' as const, content }]
  for await (const event of engine.generate({ messages, maxTokens, temperature: 1, seed })) {
    if (event.type === 'text') {
      const nowMs = performance.now()
      tokens.push({ text: event.text, gapMs: nowMs - lastMs })
      lastMs = nowMs
    }
  }
  return tokens
}
