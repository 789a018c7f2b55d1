import type { Clock } from '../core/clock.ts'
import type { Random } from '../core/random.ts'
import { remainingMs } from './rate-limit.ts'

const FIRST_REST_MS = 250
const MAX_REST_MS = 30_000
/** How soon to look again whether somebody's trial of a failed server went well. */
const TRIAL_CHECK_MS = 250

/**
 * When a server that failed may be asked again: after a rest that doubles with each failure, up to half a minute, and
 * then by one caller at a time until it answers.
 */
export class EndpointHealth {
  readonly #clock: Clock
  readonly #random: Random
  #failures = 0
  #restSinceMs = 0
  #restMs = 0
  #trial = false

  constructor({ clock, random }: { clock: Clock; random: Random }) {
    this.#clock = clock
    this.#random = random
  }

  /** Whether the last answer was one. */
  get isWell(): boolean {
    return this.#failures === 0
  }

  /** Milliseconds to wait before asking; 0 if it may be asked now. */
  get waitMs(): number {
    return this.#trial ? TRIAL_CHECK_MS : remainingMs(this.#clock, this.#restSinceMs, this.#restMs)
  }

  /** To be called just before asking, and the answer's functions by how it went. */
  begin(): { succeeded(): void; failed(): boolean; abandoned(): void } {
    const seen = this.#failures
    const trial = seen > 0
    this.#trial ||= trial
    const end = (): void => {
      this.#trial &&= !trial
    }
    return {
      succeeded: () => {
        end()
        this.#failures = 0
        this.#restMs = 0
      },
      /** @returns whether the server was well until now */
      failed: () => {
        end()
        // Requests that were under way together failed together: one failure.
        return this.#failures === seen && this.fail()
      },
      abandoned: end
    }
  }

  /** @returns whether the server was well until now */
  fail(): boolean {
    this.#failures++
    this.#restSinceMs = this.#clock.nowMs()
    this.#restMs = jittered(Math.min(FIRST_REST_MS * 2 ** (this.#failures - 1), MAX_REST_MS), this.#random)
    return this.#failures === 1
  }
}

/** Between half of it and all of it, so that many programs do not come back together. */
export function jittered(ms: number, random: Random): number {
  const [byte = 0] = random.bytes(1)
  return (ms * (256 + byte)) / 512
}
