/**
 * So long after a chunk its answer goes out: longer than making and storing a voucher takes, so that the moment does not
 * tell whether one was made. Milliseconds.
 */
const ANSWER_MS = 25

interface Waiting {
  voucher: Uint8Array
  resolve: (written: Promise<void>) => void
}

export interface SteadyUpwardInit {
  write(message: Uint8Array): Promise<void>
  /** A message of a voucher's size that says nothing. */
  padding: Uint8Array
}

/**
 * What a client in the mode `strict` sends while it reads an answer: one message of one size a fixed time after every
 * chunk, a voucher if one waits, so that payments tell an onlooker nothing of the answer.
 */
export class SteadyUpward {
  readonly #init: SteadyUpwardInit
  readonly #waiting: Waiting[] = []
  readonly #timers = new Set<NodeJS.Timeout>()
  #hurried = false

  constructor(init: SteadyUpwardInit) {
    this.#init = init
  }

  /** Sends an encoded voucher with the answer to this or a later chunk. Resolves when it is written. */
  voucher(voucher: Uint8Array): Promise<void> {
    if (this.#hurried) {
      return this.#init.write(voucher)
    }
    return new Promise(resolve => {
      this.#waiting.push({ voucher, resolve })
    })
  }

  /** A chunk came. */
  answer(): void {
    this.#hurried = false
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      const next = this.#waiting.shift()
      const written = this.#init.write(next?.voucher ?? this.#init.padding)
      // A stream that is gone shows where it is read.
      written.catch(() => undefined)
      next?.resolve(written)
    }, ANSWER_MS)
    this.#timers.add(timer)
  }

  /** The provider waits for a payment, or no chunk will come: vouchers go out at once until the next one comes. */
  hurry(): void {
    this.#hurried = true
    for (const { voucher, resolve } of this.#waiting.splice(0)) {
      resolve(this.#init.write(voucher))
    }
  }

  /** Nothing more is to be hidden: the job is over. */
  stop(): void {
    this.#timers.forEach(clearTimeout)
    this.#timers.clear()
    this.hurry()
  }
}
