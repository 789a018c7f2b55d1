import { setTimeout as timeout } from 'node:timers/promises'
import { type AbortOptions, throwIfAborted } from '../../core/abort.ts'
import type { ChannelView } from '../chain.ts'
import type { PayeeDesk } from './payee-desk.ts'

/** Between two looks for a channel that is not there yet, milliseconds. */
const PAUSE_MS = 1_000

/** Channels that are waited for at once: strangers who name some that do not exist cannot make us ask all the time. */
const MAX_WAITING = 4

/**
 * Looks for channels that clients say they opened. Our server may be some blocks behind the one on which the client saw
 * its opening: one that is not there yet is looked for again for a short while.
 */
export class PayeeArrivals {
  readonly #desk: PayeeDesk
  readonly #waitMs: number
  readonly #delay: (ms: number, signal?: AbortSignal) => Promise<void>
  #waiting = 0

  constructor(desk: PayeeDesk, waitMs: number, delay?: (ms: number, signal?: AbortSignal) => Promise<void>) {
    this.#desk = desk
    this.#waitMs = waitMs
    this.#delay = delay ?? (async (ms, signal) => timeout(ms, undefined, { ref: false, ...(signal && { signal }) }))
  }

  /** The channel as the chain has it; `missing` only if it did not appear, or too many are waited for. */
  async see(channel: string, options: AbortOptions): Promise<ChannelView> {
    let view = await this.#desk.see(channel, options)
    if (view.state !== 'missing' || this.#waitMs < PAUSE_MS || this.#waiting >= MAX_WAITING) {
      return view
    }
    this.#waiting++
    try {
      for (let waitedMs = 0; view.state === 'missing' && waitedMs + PAUSE_MS <= this.#waitMs; waitedMs += PAUSE_MS) {
        await this.#delay(PAUSE_MS, options.signal).catch(() => throwIfAborted(options.signal))
        view = await this.#desk.see(channel, options)
      }
      return view
    } finally {
      this.#waiting--
    }
  }
}
