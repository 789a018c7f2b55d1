/**
 * Values handed from events to one `for await` reader. Values queued before `fail` are delivered before its error.
 */
export class AsyncQueue<T> implements AsyncIterable<T> {
  readonly #values: T[] = []
  #end: { readonly error?: unknown } | undefined
  #wake: (() => void) | undefined

  get length(): number {
    return this.#values.length
  }

  push(value: T): void {
    if (this.#end === undefined) {
      this.#values.push(value)
      this.#wake?.()
    }
  }

  end(): void {
    this.#end ??= {}
    this.#wake?.()
  }

  fail(error: unknown): void {
    this.#end ??= { error }
    this.#wake?.()
  }

  /** Drops what is queued and fails at once. */
  destroy(error: unknown): void {
    this.#values.length = 0
    this.#end = { error }
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    while (true) {
      const value = this.#values.shift()
      if (value !== undefined) {
        yield value
      } else if (this.#end === undefined) {
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
      } else if ('error' in this.#end) {
        throw this.#end.error
      } else {
        return
      }
    }
  }
}
