import { readCollateral, type TdxCollateral } from '../../attest/tdx/collateral.ts'
import { PCK_CA_NAMES, type PckCa } from '../../attest/tdx/quote-platform.ts'
import { INTEL_SGX_ROOT_SHA256 } from '../../attest/tdx/roots.ts'
import { type VerifiedCollateral, verifyCollateral } from '../../attest/tdx/verify-collateral.ts'
import { MAX_CRL_BYTES } from '../../attest/x509/crl.ts'
import type { AbortOptions } from '../../core/abort.ts'
import { toHex } from '../../core/bytes.ts'
import { EnvironmentError, NetworkError } from '../../core/errors.ts'
import { answerFault } from './answer-fault.ts'
import { DocumentUnknown, type FetchedDocument, fetchDocument } from './fetch-document.ts'

/** Intel's Provisioning Certification Service. */
export const INTEL_PCS_URL = 'https://api.trustedservices.intel.com'
/** Intel's own service names its root's list by this address only (CRL distribution point of the root). */
const INTEL_ROOT_CRL_URL = 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der'

const MAX_JSON_BYTES = 512 * 1024
/** As text in hex, which a PCCS writes. */
const MAX_CRL_ANSWER_BYTES = 2 * MAX_CRL_BYTES + 2

/** A platform, as far as collateral is about it. */
export interface CollateralSubject {
  /** 6 bytes, lower-case hex. */
  readonly fmspc: string
  readonly ca: PckCa
}

/** Collateral that held at the time it was checked. */
export interface CheckedCollateral {
  readonly collateral: TdxCollateral
  /** All of it is in force up to and including this moment, Unix milliseconds. */
  readonly notAfterMs: number
}

export interface IntelServiceInit {
  /**
   * A PCCS, or Intel's own service. Plain http will do: everything it answers is signed.
   *
   * @default {@link INTEL_PCS_URL}
   */
  readonly baseUrl?: string
  /** @default `/sgx/certification/v4/rootcacrl` below `baseUrl`; for Intel's own service, its address */
  readonly rootCrlUrl?: string
  /** @default globalThis.fetch */
  readonly fetch?: typeof fetch
  /**
   * SHA-256 of the root's DER, lower-case hex. For tests with a root of their own.
   *
   * @default Intel's
   */
  readonly rootSha256?: string
  /** Of each request. @default 15_000 */
  readonly timeLimitMs?: number
}

/** Intel's Provisioning Certification Service, version 4 of its API, or a cache of it (PCCS). */
export class IntelService {
  readonly #init: IntelServiceInit
  readonly #baseUrl: string
  readonly #rootCrlUrl: string

  constructor(init: IntelServiceInit = {}) {
    this.#init = init
    this.#baseUrl = (init.baseUrl ?? INTEL_PCS_URL).replace(/\/+$/, '')
    this.#rootCrlUrl =
      init.rootCrlUrl ??
      (this.#baseUrl === INTEL_PCS_URL ? INTEL_ROOT_CRL_URL : `${this.#baseUrl}/sgx/certification/v4/rootcacrl`)
  }

  /**
   * Fetches what Intel publishes about a platform, and checks it as every client will.
   *
   * @throws {EnvironmentError} `COLLATERAL_PLATFORM_UNKNOWN`
   * @throws {NetworkError} `COLLATERAL_UNREACHABLE`, `COLLATERAL_ANSWER_INVALID`, `COLLATERAL_ANSWER_MISMATCH`,
   *   `COLLATERAL_ANSWER_EXPIRED`, `COLLATERAL_ANSWER_REFUSED`
   */
  async fetch(subject: CollateralSubject, nowMs: number, options: AbortOptions = {}): Promise<CheckedCollateral> {
    const fmspc = subject.fmspc.toUpperCase()
    const get = (url: string, what: string, maxBytes: number): Promise<FetchedDocument> =>
      this.#get(url, { what, maxBytes, fmspc }, options)
    const [tcbInfo, qeIdentity, pckCrl, rootCrl] = await Promise.all([
      get(`${this.#baseUrl}/tdx/certification/v4/tcb?fmspc=${fmspc}`, 'the TCB info', MAX_JSON_BYTES),
      get(`${this.#baseUrl}/tdx/certification/v4/qe/identity`, "the quoting enclave's identity", MAX_JSON_BYTES),
      get(
        `${this.#baseUrl}/sgx/certification/v4/pckcrl?ca=${subject.ca}&encoding=der`,
        "the platform CA's revocation list",
        MAX_CRL_ANSWER_BYTES
      ),
      get(this.#rootCrlUrl, "the root's revocation list", MAX_CRL_ANSWER_BYTES)
    ])
    const [tcb, tcbSignature] = signedText(tcbInfo.bytes, 'tcbInfo')
    const [identity, identitySignature] = signedText(qeIdentity.bytes, 'enclaveIdentity')
    return this.check(
      {
        pck_crl_issuer_chain: issuerChain(pckCrl, 'SGX-PCK-CRL-Issuer-Chain'),
        root_ca_crl: listHex(rootCrl.bytes),
        pck_crl: listHex(pckCrl.bytes),
        // Version 3 of the API had the prefix, and some caches keep it.
        tcb_info_issuer_chain: issuerChain(tcbInfo, 'TCB-Info-Issuer-Chain', 'SGX-TCB-Info-Issuer-Chain'),
        tcb_info: tcb,
        tcb_info_signature: tcbSignature,
        qe_identity_issuer_chain: issuerChain(qeIdentity, 'SGX-Enclave-Identity-Issuer-Chain'),
        qe_identity: identity,
        qe_identity_signature: identitySignature
      },
      subject,
      nowMs
    )
  }

  /**
   * Checks collateral as every client will, and that it is about this platform.
   *
   * @throws {NetworkError} `COLLATERAL_ANSWER_INVALID`, `COLLATERAL_ANSWER_MISMATCH`, `COLLATERAL_ANSWER_EXPIRED`,
   *   `COLLATERAL_ANSWER_REFUSED`
   */
  check(given: TdxCollateral, subject: CollateralSubject, nowMs: number): CheckedCollateral {
    const rootSha256 = this.#init.rootSha256 ?? INTEL_SGX_ROOT_SHA256
    let verified: VerifiedCollateral
    let collateral: TdxCollateral
    try {
      collateral = readCollateral(given)
      verified = verifyCollateral(collateral, { rootSha256, nowMs })
    } catch (cause) {
      throw answerFault(`What ${this.#baseUrl} says`, cause)
    }
    const { tcbInfo, qeIdentity, pckCa, validity } = verified
    const found = `${tcbInfo.id}/${qeIdentity.id} ${tcbInfo.fmspc} ${pckCa.subject.commonName}`
    const expected = `TDX/TD_QE ${subject.fmspc.toLowerCase()} ${PCK_CA_NAMES[subject.ca]}`
    if (found !== expected) {
      throw new NetworkError(
        'COLLATERAL_ANSWER_MISMATCH',
        `${this.#baseUrl} answered about another platform: ${found}, expected ${expected}`
      )
    }
    return { collateral, notAfterMs: validity.notAfterMs }
  }

  async #get(
    url: string,
    { what, maxBytes, fmspc }: { what: string; maxBytes: number; fmspc: string },
    options: AbortOptions
  ): Promise<FetchedDocument> {
    const { fetch = globalThis.fetch, timeLimitMs } = this.#init
    try {
      return await fetchDocument(url, { fetch, what, maxBytes, ...(timeLimitMs && { timeLimitMs }) }, options)
    } catch (cause) {
      if (!(cause instanceof DocumentUnknown)) {
        throw cause
      }
      throw new EnvironmentError(
        'COLLATERAL_PLATFORM_UNKNOWN',
        `${cause.message}: the platform ${fmspc} is not registered for TDX there, or the URL is of another service`,
        { cause }
      )
    }
  }
}

/**
 * The exact text that Intel signed, and its signature: the text is cut out, not written anew.
 *
 * @throws {NetworkError} `COLLATERAL_ANSWER_INVALID`
 */
function signedText(body: Uint8Array, field: 'tcbInfo' | 'enclaveIdentity'): [text: string, signature: string] {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1').trimEnd()
  const begin = `{"${field}":`
  const [, end = '', signature = ''] = /^(,"signature":"([0-9a-fA-F]{128})"\})$/.exec(text.slice(-144)) ?? []
  const signed = text.slice(begin.length, -end.length)
  if (!text.startsWith(begin) || end === '' || !signed.startsWith('{') || !signed.endsWith('}')) {
    throw invalid(`it is not {"${field}":{…},"signature":"…"}`)
  }
  return [signed, signature.toLowerCase()]
}

function issuerChain({ headers }: FetchedDocument, ...names: string[]): string {
  const value = names.map(name => headers.get(name)).find(header => header !== null)
  if (value === undefined || value === null) {
    throw invalid(`the header ${names[0]} is missing`)
  }
  try {
    return decodeURIComponent(value)
  } catch {
    throw invalid(`the header ${names[0]} is not URL-encoded`)
  }
}

/** DER as Intel answers, or its hex as a PCCS does. */
function listHex(body: Uint8Array): string {
  // A list begins with 0x30, its hex with the text "3".
  if (body[0] === 0x30) {
    return toHex(body)
  }
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1').trim()
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(text)) {
    throw invalid('a revocation list is neither DER nor hex')
  }
  return text.toLowerCase()
}

function invalid(why: string): NetworkError {
  return new NetworkError('COLLATERAL_ANSWER_INVALID', `A service of Intel's answered in another form: ${why}`)
}
