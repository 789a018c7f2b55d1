import { sha256, toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import { type Certificate, verifyCertificateSignature } from './certificate.ts'
import { EXTENSION } from './extensions.ts'
import { sameName } from './name.ts'
import { expectTime, intersect, type Validity } from './validity.ts'

/** Longest chain that is judged, leaf and root included. */
export const MAX_CHAIN_CERTIFICATES = 8

export interface VerifyChainInput {
  /** The leaf first, each followed by its issuer, the root last. A root alone is a chain. */
  readonly chain: readonly Certificate[]
  /** SHA-256 of the DER of the roots to trust, lower-case hex. */
  readonly rootSha256: readonly string[]
  /** Unix milliseconds to judge validity at. */
  readonly nowMs: number
  /**
   * Critical extensions that the caller judges itself, dotted.
   *
   * @default none besides basicConstraints and keyUsage
   */
  readonly understoodExtensions?: readonly string[]
}

/**
 * Decides whether a chain leads to a pinned root: the root by its digest; every issuer a CA that may sign certificates,
 * within its path length, of the name its child gives; every signature; every validity; no critical extension that
 * nobody understands. Revocation is {@link expectNotRevoked}'s.
 *
 * @returns when the whole chain is valid: the latest begin and the earliest end
 * @throws {AttestationError} `ATTESTATION_CERTIFICATE_CHAIN_INVALID`, `ATTESTATION_CERTIFICATE_ROOT_UNKNOWN`,
 *   `ATTESTATION_CERTIFICATE_EXTENSION_UNKNOWN`, `ATTESTATION_CERTIFICATE_NOT_CA`,
 *   `ATTESTATION_CERTIFICATE_PATH_TOO_LONG`, `ATTESTATION_CERTIFICATE_ISSUER_MISMATCH`,
 *   `ATTESTATION_CERTIFICATE_SIGNATURE_INVALID`, `ATTESTATION_CERTIFICATE_EXPIRED`,
 *   `ATTESTATION_CERTIFICATE_NOT_YET_VALID`
 * @throws {UsageError} `ATTESTATION_INPUT_INVALID` if `nowMs` is not usable
 */
export function verifyChain(input: VerifyChainInput): Validity {
  const { chain, nowMs, understoodExtensions = [] } = input
  expectTime(nowMs)
  const root = chain.at(-1)
  if (root === undefined || chain.length > MAX_CHAIN_CERTIFICATES) {
    throw refusal('CHAIN_INVALID', `A chain has ${chain.length} certificates: expected 1 to ${MAX_CHAIN_CERTIFICATES}`)
  }
  const rootSha256 = toHex(sha256(root.der))
  if (!input.rootSha256.includes(rootSha256)) {
    throw refusal('ROOT_UNKNOWN', `The chain ends at ${root.subject.text} (${rootSha256}), which is not trusted`)
  }
  for (const certificate of chain) {
    expectUnderstood(certificate, understoodExtensions)
    expectInForce(certificate, nowMs)
  }
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1] ?? root
    if (index > 0) {
      // Intermediates between this one and the leaf: RFC 5280 §4.2.1.9.
      expectIssuer(certificate, index - 1)
    }
    if (!sameName(certificate.issuer, issuer.subject)) {
      throw refusal(
        'ISSUER_MISMATCH',
        `The certificate of ${certificate.subject.text} names the issuer ${certificate.issuer.text}: expected ${issuer.subject.text}`
      )
    }
    verifyCertificateSignature(certificate, issuer)
  }
  return intersect(...chain)
}

function expectUnderstood({ extensions, subject }: Certificate, understood: readonly string[]): void {
  const known: readonly string[] = [...Object.values(EXTENSION), ...understood]
  for (const [oid, { critical }] of extensions) {
    if (critical && !known.includes(oid)) {
      throw refusal('EXTENSION_UNKNOWN', `The certificate of ${subject.text} has the critical extension ${oid}`)
    }
  }
}

function expectInForce({ subject, notBeforeMs, notAfterMs }: Certificate, nowMs: number): void {
  if (!(nowMs >= notBeforeMs)) {
    throw refusal(
      'NOT_YET_VALID',
      `The certificate of ${subject.text} is valid from ${new Date(notBeforeMs).toISOString()}: check the clock`
    )
  }
  if (!(nowMs <= notAfterMs)) {
    throw refusal('EXPIRED', `The certificate of ${subject.text} ended at ${new Date(notAfterMs).toISOString()}`)
  }
}

function expectIssuer({ basicConstraints, keyUsage, subject }: Certificate, below: number): void {
  if (!basicConstraints.ca || (keyUsage !== undefined && !keyUsage.has('keyCertSign'))) {
    throw refusal('NOT_CA', `${subject.text} may not issue certificates`)
  }
  if (basicConstraints.pathLength !== undefined && below > basicConstraints.pathLength) {
    throw refusal(
      'PATH_TOO_LONG',
      `${subject.text} allows ${basicConstraints.pathLength} intermediates below it, the chain has ${below}`
    )
  }
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_CERTIFICATE_${cause}`, message)
}
