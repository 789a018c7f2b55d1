import assert from 'node:assert/strict'
import { attestTarget } from './attest-target.ts'
import { runFuzz } from './run-fuzz.ts'

describe('fuzzed evidence', () => {
  it('is refused with a code, quickly, and never holds unless it says what the genuine one says', async function () {
    this.timeout(120_000)
    const { outcomes } = await runFuzz(await attestTarget(), { seed: 20_261_122, from: 0, frames: 3_000 })
    // Inputs must get past the first check, and to every surface that needs no recorded data.
    for (const expected of [
      'certificate read',
      'certificate ATTESTATION_CERTIFICATE_INVALID',
      'chain ATTESTATION_CERTIFICATE_ISSUER_MISMATCH',
      'made-chain held',
      'crl ATTESTATION_CRL_INVALID',
      'pem read',
      'quote read',
      'verify-quote ATTESTATION_QUOTE_INVALID',
      'signed-tdx held UpToDate',
      'snp-revocation held made',
      'snp-revocation ATTESTATION_CERTIFICATE_REVOKED',
      'collateral read',
      'tcb-info ATTESTATION_COLLATERAL_INVALID',
      'event-log ATTESTATION_EVENT_LOG_MISMATCH',
      'statement read',
      'evidence read tdx',
      'verify-attestation ATTESTATION_COSIGNATURE_INVALID',
      'receipt RECEIPT_SIGNATURE_INVALID',
      'receipt-file RECEIPT_FILE_INVALID',
      'attestation-file read',
      'attest-message read',
      'attest-message refusal'
    ]) {
      assert.ok(outcomes.has(expected), `${expected} not among ${[...outcomes.keys()].join(', ')}`)
    }
  })
})
