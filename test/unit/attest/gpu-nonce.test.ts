import assert from 'node:assert/strict'
import { canonicalBytes } from '../../../src/attest/document.ts'
import { gpuNonce } from '../../../src/attest/gpu-nonce.ts'
import type { Statement } from '../../../src/attest/index.ts'
import { sha256, toHex } from '../../../src/core/bytes.ts'
import { STATEMENT } from './fixtures.ts'

describe('the nonce of the GPUs', () => {
  it('is the digest of the statement without what the GPUs answer', () => {
    const nonce = gpuNonce(STATEMENT)
    assert.equal(nonce.byteLength, 32)
    assert.equal(toHex(nonce), toHex(sha256('cocoon/gpu/v1', canonicalBytes(STATEMENT))))
    assert.equal(toHex(gpuNonce({ ...STATEMENT, gpuEvidence: ['ab'.repeat(32)] })), toHex(nonce))
  })

  it('changes with everything else that a statement says', () => {
    const changes: Partial<Statement>[] = [
      { tier: 'tdx+gpu' },
      { hpkeKey: '12'.repeat(32) },
      { receiptKey: '12'.repeat(32) },
      { bootId: '12'.repeat(16) },
      { modelDigests: ['aa'.repeat(32)] },
      { notAfterMs: STATEMENT.notAfterMs + 1 },
      { beacon: { ...STATEMENT.beacon, height: STATEMENT.beacon.height + 1 } }
    ]
    const nonces = [STATEMENT, ...changes.map(change => ({ ...STATEMENT, ...change }))].map(s => toHex(gpuNonce(s)))
    assert.equal(new Set(nonces).size, changes.length + 1)
  })
})
