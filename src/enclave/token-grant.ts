/** How many completion tokens a run may have made: raised by the host as the client pays. */
export class TokenGrant {
  #granted: number
  #waiting: { tokens: number; open: () => void } | undefined

  constructor(granted: number) {
    this.#granted = granted
  }

  /** Raises the total; a lower one changes nothing. */
  raise(total: number): void {
    this.#granted = Math.max(this.#granted, total)
    if (this.#waiting !== undefined && this.#waiting.tokens < this.#granted) {
      const { open } = this.#waiting
      this.#waiting = undefined
      open()
    }
  }

  /** Undefined if one more token than `tokens` may be made now, else a promise of that moment. One caller at a time. */
  beyond(tokens: number): Promise<void> | undefined {
    if (tokens < this.#granted) {
      return undefined
    }
    return new Promise(open => {
      this.#waiting = { tokens, open }
    })
  }
}
