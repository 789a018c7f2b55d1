import { canonicalBytes, decodeDocument, integer, object, oneOf, type Reader } from '../../attest/document.ts'
import { readCollateral, type TdxCollateral } from '../../attest/tdx/collateral.ts'
import type { AbortOptions } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import type { CheckedCollateral, CollateralSubject } from './intel-collateral.ts'
import { type InForce, RenewedFiles, type RenewedFilesInit, type RenewedFormat } from './renewed-files.ts'

export interface CollateralStoreComponents {
  readonly logger: Logger
  readonly clock: Clock
  readonly service: {
    fetch(subject: CollateralSubject, nowMs: number, options?: AbortOptions): Promise<CheckedCollateral>
    check(collateral: TdxCollateral, subject: CollateralSubject, nowMs: number): CheckedCollateral
  }
}

interface KeptFile {
  version: 1
  fetchedAtMs: number
  collateral: TdxCollateral
}

const FILE_KIND = { name: 'Kept collateral', codePrefix: 'ATTESTATION_COLLATERAL', maxBytes: 2 * 1024 * 1024 }
const readFile: Reader<KeptFile> = object<KeptFile>({
  version: oneOf([1]),
  fetchedAtMs: integer(0),
  collateral: value => readCollateral(value)
})

const FORMAT: RenewedFormat<TdxCollateral> = {
  what: 'Intel collateral',
  maxFileBytes: FILE_KIND.maxBytes,
  write: ({ fetchedAtMs, value }) => canonicalBytes({ version: 1, fetchedAtMs, collateral: value } satisfies KeptFile),
  read: file => {
    const { fetchedAtMs, collateral } = decodeDocument(FILE_KIND, file, readFile)
    return { fetchedAtMs, value: collateral }
  }
}

/** Intel's collateral of this machine's platform, kept as {@link RenewedFiles} keep it, until the first of its parts ends. */
export class CollateralStore {
  readonly #service: CollateralStoreComponents['service']
  readonly #files: RenewedFiles<TdxCollateral>

  constructor({ service, ...components }: CollateralStoreComponents, init: RenewedFilesInit) {
    this.#service = service
    this.#files = new RenewedFiles(components, FORMAT, init)
  }

  /**
   * @returns collateral that every client's checks pass now
   * @throws those of {@link IntelService.fetch} where nothing at hand is in force
   */
  async collateral(subject: CollateralSubject, options: AbortOptions = {}): Promise<TdxCollateral> {
    const { fmspc, ca } = subject
    return this.#files.get(
      {
        name: `tdx-${fmspc}-${ca}.json`,
        details: { fmspc },
        fetch: async nowMs => inForce(await this.#service.fetch(subject, nowMs)),
        check: (collateral, nowMs) => inForce(this.#service.check(collateral, subject, nowMs))
      },
      options
    )
  }
}

function inForce({ collateral, notAfterMs }: CheckedCollateral): InForce<TdxCollateral> {
  return { value: collateral, notAfterMs }
}
