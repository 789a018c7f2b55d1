import type { AbortOptions } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { SharedWork } from '../../core/shared-work.ts'
import { KeptFiles } from './kept-files.ts'

const HOUR_MS = 60 * 60_000
/** How long before its end something is renewed even if it is young. */
const RENEW_BEFORE_END_MS = 6 * HOUR_MS

export interface RenewedFilesInit {
  /** Is made where it is missing. */
  readonly folder: string
  /** How old something gets before it is fetched again, in milliseconds. @default 24 hours */
  readonly maxAgeMs?: number
  /** How long to leave a service alone that failed, in milliseconds. @default 5 minutes */
  readonly retryMs?: number
}

/** How one kind of thing lies in files. */
export interface RenewedFormat<T> {
  /** For the log: `Intel collateral`. */
  readonly what: string
  readonly maxFileBytes: number
  readonly write: (content: { readonly fetchedAtMs: number; readonly value: T }) => Uint8Array
  /** Throws on what it did not write; judges nothing. */
  readonly read: (file: Uint8Array) => { readonly fetchedAtMs: number; readonly value: T }
}

/** Something that every client's checks pass. */
export interface InForce<T> {
  readonly value: T
  /** The last moment, inclusive, Unix milliseconds. */
  readonly notAfterMs: number
}

/** One thing to keep, and where it comes from. */
export interface RenewedSubject<T> {
  /** Of its file. */
  readonly name: string
  /** For the log. */
  readonly details?: Readonly<Record<string, string>>
  readonly fetch: (nowMs: number) => Promise<InForce<T>>
  /** Makes the checks that clients make; throws where they fail. */
  readonly check: (value: T, nowMs: number) => InForce<T>
}

interface Kept<T> extends InForce<T> {
  readonly fetchedAtMs: number
}

/**
 * What vendors publish for a while, in memory and in files that outlive a restart. It is fetched anew daily, and before it
 * ends. While the service is down, what is at hand serves as long as it is in force, with a warning; what is past its end,
 * changed, or about something else never does.
 */
export class RenewedFiles<T> {
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #format: RenewedFormat<T>
  readonly #init: Required<RenewedFilesInit>
  readonly #files: KeptFiles
  readonly #kept = new Map<string, Kept<T>>()
  readonly #refreshes: SharedWork<Kept<T>>

  constructor(
    { logger, clock }: { readonly logger: Logger; readonly clock: Clock },
    format: RenewedFormat<T>,
    init: RenewedFilesInit
  ) {
    this.#logger = logger
    this.#clock = clock
    this.#format = format
    this.#init = { maxAgeMs: 24 * HOUR_MS, retryMs: 5 * 60_000, ...init }
    this.#files = new KeptFiles(init.folder)
    this.#refreshes = new SharedWork(clock, this.#init.retryMs)
  }

  /**
   * @returns what every client's checks pass now
   * @throws those of the subject's `fetch` where nothing at hand is in force
   */
  async get(subject: RenewedSubject<T>, options: AbortOptions = {}): Promise<T> {
    const kept = await this.#atHand(subject, options)
    if (kept !== undefined && !this.#isDue(kept)) {
      return kept.value
    }
    try {
      // Without the caller's signal, since others may wait for the same; requests end in time by themselves.
      const fresh = await this.#refreshes.join(subject.name, () => this.#refresh(subject, kept), options)
      return fresh.value
    } catch (cause) {
      if (kept === undefined || options.signal?.aborted === true) {
        throw cause
      }
      return kept.value
    }
  }

  /** What memory or disk has, if it is in force. */
  async #atHand({ name, check }: RenewedSubject<T>, options: AbortOptions): Promise<Kept<T> | undefined> {
    const nowMs = this.#clock.nowMs()
    const remembered = this.#kept.get(name)
    if (remembered !== undefined && nowMs <= remembered.notAfterMs && nowMs >= remembered.fetchedAtMs) {
      return remembered
    }
    this.#kept.delete(name)
    const { what, maxFileBytes, read } = this.#format
    try {
      const bytes = await this.#files.read(name, maxFileBytes, options)
      if (bytes === undefined) {
        return undefined
      }
      const { fetchedAtMs, value } = read(bytes)
      const kept = { ...check(value, nowMs), fetchedAtMs }
      this.#kept.set(name, kept)
      return kept
    } catch (cause) {
      if (options.signal?.aborted === true) {
        throw cause
      }
      this.#logger.warn(`kept ${what} cannot be used, it is fetched again`, { file: name, code: errorCode(cause) })
      return undefined
    }
  }

  #isDue({ fetchedAtMs, notAfterMs }: Kept<T>): boolean {
    const { maxAgeMs, retryMs } = this.#init
    const nowMs = this.#clock.nowMs()
    // A service that has nothing that lasts longer is not asked on every call.
    const lasts = nowMs < notAfterMs - RENEW_BEFORE_END_MS || nowMs < fetchedAtMs + retryMs
    // A clock that was set back makes it look as if it were to come.
    return !(lasts && nowMs >= fetchedAtMs && nowMs < fetchedAtMs + maxAgeMs)
  }

  async #refresh({ name, details, fetch }: RenewedSubject<T>, before: Kept<T> | undefined): Promise<Kept<T>> {
    const { what, write } = this.#format
    const fetchedAtMs = this.#clock.nowMs()
    try {
      const kept = { ...(await fetch(fetchedAtMs)), fetchedAtMs }
      this.#kept.set(name, kept)
      await this.#files.replace(name, write(kept)).catch((err: unknown) => {
        this.#logger.warn(`${what} could not be kept on disk`, { file: name, code: errorCode(err) })
      })
      return kept
    } catch (cause) {
      if (before !== undefined) {
        this.#logger.warn(`${what} could not be renewed; the copy at hand is still in force`, {
          ...details,
          until: new Date(before.notAfterMs).toISOString(),
          code: errorCode(cause),
          reason: errorMessage(cause)
        })
      }
      throw cause
    }
  }
}
