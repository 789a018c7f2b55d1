import { canonicalBytes, decodeDocument, integer, object, oneOf, type Reader } from '../../attest/document.ts'
import { readCollateral, type TdxCollateral } from '../../attest/tdx/collateral.ts'
import type { AbortOptions } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { CheckedCollateral, CollateralSubject } from './intel-collateral.ts'
import { KeptFiles } from './kept-files.ts'
import { SharedWork } from './shared-work.ts'

const HOUR_MS = 60 * 60_000
const DEFAULT_RETRY_MS = 5 * 60_000
const MAX_FILE_BYTES = 2 * 1024 * 1024
/** How long before its end collateral is renewed even if it is young. */
const RENEW_BEFORE_END_MS = 6 * HOUR_MS

export interface CollateralStoreComponents {
  readonly logger: Logger
  readonly clock: Clock
  readonly service: {
    fetch(subject: CollateralSubject, nowMs: number, options?: AbortOptions): Promise<CheckedCollateral>
    check(collateral: TdxCollateral, subject: CollateralSubject, nowMs: number): CheckedCollateral
  }
}

export interface CollateralStoreInit {
  /** Is made where it is missing. */
  readonly folder: string
  /** How old collateral gets before it is fetched again. @default 24 hours */
  readonly maxAgeMs?: number
  /** How long to leave a service alone that failed, in milliseconds. @default 5 minutes */
  readonly retryMs?: number
}

interface Kept extends CheckedCollateral {
  readonly fetchedAtMs: number
}

interface KeptFile {
  version: 1
  fetchedAtMs: number
  collateral: TdxCollateral
}

const FILE_KIND = { name: 'Kept collateral', codePrefix: 'ATTESTATION_COLLATERAL', maxBytes: MAX_FILE_BYTES }
const readFile: Reader<KeptFile> = object<KeptFile>({
  version: oneOf([1]),
  fetchedAtMs: integer(0),
  collateral: value => readCollateral(value)
})

/**
 * Intel's collateral of this machine's platform, in memory and in files that outlive a restart. It is fetched anew daily,
 * and before the first of its parts ends. While the service is down, what is at hand serves as long as it is in force,
 * with a warning; collateral that is past its end, changed, or about another platform never does.
 */
export class CollateralStore {
  readonly #components: CollateralStoreComponents
  readonly #init: Required<CollateralStoreInit>
  readonly #files: KeptFiles
  readonly #kept = new Map<string, Kept>()
  readonly #refreshes: SharedWork<Kept>

  constructor(components: CollateralStoreComponents, init: CollateralStoreInit) {
    this.#components = components
    this.#init = { maxAgeMs: 24 * HOUR_MS, retryMs: DEFAULT_RETRY_MS, ...init }
    this.#files = new KeptFiles(init.folder)
    this.#refreshes = new SharedWork(components.clock, this.#init.retryMs)
  }

  /**
   * @returns collateral that every client's checks pass now
   * @throws those of {@link IntelService.fetch} where nothing at hand is in force
   */
  async collateral(subject: CollateralSubject, options: AbortOptions = {}): Promise<TdxCollateral> {
    const name = `tdx-${subject.fmspc}-${subject.ca}.json`
    const kept = await this.#atHand(name, subject, options)
    if (kept !== undefined && !this.#isDue(kept)) {
      return kept.collateral
    }
    try {
      // Without the caller's signal, since others may wait for the same; requests end in time by themselves.
      const fresh = await this.#refreshes.join(name, () => this.#refresh(name, subject, kept), options)
      return fresh.collateral
    } catch (cause) {
      if (kept === undefined || options.signal?.aborted === true) {
        throw cause
      }
      return kept.collateral
    }
  }

  /** What memory or disk has, if it is in force. */
  async #atHand(name: string, subject: CollateralSubject, options: AbortOptions): Promise<Kept | undefined> {
    const nowMs = this.#components.clock.nowMs()
    const remembered = this.#kept.get(name)
    if (remembered !== undefined && nowMs <= remembered.notAfterMs && nowMs >= remembered.fetchedAtMs) {
      return remembered
    }
    this.#kept.delete(name)
    try {
      const bytes = await this.#files.read(name, MAX_FILE_BYTES, options)
      if (bytes === undefined) {
        return undefined
      }
      const { fetchedAtMs, collateral } = decodeDocument(FILE_KIND, bytes, readFile)
      const kept = { ...this.#components.service.check(collateral, subject, nowMs), fetchedAtMs }
      this.#kept.set(name, kept)
      return kept
    } catch (cause) {
      if (options.signal?.aborted === true) {
        throw cause
      }
      this.#components.logger.warn('kept Intel collateral cannot be used, it is fetched again', {
        file: name,
        code: errorCode(cause)
      })
      return undefined
    }
  }

  #isDue({ fetchedAtMs, notAfterMs }: Kept): boolean {
    const { maxAgeMs, retryMs } = this.#init
    const nowMs = this.#components.clock.nowMs()
    // A service that has nothing that lasts longer is not asked on every call.
    const lasts = nowMs < notAfterMs - RENEW_BEFORE_END_MS || nowMs < fetchedAtMs + retryMs
    // A clock that was set back makes it look as if it were to come.
    return !(lasts && nowMs >= fetchedAtMs && nowMs < fetchedAtMs + maxAgeMs)
  }

  async #refresh(name: string, subject: CollateralSubject, before: Kept | undefined): Promise<Kept> {
    const { service, clock, logger } = this.#components
    const fetchedAtMs = clock.nowMs()
    try {
      const kept = { ...(await service.fetch(subject, fetchedAtMs)), fetchedAtMs }
      this.#kept.set(name, kept)
      const file: KeptFile = { version: 1, fetchedAtMs, collateral: kept.collateral }
      await this.#files.replace(name, canonicalBytes(file)).catch((err: unknown) => {
        logger.warn('Intel collateral could not be kept on disk', { file: name, code: errorCode(err) })
      })
      return kept
    } catch (cause) {
      if (before !== undefined) {
        logger.warn('Intel collateral could not be renewed; the copy at hand is still in force', {
          fmspc: subject.fmspc,
          until: new Date(before.notAfterMs).toISOString(),
          code: errorCode(cause),
          reason: errorMessage(cause)
        })
      }
      throw cause
    }
  }
}
