import { randomInt } from 'node:crypto'
import type { LlamaContextSequence, LlamaModel, SequenceEvaluateOptions, Token } from 'node-llama-cpp'
import { throwIfAborted } from '../core/abort.ts'
import { CancelledError } from '../core/errors.ts'
import type { GenerateEvent, GenerateOptions, GenerateRequest } from './engine.ts'
import { StopTexts } from './stop-texts.ts'
import { TextStream } from './text-stream.ts'

/** Prompt tokens evaluated between two looks at the abort signal. */
const PROMPT_STEP = 512
/** llama.cpp's own default; OpenAI's API has no such setting. */
const TOP_K = 40

export interface AnswerInit {
  model: LlamaModel
  /** An empty sequence. */
  sequence: LlamaContextSequence
  prompt: readonly Token[]
  request: GenerateRequest
  /** Most completion tokens that fit. */
  limit: number
  signal: AbortSignal
  mayGenerate?: GenerateOptions['mayGenerate']
}

/**
 * Makes one answer in a sequence of its own. Ends at the model's end-of-generation tokens, which are neither
 * shown nor counted.
 */
export async function* answer(init: AnswerInit): AsyncGenerator<GenerateEvent> {
  const { model, sequence, prompt, signal, limit, mayGenerate } = init
  const promptTokens = prompt.length
  const text = new TextStream((tokens, before) => model.detokenize(tokens as Token[], false, before as Token[]), prompt)
  const stops = new StopTexts(init.request.stop ?? [])
  await hold(mayGenerate?.(0), signal)
  // Before the prompt is evaluated: how long that takes must not show in when its count goes out.
  yield { type: 'prompt', promptTokens, cachedPromptTokens: 0 }
  const rest = await evaluateHead(sequence, prompt, signal)
  let completionTokens = 0
  for await (const token of sequence.evaluate(rest, sampling(init.request))) {
    throwIfAborted(signal)
    completionTokens += 1
    const piece = stops.push(text.push(token))
    if (piece.stopped || completionTokens >= limit) {
      const last = piece.stopped ? piece : finish(text, stops, piece.text)
      yield { type: 'text', text: last.text, completionTokens }
      yield { type: 'end', finishReason: last.stopped ? 'stop' : 'length', promptTokens, completionTokens }
      return
    }
    yield { type: 'text', text: piece.text, completionTokens }
    const gate = mayGenerate?.(completionTokens)
    if (gate !== undefined) {
      await hold(gate, signal)
    }
    throwIfAborted(signal)
  }
  const { text: tail } = finish(text, stops, '')
  if (tail !== '') {
    yield { type: 'text', text: tail, completionTokens }
  }
  yield { type: 'end', finishReason: 'stop', promptTokens, completionTokens }
}

/** Everything still held back, after `before`. */
function finish(text: TextStream, stops: StopTexts, before: string): { text: string; stopped: boolean } {
  const piece = stops.push(text.end())
  return { text: before + piece.text + (piece.stopped ? '' : stops.end()), stopped: piece.stopped }
}

/** Evaluates all but the last step of a long prompt, so that a cancel need not wait for the whole. */
async function evaluateHead(
  sequence: LlamaContextSequence,
  prompt: readonly Token[],
  signal: AbortSignal
): Promise<Token[]> {
  let at = 0
  while (prompt.length - at > PROMPT_STEP) {
    throwIfAborted(signal)
    await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(at, at + PROMPT_STEP))
    at += PROMPT_STEP
  }
  throwIfAborted(signal)
  return prompt.slice(at)
}

function sampling(request: GenerateRequest): SequenceEvaluateOptions {
  return {
    temperature: request.temperature ?? 0,
    topP: request.topP ?? 1,
    topK: TOP_K,
    minP: 0,
    seed: request.seed ?? randomInt(2 ** 32)
  }
}

/** Waits for the gate, or for the signal. */
async function hold(gate: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  if (gate === undefined) {
    return
  }
  throwIfAborted(signal)
  let abort!: () => void
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(new CancelledError('Cancelled', { cause: signal.reason }))
  })
  signal.addEventListener('abort', abort, { once: true })
  try {
    await Promise.race([gate, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
