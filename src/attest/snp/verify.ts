import { intersect } from '../x509/validity.ts'
import { verifySnpRevocation } from './revocation.ts'
import { type SignedSnpReportInput, type SnpGuest, verifySignedSnpReport } from './signed-report.ts'

export interface VerifySnpReportInput extends SignedSnpReportInput {
  /** The revocation list of AMD's root, DER. */
  readonly crl: Uint8Array
}

/** A guest that ran on a genuine SEV-SNP machine when it asked for its report. Says nothing of when that was. */
export interface VerifiedSnp extends SnpGuest {
  /** When the first certificate of the chain or the revocation list ends, Unix milliseconds: judge again from then on. */
  readonly expiresAtMs: number
}

/**
 * Decides whether a report is by a genuine AMD SEV-SNP machine that the policy accepts: its shape; the chain to AMD's
 * pinned root; the signature; what the certificate says of chip and TCB against what the report says; the policy; then
 * that the root's revocation list is genuine, in force, and names none of the chain.
 *
 * @throws {AttestationError} those of {@link verifySignedSnpReport} and {@link verifySnpRevocation}
 * @throws {UsageError} `ATTESTATION_INPUT_INVALID` if `nowMs` is not usable
 */
export function verifySnpReport(input: VerifySnpReportInput): VerifiedSnp {
  const { guest, chain, validity } = verifySignedSnpReport(input)
  const inForce = verifySnpRevocation(input.crl, chain, input.nowMs)
  return { ...guest, expiresAtMs: intersect(validity, inForce).notAfterMs + 1 }
}
