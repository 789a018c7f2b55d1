import { base64, canonicalBytes, decodeDocument, integer, object, oneOf, type Reader } from '../../attest/document.ts'
import { PRODUCT_NAMES } from '../../attest/snp/product.ts'
import { MAX_SNP_CRL_BYTES, verifySnpCrl } from '../../attest/snp/revocation.ts'
import type { SignedSnpReport } from '../../attest/snp/signed-report.ts'
import type { AbortOptions } from '../../core/abort.ts'
import { toBase64 } from '../../core/bytes.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import type { AmdService } from './amd-service.ts'
import { answerFault } from './answer-fault.ts'
import { type InForce, RenewedFiles, type RenewedFilesInit, type RenewedFormat } from './renewed-files.ts'

export interface AmdRevocationComponents {
  readonly logger: Logger
  readonly clock: Clock
  readonly service: Pick<AmdService, 'crl'>
}

interface KeptFile {
  version: 1
  fetchedAtMs: number
  crl: string
}

const FILE_KIND = {
  name: 'A kept revocation list',
  codePrefix: 'ATTESTATION_EVIDENCE',
  maxBytes: 2 * MAX_SNP_CRL_BYTES
}
const readFile: Reader<KeptFile> = object<KeptFile>({ version: oneOf([1]), fetchedAtMs: integer(0), crl: base64() })

const FORMAT: RenewedFormat<Uint8Array> = {
  what: "AMD's revocation list",
  maxFileBytes: FILE_KIND.maxBytes,
  write: ({ fetchedAtMs, value }) =>
    canonicalBytes({ version: 1, fetchedAtMs, crl: toBase64(value) } satisfies KeptFile),
  read: file => {
    const { fetchedAtMs, crl } = decodeDocument(FILE_KIND, file, readFile)
    return { fetchedAtMs, value: new Uint8Array(Buffer.from(crl, 'base64')) }
  }
}

/**
 * The revocation lists of AMD's roots, kept as {@link RenewedFiles} keep them. Whom a list names is not asked here: one that
 * revokes is as good as any.
 */
export class AmdRevocation {
  readonly #service: AmdRevocationComponents['service']
  readonly #files: RenewedFiles<Uint8Array>

  constructor({ service, ...components }: AmdRevocationComponents, init: RenewedFilesInit) {
    this.#service = service
    this.#files = new RenewedFiles(components, FORMAT, init)
  }

  /**
   * @param report - whose root's list it is
   * @returns DER of a list that is the root's own and in force
   * @throws {NetworkError} `COLLATERAL_UNREACHABLE`, `COLLATERAL_ANSWER_…` where none at hand is in force
   */
  async list({ guest, chain }: SignedSnpReport, options: AbortOptions = {}): Promise<Uint8Array> {
    const { product, signer } = guest
    const check = (crl: Uint8Array, nowMs: number): InForce<Uint8Array> => ({
      value: crl,
      notAfterMs: verifySnpCrl(crl, chain.ark, nowMs).nextUpdateMs - 1
    })
    return this.#files.get(
      {
        name: `snp-crl-${product}-${signer}.json`,
        details: { product },
        check,
        fetch: async nowMs => {
          const crl = await this.#service.crl(product, signer)
          try {
            return check(crl, nowMs)
          } catch (cause) {
            throw answerFault(`AMD's revocation list for ${PRODUCT_NAMES[product]}`, cause)
          }
        }
      },
      options
    )
  }
}
