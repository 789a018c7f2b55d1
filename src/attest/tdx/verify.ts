import { TdxVerifier, type VerifiedSgx, type VerifiedTdx, type VerifyTdxInput } from './verifier.ts'

/**
 * Decides whether a quote proves a closed TD on a genuine platform that Intel stands behind (design §6): sizes, shape,
 * the signatures of collateral and certificates up to Intel's pinned root, revocation, the quoting enclave, the quote's
 * own signature, TCB level, TDX module, attributes of the TD, policy. Keeps nothing; {@link TdxVerifier} does.
 *
 * What the TD measured and reports is not judged: compare it yourself.
 *
 * @throws {AttestationError} one code per cause, all `ATTESTATION_…`; listed in `docs/errors.md`
 * @throws {UsageError} `ATTESTATION_INPUT_INVALID` if `nowMs` or the policy are unusable
 */
export function verifyTdxQuote(input: VerifyTdxInput): VerifiedTdx {
  return new TdxVerifier(1).verifyTdx(input)
}

/**
 * The same for a quote of version 3 by an SGX enclave. Nothing here serves from one; kept so that the recorded quote of
 * one checks what both share. Debug enclaves are refused.
 *
 * @throws {AttestationError} one code per cause, all `ATTESTATION_…`; listed in `docs/errors.md`
 * @throws {UsageError} `ATTESTATION_INPUT_INVALID` if `nowMs` or the policy are unusable
 */
export function verifySgxQuote(input: VerifyTdxInput): VerifiedSgx {
  return new TdxVerifier(1).verifySgx(input)
}
