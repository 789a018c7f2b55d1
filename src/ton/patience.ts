import type { AbortOptions } from '../core/abort.ts'
import type { Random } from '../core/random.ts'
import { jittered } from './endpoint-health.ts'
import type { Sleep } from './wait.ts'

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 2_000

/** Growing pauses until a limit. */
export class Patience {
  readonly #sleep: Sleep
  readonly #random: Random
  #leftMs: number
  #pauseMs = FIRST_PAUSE_MS

  constructor({ sleep, random }: { sleep: Sleep; random: Random }, limitMs: number) {
    this.#sleep = sleep
    this.#random = random
    this.#leftMs = limitMs
  }

  /**
   * @returns false if the limit is reached
   * @throws {CancelledError} `CANCELLED`
   */
  async pause(options: AbortOptions): Promise<boolean> {
    if (this.#leftMs <= 0) {
      return false
    }
    const pauseMs = Math.min(jittered(this.#pauseMs, this.#random), this.#leftMs)
    this.#leftMs -= pauseMs
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)
    await this.#sleep(pauseMs, options)
    return true
  }
}
