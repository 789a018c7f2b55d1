import type { AbortOptions } from '../core/abort.ts'
import { CancelledError } from '../core/errors.ts'

interface Waiter<T> {
  take: (slot: T) => void
  refuse: (error: Error) => void
}

/** Hands out a fixed set of slots, first come first served. */
export class SlotQueue<T> {
  readonly #free: T[]
  readonly #waiting = new Set<Waiter<T>>()
  #closedBy: Error | undefined

  constructor(slots: readonly T[]) {
    this.#free = [...slots]
  }

  /** Callers in line. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Slots nobody holds. */
  get free(): number {
    return this.#free.length
  }

  /**
   * @throws {CancelledError} `CANCELLED` if the signal fires first; the place in line is given up
   * @throws the error given to `close()`
   */
  async acquire(options: AbortOptions = {}): Promise<T> {
    const { signal } = options
    if (this.#closedBy !== undefined) {
      throw this.#closedBy
    }
    if (signal?.aborted === true) {
      throw new CancelledError('Cancelled before a slot was free', { cause: signal.reason })
    }
    const slot = this.#free.shift()
    if (slot !== undefined) {
      return slot
    }
    return new Promise<T>((resolve, reject) => {
      const settle = (): void => {
        this.#waiting.delete(waiter)
        signal?.removeEventListener('abort', abort)
      }
      const abort = (): void => {
        settle()
        reject(new CancelledError('Cancelled while waiting for a slot', { cause: signal?.reason }))
      }
      const waiter: Waiter<T> = {
        take: given => {
          settle()
          resolve(given)
        },
        refuse: error => {
          settle()
          reject(error)
        }
      }
      this.#waiting.add(waiter)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  release(slot: T): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free.push(slot)
    } else {
      next.take(slot)
    }
  }

  /** Refuses everyone in line and everyone who comes later. */
  close(error: Error): void {
    this.#closedBy = error
    for (const waiter of this.#waiting) {
      waiter.refuse(error)
    }
  }
}
