import { base64, canonicalBytes, decodeDocument, object, oneOf, type Reader } from '../../attest/document.ts'
import { parseCertificateTable, type SnpCertificateName } from '../../attest/snp/certificate-table.ts'
import type { SnpPolicy } from '../../attest/snp/policy.ts'
import { productOfCpuid, SNP_PRODUCTS, type SnpProduct, type SnpRoots } from '../../attest/snp/product.ts'
import { parseSnpReport, type SnpReport } from '../../attest/snp/report.ts'
import { verifySnpRevocation } from '../../attest/snp/revocation.ts'
import {
  type SignedSnpReport,
  type SignedSnpReportInput,
  verifySignedSnpReport
} from '../../attest/snp/signed-report.ts'
import { ANY_TCB } from '../../attest/snp/tcb.ts'
import type { AbortOptions } from '../../core/abort.ts'
import { sha256, toBase64, toHex } from '../../core/bytes.ts'
import type { Clock } from '../../core/clock.ts'
import { AttestationError, EnvironmentError, errorCode } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { SharedWork } from '../../core/shared-work.ts'
import { AmdRevocation } from './amd-revocation.ts'
import type { AmdService } from './amd-service.ts'
import { answerFault } from './answer-fault.ts'
import { DocumentUnknown } from './fetch-document.ts'
import { KeptFiles } from './kept-files.ts'

type SnpCertificates = SignedSnpReportInput['certificates']

/** What AMD says of the key that signed a report: certificates and its root's revocation list, DER. */
export interface SnpEndorsements extends SnpCertificates {
  readonly crl: Uint8Array
}

export interface AmdCertificatesComponents {
  readonly logger: Logger
  readonly clock: Clock
  readonly service: Pick<AmdService, 'vcek' | 'issuers' | 'crl'>
}

export interface AmdCertificatesInit {
  /** Is made where it is missing. */
  readonly folder: string
  /** How long to leave a service alone that failed, in milliseconds. @default 5 minutes */
  readonly retryMs?: number
  /** For tests. @default those of AMD */
  readonly roots?: SnpRoots
}

interface KeptFile {
  version: 1
  leaf: string
  ask: string
  ark: string
}

const FILE_KIND = { name: 'Kept certificates', codePrefix: 'ATTESTATION_EVIDENCE', maxBytes: 64 * 1024 }
const readFile: Reader<KeptFile> = object<KeptFile>({
  version: oneOf([1]),
  leaf: base64(),
  ask: base64(),
  ark: base64()
})

/** Accepts what any client could: only whether the certificates are the report's is asked here. */
const ANY_GUEST: SnpPolicy = {
  minimumTcb: { milan: ANY_TCB, genoa: ANY_TCB, turin: ANY_TCB },
  vmpls: [0, 1, 2, 3],
  minimumAbi: [0, 0],
  allowSmt: true,
  allowMigrationAgent: true,
  allowCxl: true,
  requiredPlatform: []
}

/** Reports before version 3 do not say what processor made them; Turin's are all newer. */
const PRODUCTS_BEFORE_CPUID: readonly SnpProduct[] = SNP_PRODUCTS.filter(product => product !== 'turin')

/**
 * The certificates of the key that signs this machine's reports: from the host's table if it has them, else kept from
 * before, else from AMD. They last until one of them ends or is revoked, or the firmware is updated. Whatever their source,
 * they are used only if the report verifies under them to AMD's pinned root, whose revocation list comes from AMD alone.
 */
export class AmdCertificates {
  readonly #components: AmdCertificatesComponents
  readonly #files: KeptFiles
  readonly #revocation: AmdRevocation
  readonly #fetches: SharedWork<SnpEndorsements>
  readonly #roots: Pick<AmdCertificatesInit, 'roots'>
  #kept: { readonly name: string; readonly certificates: SnpCertificates } | undefined

  constructor(components: AmdCertificatesComponents, init: AmdCertificatesInit) {
    this.#components = components
    this.#files = new KeptFiles(init.folder)
    const { folder, retryMs = 5 * 60_000, roots } = init
    this.#revocation = new AmdRevocation(components, { folder, retryMs })
    this.#fetches = new SharedWork(components.clock, retryMs)
    this.#roots = roots === undefined ? {} : { roots }
  }

  /**
   * @param table - of the host, as the kernel hands it out
   * @throws {EnvironmentError} `COLLATERAL_PLATFORM_UNKNOWN`
   * @throws {NetworkError} `COLLATERAL_UNREACHABLE`, `COLLATERAL_ANSWER_…`
   * @throws {AttestationError} `ATTESTATION_SNP_…` for a report that no client could accept,
   *   `ATTESTATION_CERTIFICATE_REVOKED` if AMD has revoked what it still certifies this machine with
   */
  async certificates(
    bytes: Uint8Array,
    table: Uint8Array | undefined,
    options: AbortOptions = {}
  ): Promise<SnpEndorsements> {
    const report = parseSnpReport(bytes)
    const given = this.#readTable(table)
    const leaf = given.get(report.signer)
    const [ask, ark] = [given.get('ask'), given.get('ark')]
    if (leaf !== undefined && ask !== undefined && ark !== undefined) {
      const found = await this.#unlessRevoked(bytes, { leaf, ask, ark }, options)
      if (found !== undefined) {
        return found
      }
    }
    const name = fileName(report, report.signer === 'vlek' ? leaf : undefined)
    const kept = await this.#atHand(name, bytes, options)
    return kept ?? (await this.#fetches.join(name, () => this.#fetch(name, bytes, report, leaf), options))
  }

  #readTable(table: Uint8Array | undefined): ReadonlyMap<SnpCertificateName, Uint8Array> {
    try {
      return table === undefined ? new Map() : parseCertificateTable(table)
    } catch (err) {
      this.#components.logger.warn("the host's table of certificates cannot be read, AMD is asked", {
        code: errorCode(err)
      })
      return new Map()
    }
  }

  async #atHand(name: string, bytes: Uint8Array, options: AbortOptions): Promise<SnpEndorsements | undefined> {
    const certificates = this.#kept?.name === name ? this.#kept.certificates : await this.#readKept(name, options)
    const found = certificates && (await this.#unlessRevoked(bytes, certificates, options))
    this.#kept = found && certificates ? { name, certificates } : undefined
    return found
  }

  /** Undefined for certificates that do not fit the report or are revoked: AMD may have others. */
  async #unlessRevoked(
    bytes: Uint8Array,
    certificates: SnpCertificates,
    options: AbortOptions
  ): Promise<SnpEndorsements | undefined> {
    const signed = this.#holds(bytes, certificates)
    if (signed === undefined) {
      return undefined
    }
    const crl = await this.#revocation.list(signed, options)
    try {
      this.#expectNotRevoked(crl, signed)
      return { ...certificates, crl }
    } catch (cause) {
      if (!(cause instanceof AttestationError)) {
        throw cause
      }
      this.#components.logger.warn('certificates at hand are revoked, AMD is asked for others', {
        code: errorCode(cause)
      })
      return undefined
    }
  }

  async #readKept(name: string, options: AbortOptions): Promise<SnpCertificates | undefined> {
    try {
      const file = await this.#files.read(name, FILE_KIND.maxBytes, options)
      if (file === undefined) {
        return undefined
      }
      const { leaf, ask, ark } = decodeDocument(FILE_KIND, file, readFile)
      return { leaf: Buffer.from(leaf, 'base64'), ask: Buffer.from(ask, 'base64'), ark: Buffer.from(ark, 'base64') }
    } catch (cause) {
      if (options.signal?.aborted === true) {
        throw cause
      }
      this.#components.logger.warn('kept AMD certificates cannot be used, they are fetched again', {
        file: name,
        code: errorCode(cause)
      })
      return undefined
    }
  }

  async #fetch(
    name: string,
    bytes: Uint8Array,
    report: SnpReport,
    hostLeaf: Uint8Array | undefined
  ): Promise<SnpEndorsements> {
    const certificates = await this.#ask(report, report.signer === 'vlek' ? requireVlek(hostLeaf) : undefined)
    const signed = this.#verifyAnswer(bytes, certificates)
    const crl = await this.#revocation.list(signed)
    this.#expectNotRevoked(crl, signed)
    this.#kept = { name, certificates }
    const { leaf, ask, ark } = certificates
    const file: KeptFile = { version: 1, leaf: toBase64(leaf), ask: toBase64(ask), ark: toBase64(ark) }
    await this.#files.replace(name, canonicalBytes(file)).catch((err: unknown) => {
      this.#components.logger.warn('AMD certificates could not be kept on disk', { file: name, code: errorCode(err) })
    })
    return { ...certificates, crl }
  }

  async #ask(report: SnpReport, vlek: Uint8Array | undefined): Promise<SnpCertificates> {
    const { service } = this.#components
    if (vlek === undefined && report.chipId.every(byte => byte === 0)) {
      throw unknown('its host masks the chip id, so that AMD cannot be asked for its certificate')
    }
    const faults: string[] = []
    for (const product of productsOf(report)) {
      try {
        const leaf = vlek ?? (await service.vcek(report, product))
        return { leaf, ...(await service.issuers(product, report.signer)) }
      } catch (cause) {
        if (!(cause instanceof DocumentUnknown)) {
          throw cause
        }
        faults.push(cause.message)
      }
    }
    throw unknown(faults.join('; ') || 'its processor is none that AMD certifies for SEV-SNP')
  }

  #holds(report: Uint8Array, certificates: SnpCertificates): SignedSnpReport | undefined {
    try {
      return this.#verify(report, certificates)
    } catch (cause) {
      if (isGuestFault(cause) || !(cause instanceof AttestationError)) {
        throw cause
      }
      this.#components.logger.debug('certificates at hand do not fit the report', { code: cause.code })
      return undefined
    }
  }

  #verifyAnswer(report: Uint8Array, certificates: SnpCertificates): SignedSnpReport {
    try {
      return this.#verify(report, certificates)
    } catch (cause) {
      throw isGuestFault(cause) ? cause : answerFault('What AMD certifies of this machine', cause)
    }
  }

  #verify(report: Uint8Array, certificates: SnpCertificates): SignedSnpReport {
    const nowMs = this.#components.clock.nowMs()
    return verifySignedSnpReport({ report, certificates, nowMs, policy: ANY_GUEST, ...this.#roots })
  }

  #expectNotRevoked(crl: Uint8Array, { chain }: SignedSnpReport): void {
    verifySnpRevocation(crl, chain, this.#components.clock.nowMs())
  }
}

/** What is wrong with the guest itself: no certificate can mend it. */
function isGuestFault(cause: unknown): boolean {
  return errorCode(cause) === 'ATTESTATION_SNP_DEBUG'
}

function productsOf({ cpuid }: SnpReport): readonly SnpProduct[] {
  if (cpuid === undefined) {
    return PRODUCTS_BEFORE_CPUID
  }
  const product = productOfCpuid(cpuid)
  return product === undefined ? [] : [product]
}

function requireVlek(leaf: Uint8Array | undefined): Uint8Array {
  if (leaf === undefined) {
    throw unknown(
      "its reports are signed by the cloud's key (VLEK), whose certificate only the host has, and does not hand out"
    )
  }
  return leaf
}

/** One file for each key: a chip's is another at every TCB. */
function fileName({ signer, chipId, tcbs }: SnpReport, vlek: Uint8Array | undefined): string {
  return `snp-${toHex(sha256(signer, chipId, tcbs.reported, vlek ?? '')).slice(0, 32)}.json`
}

function unknown(why: string): EnvironmentError {
  return new EnvironmentError('COLLATERAL_PLATFORM_UNKNOWN', `This machine cannot be shown to be AMD's: ${why}`)
}
