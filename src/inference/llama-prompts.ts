import type { LlamaModel, Token } from 'node-llama-cpp'
import { UsageError } from '../core/errors.ts'
import type { PromptPart, PromptRenderer } from './chat-template.ts'
import type { ChatMessage } from './engine.ts'

/** What the vocabulary says that prompts need to know. */
export interface Vocabulary {
  /** Texts of the control tokens, like `<|im_end|>`. */
  controlTexts: string[]
  /** Characters of the longest token. */
  longestToken: number
}

export function readVocabulary(model: LlamaModel): Vocabulary {
  const texts: string[] = []
  let longestToken = 1
  for (const token of model.iterateAllTokens()) {
    const text = model.detokenize([token], true)
    longestToken = Math.max(longestToken, text.length)
    const attributes = model.getTokenAttributes(token)
    if (attributes.control || attributes.unknown) {
      texts.push(text)
    }
  }
  return { controlTexts: texts, longestToken }
}

/** Turns messages into the tokens of a prompt. */
export class LlamaPrompts {
  readonly #model: LlamaModel
  readonly #render: PromptRenderer
  readonly #contextTokens: number
  readonly #longestToken: number

  constructor(model: LlamaModel, render: PromptRenderer, contextTokens: number, longestToken: number) {
    this.#model = model
    this.#render = render
    this.#contextTokens = contextTokens
    this.#longestToken = longestToken
  }

  /**
   * @throws {UsageError} `PROMPT_TOO_LONG` if no room for an answer is left in the context, `PROMPT_INVALID`
   * if the chat template refuses the messages or nothing is left to evaluate
   */
  tokenize(messages: readonly ChatMessage[]): Token[] {
    const parts = this.#render(messages)
    const characters = parts.reduce((sum, part) => sum + part.text.length, 0)
    // No token is longer, so this many characters cannot fit: known without seconds of tokenizing.
    this.#requireRoom(Math.ceil(characters / this.#longestToken), 'at least ')
    const tokens = parts.flatMap((part, index) => this.#tokenizePart(part, index))
    const { bos, shouldPrependBosToken } = this.#model.tokens
    if (shouldPrependBosToken && bos !== null && tokens[0] !== bos) {
      tokens.unshift(bos)
    }
    if (tokens.length === 0) {
      throw new UsageError('PROMPT_INVALID', 'The prompt is empty: give at least one message with text')
    }
    this.#requireRoom(tokens.length, '')
    return tokens
  }

  #tokenizePart(part: PromptPart, index: number): Token[] {
    return this.#model.tokenize(part.text, part.special, index === 0 ? undefined : 'trimLeadingSpace')
  }

  #requireRoom(tokens: number, about: string): void {
    if (tokens >= this.#contextTokens) {
      throw new UsageError(
        'PROMPT_TOO_LONG',
        `The prompt has ${about}${tokens} tokens: this model takes ${this.#contextTokens} with the answer. Shorten it`
      )
    }
  }
}
