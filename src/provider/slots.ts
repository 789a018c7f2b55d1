import { toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { UnpaidPrompts } from './unpaid-prompts.ts'

/** Unpaid prompts of one peer, where there are fewer places than that. */
const MAX_UNPAID_PROMPTS = 8

/** A place in the engine, held until it is released or its time is up. */
export interface Reservation {
  readonly peerId: string
  /** Unix milliseconds; a running job has none. */
  expiresAtMs: number | undefined
}

/**
 * Names a peer's job. Job ids are public as soon as a job is announced: without the peer in the name, a stranger could
 * hold the place of another client's job.
 */
export function peerJobKey(peerId: string, jobId: Uint8Array): string {
  return `${peerId}/${toHex(jobId)}`
}

/**
 * Who holds the engine's places. An offer reserves one for a short time, so that an acceptance always finds
 * what was offered; a reservation nobody takes up falls free by itself.
 */
export class Slots {
  readonly total: number
  /** Who leaves the prompts unpaid that are read in these places. */
  readonly prompts: UnpaidPrompts
  readonly #clock: Clock
  readonly #held = new Map<string, Reservation>()
  #onRelease: () => void = () => undefined

  constructor(total: number, clock: Clock) {
    this.total = total
    this.#clock = clock
    this.prompts = new UnpaidPrompts(clock, Math.max(MAX_UNPAID_PROMPTS, total))
  }

  get free(): number {
    this.#dropExpired()
    return this.total - this.#held.size
  }

  /** Reserves a place for a job offered to `peerId`; false when none is free or the job holds one already. */
  reserve(jobKey: string, peerId: string, ttlMs: number): boolean {
    if (this.free <= 0 || this.#held.has(jobKey)) {
      return false
    }
    this.#held.set(jobKey, { peerId, expiresAtMs: this.#clock.nowMs() + ttlMs })
    return true
  }

  /** Turns a reservation of `peerId` into a running job; false when there is none. */
  begin(jobKey: string, peerId: string): boolean {
    this.#dropExpired()
    const held = this.#held.get(jobKey)
    if (held === undefined || held.peerId !== peerId || held.expiresAtMs === undefined) {
      return false
    }
    held.expiresAtMs = undefined
    return true
  }

  /** Holds an offered place longer: the client accepted and now prepares its channel. */
  extend(jobKey: string, ttlMs: number): void {
    const held = this.#held.get(jobKey)
    if (held?.expiresAtMs !== undefined) {
      held.expiresAtMs = this.#clock.nowMs() + ttlMs
    }
  }

  release(jobKey: string): void {
    if (this.#held.delete(jobKey)) {
      this.#onRelease()
    }
  }

  /** Calls back whenever a place is given back; one that merely ran out is noticed by whoever asks next. */
  onRelease(listener: () => void): void {
    this.#onRelease = listener
  }

  #dropExpired(): void {
    const now = this.#clock.nowMs()
    for (const [key, { expiresAtMs }] of this.#held) {
      if (expiresAtMs !== undefined && expiresAtMs <= now) {
        this.#held.delete(key)
      }
    }
  }
}
