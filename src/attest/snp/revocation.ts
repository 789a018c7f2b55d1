import type { Certificate } from '../x509/certificate.ts'
import { type Crl, expectNotRevoked, parseCrl, verifyCrl } from '../x509/crl.ts'
import { sameName } from '../x509/name.ts'
import type { Validity } from '../x509/validity.ts'
import type { SignedSnpReport } from './signed-report.ts'

/** Largest list of AMD's that is read, in bytes: theirs are about one KiB, since a root signs few certificates. */
export const MAX_SNP_CRL_BYTES = 16 * 1024

/**
 * Reads the revocation list of an ARK (VCEK Certificate and KDS Interface Specification, §4) and decides whether it is
 * that root's and in force. The root must have passed {@link verifySignedSnpReport}.
 *
 * @throws {AttestationError} those of {@link parseCrl} and {@link verifyCrl}
 * @throws {UsageError} `ATTESTATION_INPUT_INVALID` if `nowMs` is not usable
 */
export function verifySnpCrl(der: Uint8Array, ark: Certificate, nowMs: number): Crl {
  const crl = parseCrl(der, MAX_SNP_CRL_BYTES)
  verifyCrl(crl, ark, nowMs)
  return crl
}

/**
 * Holds a chain against the list of its root. A list speaks of what its own issuer signed: ASK or ASVK, the root itself,
 * and a chip's or cloud's key only if the root signed that too. Those have serial numbers that are all the same.
 *
 * @returns when the list is in force
 * @throws {AttestationError} `ATTESTATION_CERTIFICATE_REVOKED` and those of {@link verifySnpCrl}
 * @throws {UsageError} `ATTESTATION_INPUT_INVALID` if `nowMs` is not usable
 */
export function verifySnpRevocation(der: Uint8Array, chain: SignedSnpReport['chain'], nowMs: number): Validity {
  const crl = verifySnpCrl(der, chain.ark, nowMs)
  for (const certificate of [chain.leaf, chain.ask, chain.ark]) {
    if (sameName(certificate.issuer, crl.issuer)) {
      expectNotRevoked(certificate, crl)
    }
  }
  return { notBeforeMs: crl.thisUpdateMs, notAfterMs: crl.nextUpdateMs - 1 }
}
