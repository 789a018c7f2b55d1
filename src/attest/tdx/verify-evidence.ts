import { verify } from 'node:crypto'
import { sha256, toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import type { Certificate } from '../x509/certificate.ts'
import { expectNotRevoked } from '../x509/crl.ts'
import { DerFault } from '../x509/der.ts'
import { sameName } from '../x509/name.ts'
import { p256Key } from '../x509/signature.ts'
import { intersect, type Validity } from '../x509/validity.ts'
import { isZero } from './byte-reader.ts'
import { readEnclaveReport } from './enclave-report.ts'
import { type Platform, readPlatform } from './pck.ts'
import { matchQe } from './qe-identity.ts'
import type { Quote } from './quote.ts'
import { convergeLevels, matchTcbLevel, matchTdxModule, type PlatformTcb } from './tcb-level.ts'
import { tdReportOf } from './td-report.ts'
import { expectChain, readChain, type Trust, type VerifiedCollateral, verifyTrustedChain } from './verify-collateral.ts'

/** A platform whose key signed a quote, and what Intel says about it. */
export interface JudgedPlatform {
  readonly platform: Platform
  readonly tcb: PlatformTcb
  /** When the certificates and the collateral are valid. */
  readonly validity: Validity
}

/**
 * Decides whether a quote is by a platform of Intel's: PCK chain to the pinned root, not revoked; the PCK signed the
 * quoting enclave's report, which is Intel's enclave and binds the attestation key; that key signed the quote. Then
 * finds the platform's TCB level. The collateral must have passed {@link verifyCollateral} with the same trust.
 *
 * @throws {AttestationError} `ATTESTATION_PCK_INVALID`, `ATTESTATION_COLLATERAL_MISMATCH`,
 *   `ATTESTATION_QE_REPORT_SIGNATURE_INVALID`, `ATTESTATION_QE_BINDING_INVALID`,
 *   `ATTESTATION_QUOTE_SIGNATURE_INVALID`, `ATTESTATION_QE_IDENTITY_MISMATCH`, `ATTESTATION_TCB_LEVEL_UNKNOWN`,
 *   `ATTESTATION_TDX_MODULE_UNKNOWN`, `ATTESTATION_TCB_STATUS_UNKNOWN`, and the codes of certificates, lists and PEM
 */
export function judgePlatform(quote: Quote, collateral: VerifiedCollateral, trust: Trust): JudgedPlatform {
  const chain = readPckChain(quote)
  const [pck] = expectChain(chain, 3)
  const ca = chain[1] ?? pck
  const chainValidity = verifyTrustedChain(chain, trust)
  expectNotRevoked(ca, collateral.rootCrl)
  if (!sameIssuer(ca, collateral.pckCa)) {
    throw mismatch(`the platform's certificate is by ${ca.subject.text}, the revocation list by another CA`)
  }
  expectNotRevoked(pck, collateral.pckCrl)
  const platform = readPlatform(pck, ca)

  const { tcbInfo, qeIdentity } = collateral
  const td = tdReportOf(quote)
  const expectedIds = td === undefined ? (['SGX', 'QE'] as const) : (['TDX', 'TD_QE'] as const)
  if (tcbInfo.id !== expectedIds[0] || qeIdentity.id !== expectedIds[1]) {
    throw mismatch(`it is for ${tcbInfo.id} and ${qeIdentity.id}: expected ${expectedIds.join(' and ')}`)
  }
  if (tcbInfo.fmspc !== platform.fmspc || tcbInfo.pceId !== platform.pceId) {
    throw mismatch(
      `it is for ${tcbInfo.fmspc}/${tcbInfo.pceId}, the platform is ${platform.fmspc}/${platform.pceId} (FMSPC/PCE)`
    )
  }
  verifySignatures(quote, pck)

  const qeLevel = matchQe(qeIdentity, readEnclaveReport(quote.qeReport))
  const moduleLevel = td === undefined ? undefined : matchTdxModule(tcbInfo, td)
  const parts = moduleLevel === undefined ? [qeLevel] : [moduleLevel, qeLevel]
  return {
    platform,
    tcb: convergeLevels(matchTcbLevel(tcbInfo, platform, td), parts),
    validity: intersect(chainValidity, collateral.validity)
  }
}

function verifySignatures(quote: Quote, pck: Certificate): void {
  if (!signed(pck.publicKey, quote.qeReport, quote.qeReportSignature)) {
    throw new AttestationError(
      'ATTESTATION_QE_REPORT_SIGNATURE_INVALID',
      "The quoting enclave's report is not signed by the platform's certified key"
    )
  }
  // The report binds the attestation key: SHA-256(key ‖ data), then 32 zero bytes.
  const { reportData } = readEnclaveReport(quote.qeReport)
  const digest = sha256(quote.attestationKey, quote.qeAuthData)
  if (toHex(reportData.subarray(0, 32)) !== toHex(digest) || !isZero(reportData.subarray(32))) {
    throw new AttestationError(
      'ATTESTATION_QE_BINDING_INVALID',
      "The quoting enclave's report does not bind the attestation key"
    )
  }
  if (!signed(attestationKey(quote), quote.signedBytes, quote.signature)) {
    throw new AttestationError(
      'ATTESTATION_QUOTE_SIGNATURE_INVALID',
      'The quote is not signed by the attestation key of its quoting enclave'
    )
  }
}

function attestationKey(quote: Quote): Certificate['publicKey'] {
  try {
    return p256Key(quote.attestationKey)
  } catch (cause) {
    if (!(cause instanceof DerFault)) {
      throw cause
    }
    throw new AttestationError('ATTESTATION_QE_BINDING_INVALID', 'The attestation key is not on P-256', { cause })
  }
}

function signed(key: Certificate['publicKey'], message: Uint8Array, signature: Uint8Array): boolean {
  return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature)
}

/** The same CA: its certificate may have been renewed. */
function sameIssuer(a: Certificate, b: Certificate): boolean {
  return sameName(a.subject, b.subject) && toHex(a.spki) === toHex(b.spki)
}

/**
 * The certificates that a quote brings along, none of them judged.
 *
 * @throws {AttestationError} the codes of certificates and PEM
 */
export function readPckChain({ pckChain }: Quote): Certificate[] {
  return readChain(withoutTerminator(pckChain))
}

// Intel's quoting library counts the terminating zero of the PEM text as part of it.
function withoutTerminator(pem: Uint8Array): Uint8Array {
  return pem.at(-1) === 0 ? pem.subarray(0, -1) : pem
}

function mismatch(why: string): AttestationError {
  return new AttestationError('ATTESTATION_COLLATERAL_MISMATCH', `The collateral is not this platform's: ${why}`)
}
