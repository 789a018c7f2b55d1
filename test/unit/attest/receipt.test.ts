import assert from 'node:assert/strict'
import { createHash, createPublicKey, verify } from 'node:crypto'
import * as fc from 'fast-check'
import { decodeReceipt, encodeStatement, makeReceipt, type Receipt, verifyReceipt } from '../../../src/attest/index.ts'
import { ed25519FromSeed } from '../../../src/core/ed25519.ts'
import { AttestationError } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import { receiptFields, receiptKeys, STATEMENT } from './fixtures.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const FIELDS = receiptFields(encodeStatement(STATEMENT))
const make = (changes: Partial<Receipt> = {}): ReturnType<typeof makeReceipt> =>
  makeReceipt({ ...FIELDS, ...changes }, receiptKeys.privateKey)

describe('receipt', () => {
  it('has these bytes and this digest, and is signed under its domain', () => {
    const { bytes, signature } = make()
    assert.equal(Buffer.from(bytes).toString(), GOLDEN)
    assert.equal(createHash('sha256').update(bytes).digest('hex'), GOLDEN_DIGEST)
    const message = Buffer.concat([Buffer.from('cocoon/receipt/v1'), bytes])
    assert.ok(verify(null, message, createPublicKey(receiptKeys.privateKey), signature))
  })

  it('comes back as it was made', () => {
    const counts = fc.nat(0xffff_ffff)
    fc.assert(
      fc.property(
        counts,
        counts,
        fc.bigInt(0n, (1n << 120n) - 1n),
        fc.maxSafeInteger(),
        (prompt, completion, cost, seed) => {
          const changes = {
            promptTokens: prompt,
            completionTokens: completion,
            cost: `${cost}`,
            sampling: { seed, maxTokens: completion }
          }
          const { bytes, signature } = make(changes)
          const receipt = verifyReceipt({ bytes, signature, receiptKey: receiptKeys.publicKey })
          assert.deepEqual(receipt, { ...FIELDS, ...changes, version: 'cocoon/receipt/1' })
        }
      ),
      { numRuns: 30 }
    )
  })

  it('leaves out settings that were not given, even as undefined', () => {
    const sampling = { maxTokens: 5, seed: undefined } as unknown as Receipt['sampling']
    assert.deepEqual(decodeReceipt(make({ sampling }).bytes).sampling, { maxTokens: 5 })
  })

  it('refuses a receipt with any bit changed, another key or another signature', () => {
    const { bytes, signature } = make()
    const receiptKey = receiptKeys.publicKey
    fc.assert(
      fc.property(fc.nat(bytes.byteLength * 8 - 1), bit => {
        const changed = bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)))
        assert.throws(() => verifyReceipt({ bytes: changed, signature, receiptKey }), AttestationError)
      })
    )
    const stranger = ed25519FromSeed(new Uint8Array(32).fill(9))
    const bad = { code: 'RECEIPT_SIGNATURE_INVALID' }
    assert.throws(() => verifyReceipt({ bytes, signature, receiptKey: stranger.publicKey }), bad)
    assert.throws(() => verifyReceipt({ bytes, signature: new Uint8Array(64), receiptKey }), bad)
    assert.throws(() => verifyReceipt({ bytes, signature: signature.subarray(1), receiptKey }), bad)
    const other = make({ cost: '240' })
    assert.throws(() => verifyReceipt({ bytes: other.bytes, signature, receiptKey }), bad)
  })

  it('refuses fields that are missing, unknown, of another type or out of range', () => {
    const changes: object[] = [
      { version: 'cocoon/receipt/2' },
      { jobId: '01'.repeat(15) },
      { answerDigest: undefined },
      { promptTokens: -1 },
      { promptTokens: 1.5 },
      { completionTokens: 2 ** 32 },
      { cost: 239 },
      { cost: '-1' },
      { cost: '007' },
      { cost: `${1n << 120n}` },
      { openedLt: `${1n << 64n}` },
      { prices: { ...FIELDS.prices, promptPerMTokens: `${1n << 64n}` } },
      { sampling: { maxTokens: 1, temperatureMilli: 0.7 } },
      { sampling: {} },
      { finishReason: 'Stop now' },
      { channel: '' },
      { startedAtMs: 0 },
      { providerPeerId: 'me' },
      { prompt: 'x' }
    ]
    for (const change of changes) {
      const text = JSON.stringify({ ...FIELDS, version: 'cocoon/receipt/1', ...change })
      assert.throws(() => decodeReceipt(utf8(text)), { code: 'RECEIPT_INVALID' }, text)
    }
  })

  it('refuses another encoding, and more than its size', () => {
    const text = JSON.stringify({ ...FIELDS, version: 'cocoon/receipt/1' })
    assert.throws(() => decodeReceipt(utf8(text)), { code: 'RECEIPT_NOT_CANONICAL' })
    assert.throws(() => decodeReceipt(utf8(text.padEnd(LIMITS.receiptBytes + 1))), { code: 'RECEIPT_TOO_LARGE' })
  })

  it('refuses to sign what it would refuse to read', () => {
    assert.throws(() => make({ jobId: '' }), { code: 'RECEIPT_INVALID' })
  })
})

const GOLDEN =
  `{"answerDigest":"${'03'.repeat(32)}","cachedPromptTokens":20,"channel":"0:${'04'.repeat(32)}",` +
  '"clientPeerId":"12D3KooWH3uVF6wv47WnArKHk5p6cvgCJEb74UTmxztmQDc298L3","completionTokens":64,' +
  `"cost":"239","endedAtMs":1795000001500,"finishReason":"stop","jobId":"${'01'.repeat(16)}",` +
  `"modelDigest":"${'aa'.repeat(32)}","openedLt":"12345678901234567890",` +
  '"prices":{"cachedPromptPerMTokens":"500000","completionPerMTokens":"2000001",' +
  '"promptPerMTokens":"1000000"},"promptTokens":100,' +
  '"providerPeerId":"12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X",' +
  `"requestDigest":"${'02'.repeat(32)}","sampling":{"maxTokens":64,"seed":42,"temperatureMilli":700},` +
  '"startedAtMs":1795000000000,' +
  '"statementDigest":"8106caf3baab042067176eb9699efac67dec66428347df14e86731e3a9632ded",' +
  '"version":"cocoon/receipt/1"}'
const GOLDEN_DIGEST = '44f8991cf4b3196010cb1b957e972cfa086a1ef46fd22f21cd03979ab3d787d4'
