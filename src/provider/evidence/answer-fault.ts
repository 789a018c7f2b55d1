import { AttestationError, NetworkError } from '../../core/errors.ts'

/** Refusals of our own verifiers that say when, or what form, rather than who signed. */
const IN_TIME = /_(?:EXPIRED|NOT_YET_VALID)$/
const IN_FORM = /_(?:INVALID|TOO_LARGE|UNSUPPORTED)$/
const OTHER_CHIP = /^ATTESTATION_SNP_(?:CHIP|TCB|PRODUCT|CHAIN)_MISMATCH$/
const SIGNED = /_SIGNATURE_INVALID$|^ATTESTATION_CERTIFICATE_CHAIN_INVALID$/

/**
 * What a vendor's service answered did not pass the checks that every client makes: why, in terms of the service. Errors
 * that are no refusal of a verifier's are given back as they are.
 *
 * @returns a {@link NetworkError}: `COLLATERAL_ANSWER_EXPIRED`, `COLLATERAL_ANSWER_INVALID`,
 *   `COLLATERAL_ANSWER_MISMATCH`, `COLLATERAL_ANSWER_REFUSED`
 */
export function answerFault(what: string, cause: unknown): unknown {
  if (!(cause instanceof AttestationError)) {
    return cause
  }
  const { code, message } = cause
  if (IN_TIME.test(code)) {
    return new NetworkError(
      'COLLATERAL_ANSWER_EXPIRED',
      `${what} is not in force: ${message}. Check the clock, and that the service itself is up to date`,
      { cause }
    )
  }
  if (OTHER_CHIP.test(code)) {
    return new NetworkError('COLLATERAL_ANSWER_MISMATCH', `${what} is about another chip: ${message}`, { cause })
  }
  if (IN_FORM.test(code) && !SIGNED.test(code)) {
    return new NetworkError('COLLATERAL_ANSWER_INVALID', `${what} is not in its format: ${message}`, { cause })
  }
  return new NetworkError(
    'COLLATERAL_ANSWER_REFUSED',
    `${what} does not pass the checks that clients make: ${message}. Use another service`,
    { cause }
  )
}
