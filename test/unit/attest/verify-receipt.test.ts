import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import {
  DEFAULT_POLICY,
  decodeStoredReceipt,
  encodeStoredReceipt,
  makeReceipt,
  type Receipt,
  SIMNET_POLICY,
  type Statement,
  type StoredReceipt,
  type VerifiedReceipt,
  verifyStoredReceipt
} from '../../../src/attest/index.ts'
import { AttestationError } from '../../../src/core/errors.ts'
import { attestation, NOW_MS, receiptFields, receiptKeys, VOUCHER_TERMS, verifyPeerSignature } from './fixtures.ts'

function stored(changes: Partial<Receipt> = {}, statementChanges: Partial<Statement> = {}): StoredReceipt {
  const { statement, evidence, peerSignature } = attestation(statementChanges)
  const fields = { ...receiptFields(statement), ...changes }
  const { bytes, signature } = makeReceipt(fields, receiptKeys)
  const { channel, openedLt } = fields
  const signature64 = new Uint8Array(64).fill(6)
  const finalVoucher = { channel, openedLt, cumulative: '5000', signature: signature64, terms: VOUCHER_TERMS }
  return { receipt: bytes, signature, statement, evidence, peerSignature, finalVoucher }
}

function check(receipt: StoredReceipt, policy = SIMNET_POLICY): Promise<VerifiedReceipt> {
  return verifyStoredReceipt({ stored: receipt, policy, verifyPeerSignature })
}

async function refused(receipt: StoredReceipt, code: string): Promise<void> {
  await assert.rejects(check(receipt), { code })
}

describe('stored receipt', () => {
  it('is checked offline from one file', async () => {
    const file = encodeStoredReceipt(stored())
    const { receipt, enclave, voucher } = await check(decodeStoredReceipt(file))
    assert.equal(receipt.cost, '239')
    assert.equal(enclave.tier, 'simulated')
    assert.equal(voucher, 'terms')
  })

  it('comes back byte for byte, with and without what is optional', () => {
    const { finalVoucher: _, ...unpaid } = stored()
    for (const receipt of [stored(), unpaid, { ...stored(), challenge: new Uint8Array(32).fill(1) }]) {
      assert.deepEqual(decodeStoredReceipt(encodeStoredReceipt(receipt)), receipt)
    }
  })

  it('holds with evidence for a challenge', async () => {
    const challenge = new Uint8Array(32).fill(1)
    const { statement, evidence, peerSignature } = attestation({}, challenge)
    const { bytes, signature } = makeReceipt(receiptFields(statement), receiptKeys)
    const receipt = { receipt: bytes, signature, statement, evidence, peerSignature, challenge }
    assert.equal((await check(decodeStoredReceipt(encodeStoredReceipt(receipt)))).voucher, 'none')
  })

  it('checks the voucher with whoever knows the payer', async () => {
    const input = { stored: stored(), policy: SIMNET_POLICY, verifyPeerSignature }
    const seen = await verifyStoredReceipt({ ...input, verifyVoucherSignature: v => v.cumulative === '5000' })
    assert.equal(seen.voucher, 'signature')
    await assert.rejects(verifyStoredReceipt({ ...input, verifyVoucherSignature: async () => false }), {
      code: 'RECEIPT_VOUCHER_SIGNATURE_INVALID'
    })
  })

  it('refuses a voucher of another channel or opening, or one that pays less than the cost', async () => {
    const receipt = stored()
    const voucher = receipt.finalVoucher
    assert.ok(voucher)
    for (const change of [{ channel: '0:00' }, { openedLt: '1' }, { cumulative: '238' }]) {
      await refused({ ...receipt, finalVoucher: { ...voucher, ...change } }, 'RECEIPT_VOUCHER_MISMATCH')
    }
    await check({ ...receipt, finalVoucher: { ...voucher, cumulative: '239' } })
  })

  it('refuses a simulated enclave under the default policy', async () => {
    await assert.rejects(check(stored(), DEFAULT_POLICY), { code: 'ATTESTATION_TIER_REFUSED' })
  })

  it('judges the statement at the time of the job', async () => {
    await refused(stored({ startedAtMs: NOW_MS + 3_600_000, endedAtMs: NOW_MS + 3_600_001 }), 'ATTESTATION_EXPIRED')
    await refused(stored({ startedAtMs: 1 }), 'ATTESTATION_NOT_YET_VALID')
  })

  it('refuses a receipt that is not signed by the key of its statement', async () => {
    await refused(stored({}, { receiptKey: '44'.repeat(32) }), 'RECEIPT_SIGNATURE_INVALID')
    await refused({ ...stored(), signature: new Uint8Array(64) }, 'RECEIPT_SIGNATURE_INVALID')
  })

  it("refuses another statement, model or peer than the enclave's", async () => {
    await refused(stored({ statementDigest: '00'.repeat(32) }), 'RECEIPT_STATEMENT_MISMATCH')
    await refused(stored({ modelDigest: '00'.repeat(32) }), 'RECEIPT_MODEL_MISMATCH')
    await refused(stored({ providerPeerId: receiptFields(new Uint8Array()).clientPeerId }), 'ATTESTATION_PEER_MISMATCH')
  })

  it('refuses a cost that its own prices and tokens do not make', async () => {
    for (const change of [{ cost: '238' }, { cost: '240' }, { completionTokens: 65 }, { promptTokens: 99 }]) {
      await refused(stored(change), 'RECEIPT_COST_MISMATCH')
    }
  })

  it('computes the largest prices and counts without leaving its limits', async () => {
    const most = `${(1n << 64n) - 1n}`
    const prices = { promptPerMTokens: most, cachedPromptPerMTokens: most, completionPerMTokens: most }
    const count = 0xffff_ffff
    const tokens = { promptTokens: count, cachedPromptTokens: count, completionTokens: count }
    await refused(stored({ prices, ...tokens }), 'RECEIPT_COST_MISMATCH')
  })

  it('refuses an answer that ended before it started', async () => {
    await refused(stored({ endedAtMs: NOW_MS - 1 }), 'RECEIPT_TIMES_INVALID')
  })

  it('refuses evidence or a co-signature of another statement', async () => {
    const other = attestation({ bootId: '00'.repeat(16) })
    await refused({ ...stored(), evidence: other.evidence }, 'ATTESTATION_REPORT_DATA_MISMATCH')
    await refused({ ...stored(), peerSignature: other.peerSignature }, 'ATTESTATION_COSIGNATURE_INVALID')
  })

  it('answers a damaged file with a coded refusal', async () => {
    const file = encodeStoredReceipt(stored())
    await fc.assert(
      fc.asyncProperty(fc.nat(file.length - 2), fc.string({ maxLength: 3 }), async (at, text) => {
        const damaged = `${file.slice(0, at)}${text}${file.slice(at + 1)}`
        // White space between fields and the voucher's unchecked signature carry no meaning.
        fc.pre(JSON.stringify(withoutVoucher(damaged)) !== JSON.stringify(withoutVoucher(file)))
        await assert.rejects(async () => check(decodeStoredReceipt(damaged)), AttestationError)
      }),
      { numRuns: 150 }
    )
    for (const bad of [
      '',
      '{}',
      'null',
      file.replace('receipt/2"', 'receipt/1"'),
      file.padEnd(1_000_000),
      file.replace('"challengeSeconds": 3600', '"challengeSeconds": 0'),
      file.replace('"challengeSeconds": 3600', '"challengeSeconds": 31536001'),
      file.replace('"modelDigests": [', `"modelDigests": [${'['.repeat(3_000)}${']'.repeat(3_000)},`),
      '['.repeat(100_000)
    ]) {
      assert.throws(() => decodeStoredReceipt(bad), { code: 'RECEIPT_FILE_INVALID' })
    }
    const float = file.replace('"prompt_tokens": 100', '"prompt_tokens": 100.5')
    assert.throws(() => decodeStoredReceipt(float), { code: 'RECEIPT_FILE_INVALID' })
    const missing = file.replace('"prompt_tokens": 100,', '')
    assert.throws(() => decodeStoredReceipt(missing), { code: 'RECEIPT_INVALID' })
  })
})

function withoutVoucher(file: string): unknown {
  try {
    const { finalVoucher: _, ...rest } = JSON.parse(file) as Record<string, unknown>
    return rest
  } catch {
    return file
  }
}
