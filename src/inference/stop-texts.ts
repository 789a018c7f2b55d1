/** Finds stop texts in a stream, holding back whatever may turn out to be the start of one. */
export class StopTexts {
  readonly #stops: readonly string[]
  #held = ''

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter(stop => stop !== '')
  }

  /** Text that is safe to hand out. When `stopped`, it ends right before the stop text and nothing may follow. */
  push(text: string): { text: string; stopped: boolean } {
    if (this.#stops.length === 0) {
      return { text, stopped: false }
    }
    const all = this.#held + text
    const found = this.#stops.map(stop => all.indexOf(stop)).filter(index => index >= 0)
    if (found.length > 0) {
      this.#held = ''
      return { text: all.slice(0, Math.min(...found)), stopped: true }
    }
    const keep = Math.max(...this.#stops.map(stop => overlap(all, stop)))
    this.#held = all.slice(all.length - keep)
    return { text: all.slice(0, all.length - keep), stopped: false }
  }

  /** What was held back, once no more text comes. */
  end(): string {
    const text = this.#held
    this.#held = ''
    return text
  }
}

/** Length of the longest end of `text` that is a beginning of `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) {
      return length
    }
  }
  return 0
}
