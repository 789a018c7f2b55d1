import { PRODUCT_NAMES, type SnpProduct } from '../../attest/snp/product.ts'
import type { SnpReport, SnpSigner } from '../../attest/snp/report.ts'
import { MAX_SNP_CRL_BYTES } from '../../attest/snp/revocation.ts'
import { parseTcb } from '../../attest/snp/tcb.ts'
import { MAX_CERTIFICATE_BYTES } from '../../attest/x509/certificate.ts'
import { splitPem } from '../../attest/x509/pem.ts'
import type { AbortOptions } from '../../core/abort.ts'
import { toHex } from '../../core/bytes.ts'
import { NetworkError } from '../../core/errors.ts'
import { answerFault } from './answer-fault.ts'
import { DocumentUnknown, fetchDocument } from './fetch-document.ts'

/** AMD's Key Distribution Service. */
export const AMD_KDS_URL = 'https://kdsintf.amd.com'

const MAX_CHAIN_BYTES = 32 * 1024
/** Turin's chips have short names; the rest of the field is zero. */
const CHIP_ID_BYTES: Readonly<Record<SnpProduct, number>> = { milan: 64, genoa: 64, turin: 8 }

export interface AmdServiceInit {
  /** @default {@link AMD_KDS_URL} */
  readonly baseUrl?: string
  /** @default globalThis.fetch */
  readonly fetch?: typeof fetch
  /** Of each request. @default 15_000 */
  readonly timeLimitMs?: number
}

/** AMD's Key Distribution Service (VCEK Certificate and KDS Interface Specification, §4). Nothing it says is judged here. */
export class AmdService {
  readonly #init: AmdServiceInit
  readonly #baseUrl: string

  constructor(init: AmdServiceInit = {}) {
    this.#init = init
    this.#baseUrl = (init.baseUrl ?? AMD_KDS_URL).replace(/\/+$/, '')
  }

  /**
   * The certificate of a chip's key at the TCB that the report states, DER.
   *
   * @throws {DocumentUnknown} if no such chip is of that product, or its TCB does not read as that product's
   * @throws {NetworkError} `COLLATERAL_UNREACHABLE`, `COLLATERAL_ANSWER_INVALID`
   */
  async vcek(report: SnpReport, product: SnpProduct, options: AbortOptions = {}): Promise<Uint8Array> {
    const path = vcekPath(report, product)
    return this.#get(path, "the chip's certificate", MAX_CERTIFICATE_BYTES, options)
  }

  /**
   * AMD's own certificates above a chip's key or a cloud's: ASK or ASVK, then ARK, DER.
   *
   * @throws {DocumentUnknown} if it knows no such product
   * @throws {NetworkError} `COLLATERAL_UNREACHABLE`, `COLLATERAL_ANSWER_INVALID`
   */
  async issuers(
    product: SnpProduct,
    signer: SnpSigner,
    options: AbortOptions = {}
  ): Promise<{ ask: Uint8Array; ark: Uint8Array }> {
    const what = `AMD's certificates for ${PRODUCT_NAMES[product]}`
    const path = `/${signer}/v1/${PRODUCT_NAMES[product]}/cert_chain`
    const pem = await this.#get(path, what, MAX_CHAIN_BYTES, options)
    try {
      const [ask, ark] = splitPem(pem, 2)
      if (ask === undefined || ark === undefined) {
        throw new NetworkError('COLLATERAL_ANSWER_INVALID', `${what} are not two`)
      }
      return { ask, ark }
    } catch (cause) {
      throw answerFault(`What ${this.#baseUrl} says`, cause)
    }
  }

  /**
   * The revocation list of the root above a chip's key or a cloud's, DER.
   *
   * @throws {NetworkError} `COLLATERAL_UNREACHABLE`, also if it has none; `COLLATERAL_ANSWER_INVALID`
   */
  async crl(product: SnpProduct, signer: SnpSigner, options: AbortOptions = {}): Promise<Uint8Array> {
    const what = `AMD's revocation list for ${PRODUCT_NAMES[product]}`
    try {
      return await this.#get(`/${signer}/v1/${PRODUCT_NAMES[product]}/crl`, what, MAX_SNP_CRL_BYTES, options)
    } catch (cause) {
      if (!(cause instanceof DocumentUnknown)) {
        throw cause
      }
      throw new NetworkError('COLLATERAL_UNREACHABLE', `${cause.message}: check that it is AMD's service`, { cause })
    }
  }

  async #get(path: string, what: string, maxBytes: number, options: AbortOptions): Promise<Uint8Array> {
    const { fetch = globalThis.fetch, timeLimitMs } = this.#init
    const init = { fetch, what, maxBytes, ...(timeLimitMs && { timeLimitMs }) }
    return (await fetchDocument(`${this.#baseUrl}${path}`, init, options)).bytes
  }
}

function vcekPath({ chipId, tcbs }: SnpReport, product: SnpProduct): string {
  const tcb = parseTcb(tcbs.reported, product)
  if (tcb === undefined) {
    throw new DocumentUnknown(`The report's TCB does not read as that of an EPYC ${PRODUCT_NAMES[product]}`)
  }
  const { fmc, bootLoader, tee, snp, microcode } = tcb
  const versions = `blSPL=${bootLoader}&teeSPL=${tee}&snpSPL=${snp}&ucodeSPL=${microcode}`
  const chip = toHex(chipId.subarray(0, CHIP_ID_BYTES[product]))
  return `/vcek/v1/${PRODUCT_NAMES[product]}/${chip}?${versions}${product === 'turin' ? `&fmcSPL=${fmc}` : ''}`
}
