import { join } from 'node:path'
import type { AbortOptions } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import { AmdCertificates, type AmdCertificatesInit } from './amd-certificates.ts'
import { AmdService, type AmdServiceInit } from './amd-service.ts'
import { CollateralStore } from './collateral-store.ts'
import { completeEvidence } from './complete-evidence.ts'
import { IntelService, type IntelServiceInit } from './intel-collateral.ts'

export interface EvidenceCompleterComponents {
  readonly logger: Logger
  readonly clock: Clock
  /** @default globalThis.fetch */
  readonly fetch?: typeof fetch
}

export interface EvidenceCompleterInit {
  /** Where what vendors publish is kept; is made where it is missing. */
  readonly folder: string
  readonly intel?: Omit<IntelServiceInit, 'fetch'>
  readonly amd?: Omit<AmdServiceInit, 'fetch'> & Pick<AmdCertificatesInit, 'roots'>
}

/** {@link completeEvidence} with Intel's and AMD's services, and what was fetched from them kept in a folder. */
export class EvidenceCompleter {
  readonly #logger: Logger
  readonly #intel: CollateralStore
  readonly #amd: AmdCertificates
  readonly #told = new Set<string>()

  constructor({ logger, clock, fetch = globalThis.fetch }: EvidenceCompleterComponents, init: EvidenceCompleterInit) {
    const folder = join(init.folder, 'collateral')
    this.#logger = logger
    this.#intel = new CollateralStore(
      { logger, clock, service: new IntelService({ ...init.intel, fetch }) },
      { folder }
    )
    const { roots, ...amd } = init.amd ?? {}
    this.#amd = new AmdCertificates(
      { logger, clock, service: new AmdService({ ...amd, fetch }) },
      { folder, ...(roots && { roots }) }
    )
  }

  /** @throws those of {@link completeEvidence} */
  async complete(raw: Uint8Array, options: AbortOptions = {}): Promise<Uint8Array> {
    const components = { intel: this.#intel, amd: this.#amd, onEventLogDropped: (why: string) => this.#warnOnce(why) }
    return completeEvidence(raw, components, options)
  }

  // Clients decide how often evidence is made, and the log is the same every time.
  #warnOnce(why: string): void {
    if (this.#told.size < 16 && !this.#told.has(why)) {
      this.#told.add(why)
      this.#logger.warn("the firmware's event log is left out of the evidence", { reason: why })
    }
  }
}
