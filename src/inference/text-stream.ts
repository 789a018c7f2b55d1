/** Text of `tokens` as it reads after `before`. */
export type Detokenize = (tokens: readonly number[], before: readonly number[]) => string

const REPLACEMENT = '\uFFFD'
/** Tokens kept to give the detokenizer its context. */
const CONTEXT_TOKENS = 8
/** A character has at most four bytes: text that is still broken after this many tokens never was UTF-8. */
const MAX_PENDING = 16

/**
 * Turns tokens into text piece by piece. A token may hold part of a character (byte fallback): its text is
 * held back until the character is whole, so that the pieces join to exactly the text of all tokens.
 */
export class TextStream {
  readonly #detokenize: Detokenize
  #before: readonly number[]
  #pending: number[] = []

  /** @param before the prompt's tokens, of which the last few matter */
  constructor(detokenize: Detokenize, before: readonly number[]) {
    this.#detokenize = detokenize
    this.#before = before.slice(-CONTEXT_TOKENS)
  }

  /** Text that is whole after one more token, or the empty string. */
  push(token: number): string {
    this.#pending.push(token)
    const text = this.#detokenize(this.#pending, this.#before)
    if (text.endsWith(REPLACEMENT) && this.#pending.length < MAX_PENDING) {
      return ''
    }
    this.#settle()
    return text
  }

  /** What was still held back: broken characters read as U+FFFD. */
  end(): string {
    const text = this.#pending.length === 0 ? '' : this.#detokenize(this.#pending, this.#before)
    this.#settle()
    return text
  }

  #settle(): void {
    this.#before = [...this.#before, ...this.#pending].slice(-CONTEXT_TOKENS)
    this.#pending = []
  }
}
