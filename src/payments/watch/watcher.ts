import { setTimeout as timeout } from 'node:timers/promises'
import type { AbortOptions } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'

/** Something to be looked at again and again. */
export interface Watched {
  /** Raw address. */
  channel: string
  /** Longest time between two looks, milliseconds. */
  paceMs: number
}

export interface WatcherComponents {
  clock: Clock
  /** Waits between looks; injected so that tests own time. */
  delay?: (ms: number, signal?: AbortSignal) => Promise<void>
}

export interface WatcherInit {
  /** What is to be watched now. */
  watched: () => Iterable<Watched>
  /** Looks at one. It should only read: others wait for it. */
  look: (channel: string, options: AbortOptions) => Promise<void>
  /** A look failed; it is made again soon. `failures`: how many failed in a row. */
  onError: (channel: string, err: unknown, failures: number) => void
}

const PARALLEL_LOOKS = 8
const SHORTEST_PACE_MS = 500
const LONGEST_PACE_MS = 60_000
/** Looks within one challenge period. */
const LOOKS_PER_CHALLENGE = 20
const LONGEST_SLEEP_MS = 5_000
const SHORTEST_SLEEP_MS = 100
const FIRST_RETRY_MS = 1_000

/** How often a channel has to be looked at so that a close of its payer is noticed early in the challenge period, milliseconds. */
export function watchPaceMs(challengeSeconds: number): number {
  return Math.min(LONGEST_PACE_MS, Math.max(SHORTEST_PACE_MS, (challengeSeconds * 1000) / LOOKS_PER_CHALLENGE))
}

/**
 * Looks at each of a changing set of channels at its own pace, the longest waiting first. A look that fails is made again
 * after 1 s, 2 s, … up to the pace: never a busy loop, and never later than the pace asks for.
 */
export class Watcher {
  readonly #clock: Clock
  readonly #init: WatcherInit
  readonly #delay: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly #stopped = new AbortController()
  readonly #lastMs = new Map<string, number>()
  readonly #failures = new Map<string, number>()
  #loop: Promise<void> | undefined

  constructor({ clock, delay }: WatcherComponents, init: WatcherInit) {
    this.#clock = clock
    this.#init = init
    this.#delay = delay ?? (async (ms, signal) => timeout(ms, undefined, { ref: false, ...(signal && { signal }) }))
  }

  /** Watches until `stop`. */
  start(): void {
    this.#loop ??= this.#watch()
  }

  /** Looks at nothing more, and waits for looks under way. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#loop
  }

  /** Looks at everything once, now. Never rejects: what failed is looked at again. */
  async sweep(options: AbortOptions = {}): Promise<void> {
    await this.#lookAt(
      [...this.#init.watched()].map(({ channel }) => channel),
      options
    )
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped
    while (!signal.aborted) {
      const watched = [...this.#init.watched()]
      this.#forgetOthers(watched)
      const nowMs = this.#clock.nowMs()
      const due = watched
        .map(one => ({ channel: one.channel, waitMs: this.#waitMs(one, nowMs) }))
        .toSorted((a, b) => a.waitMs - b.waitMs)
      await this.#lookAt(
        due.filter(({ waitMs }) => waitMs <= 0).map(({ channel }) => channel),
        { signal }
      )
      const nextMs = Math.min(LONGEST_SLEEP_MS, ...watched.map(one => this.#waitMs(one, this.#clock.nowMs())))
      await this.#delay(Math.max(SHORTEST_SLEEP_MS, nextMs), signal).catch(() => undefined)
    }
  }

  /** How long until the next look at it is due; not positive if it is. */
  #waitMs({ channel, paceMs }: Watched, nowMs: number): number {
    const lastMs = this.#lastMs.get(channel)
    if (lastMs === undefined || lastMs > nowMs) {
      return 0
    }
    const failures = this.#failures.get(channel) ?? 0
    const pauseMs = failures === 0 ? paceMs : Math.min(paceMs, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10))
    return lastMs + pauseMs - nowMs
  }

  async #lookAt(channels: string[], options: AbortOptions): Promise<void> {
    const work = async (): Promise<void> => {
      for (let channel = channels.shift(); channel !== undefined; channel = channels.shift()) {
        await this.#lookOnce(channel, options)
      }
    }
    await Promise.all(Array.from({ length: Math.min(PARALLEL_LOOKS, channels.length) }, work))
  }

  async #lookOnce(channel: string, options: AbortOptions): Promise<void> {
    const isStopped = (): boolean => options.signal?.aborted === true
    if (isStopped()) {
      return
    }
    try {
      await this.#init.look(channel, options)
      this.#failures.delete(channel)
    } catch (err) {
      if (!isStopped()) {
        const failures = (this.#failures.get(channel) ?? 0) + 1
        this.#failures.set(channel, failures)
        this.#init.onError(channel, err, failures)
      }
    }
    this.#lastMs.set(channel, this.#clock.nowMs())
  }

  #forgetOthers(watched: readonly Watched[]): void {
    const known = new Set(watched.map(({ channel }) => channel))
    for (const channel of this.#lastMs.keys()) {
      if (!known.has(channel)) {
        this.#lastMs.delete(channel)
        this.#failures.delete(channel)
      }
    }
  }
}
