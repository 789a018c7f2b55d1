import assert from 'node:assert/strict'
import { decodeStoredAttestation, encodeStoredAttestation, type StoredAttestation } from '../../../src/attest/index.ts'
import { attestation, NOW_MS } from './fixtures.ts'

function stored(challenge?: Uint8Array): StoredAttestation {
  const { statement, evidence, peerSignature } = attestation({}, challenge)
  return { statement, evidence, peerSignature, ...(challenge && { challenge }), fetchedAtMs: NOW_MS }
}

describe('attestation file', () => {
  it('gives back what was shown, byte for byte', () => {
    for (const one of [stored(), stored(new Uint8Array(32).fill(7))]) {
      assert.deepEqual(decodeStoredAttestation(encodeStoredAttestation(one)), one)
    }
  })

  it('is refused where it is not one', () => {
    const text = encodeStoredAttestation(stored())
    for (const bad of [
      '',
      '{}',
      text.replace('cocoon/attestation/1', 'cocoon/attestation/2'),
      text.replace('"fetchedAtMs"', '"at"'),
      text.replace('"height": 1000', '"height": 0.5e-7'),
      text.padEnd(1_000_000)
    ]) {
      assert.throws(
        () => decodeStoredAttestation(bad),
        (err: { code?: string }) =>
          ['ATTESTATION_FILE_INVALID', 'ATTESTATION_STATEMENT_INVALID'].includes(err.code ?? ''),
        bad.slice(0, 60)
      )
    }
  })
})
