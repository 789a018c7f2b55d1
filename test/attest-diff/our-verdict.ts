import { readCollateral } from '../../src/attest/tdx/collateral.ts'
import { TdxVerifier } from '../../src/attest/tdx/verifier.ts'
import { sha256, toHex } from '../../src/core/bytes.ts'
import { AttestationError } from '../../src/core/errors.ts'
import type { AttestationCase } from './attestation-cases.ts'

/**
 * Our answer: a TCB status, or the code of the refusal. A fresh verifier each time, or one that remembers collateral.
 * Anything but an AttestationError is thrown on.
 */
export function ourVerdict(given: AttestationCase, verifier: TdxVerifier = new TdxVerifier(1)): string {
  try {
    const input = {
      quote: given.quote,
      collateral: readCollateral(given.collateral),
      nowMs: given.nowMs,
      policy: given.policy,
      rootSha256: toHex(sha256(given.root))
    }
    return (given.kind === 'tdx' ? verifier.verifyTdx(input) : verifier.verifySgx(input)).tcbStatus
  } catch (err) {
    if (err instanceof AttestationError) {
      return err.code
    }
    throw err
  }
}

/** Whether a verdict is a refusal. */
export function isRefusal(verdict: string): boolean {
  return verdict.startsWith('ATTESTATION_')
}
