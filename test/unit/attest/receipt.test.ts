import assert from 'node:assert/strict'
import { createHash, createPublicKey, verify } from 'node:crypto'
import * as fc from 'fast-check'
import { toAciReceipt } from '../../../src/attest/aci-receipt.ts'
import { decodeReceipt, encodeStatement, makeReceipt, type Receipt, verifyReceipt } from '../../../src/attest/index.ts'
import { toHex } from '../../../src/core/bytes.ts'
import { canonicalJson } from '../../../src/core/canonical-json.ts'
import { ed25519FromSeed } from '../../../src/core/ed25519.ts'
import { AttestationError } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import { receiptFields, receiptKeys, STATEMENT } from './fixtures.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const FIELDS = receiptFields(encodeStatement(STATEMENT))
const KEY_ID = toHex(receiptKeys.publicKey)
const make = (changes: Partial<Receipt> = {}): ReturnType<typeof makeReceipt> =>
  makeReceipt({ ...FIELDS, ...changes }, receiptKeys)

describe('receipt', () => {
  it('has these bytes and this digest, and is signed as they are', () => {
    const { bytes, signature } = make()
    assert.equal(Buffer.from(bytes).toString(), GOLDEN)
    assert.equal(createHash('sha256').update(bytes).digest('hex'), GOLDEN_DIGEST)
    assert.ok(verify(null, bytes, createPublicKey(receiptKeys.privateKey), signature))
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
          assert.deepEqual(receipt, { ...FIELDS, ...changes })
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
    const changes: Array<Partial<Record<keyof Receipt, unknown>>> = [
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
      { providerPeerId: 'me' }
    ]
    for (const change of changes) {
      const document = toAciReceipt({ ...FIELDS, ...change } as Receipt, KEY_ID)
      assert.throws(() => decodeReceipt(utf8(JSON.stringify(document))), { code: 'RECEIPT_INVALID' })
    }
    const document = toAciReceipt(FIELDS, KEY_ID)
    const [received, forwarded, ...rest] = document.event_log
    for (const other of [
      { ...document, api_version: 'aci/2' },
      { ...document, prompt: 'x' },
      { ...document, chat_id: 'x' },
      { ...document, event_log: [] },
      { ...document, event_log: [forwarded, received, ...rest] },
      { ...document, event_log: [received, ...rest] }
    ]) {
      assert.throws(() => decodeReceipt(utf8(JSON.stringify(other))), { code: 'RECEIPT_INVALID' })
    }
  })

  it('refuses a document that says two things', () => {
    const document = toAciReceipt(FIELDS, KEY_ID)
    const [received, forwarded, ...rest] = document.event_log
    const other = { ...forwarded, body_hash: `sha256:${'09'.repeat(32)}` }
    for (const bad of [
      { ...document, served_at: document.served_at + 1 },
      { ...document, event_log: [received, other, ...rest] }
    ]) {
      assert.throws(() => decodeReceipt(utf8(canonicalJson(bad as never))), { code: 'RECEIPT_INVALID' })
    }
  })

  it('refuses another encoding, and more than its size', () => {
    const text = JSON.stringify(toAciReceipt(FIELDS, KEY_ID))
    assert.throws(() => decodeReceipt(utf8(text)), { code: 'RECEIPT_NOT_CANONICAL' })
    assert.throws(() => decodeReceipt(utf8(text.padEnd(LIMITS.receiptBytes + 1))), { code: 'RECEIPT_TOO_LARGE' })
  })

  it('refuses to sign what it would refuse to read', () => {
    assert.throws(() => make({ jobId: '' }), { code: 'RECEIPT_INVALID' })
  })
})

const GOLDEN =
  '{"api_version":"aci/1","chat_id":null,"endpoint":"/cocoon/job/1.0.0","event_log":[{"body_hash":"sha2' +
  '56:0202020202020202020202020202020202020202020202020202020202020202","type":"request.received"},{"bo' +
  'dy_hash":"sha256:0202020202020202020202020202020202020202020202020202020202020202","type":"request.f' +
  'orwarded"},{"cached_prompt_tokens":20,"completion_tokens":64,"ended_at_ms":1795000001500,"finish_rea' +
  'son":"stop","prompt_tokens":100,"sampling":{"maxTokens":64,"seed":42,"temperatureMilli":700},"starte' +
  'd_at_ms":1795000000000,"type":"cocoon.inference"},{"channel":"0:040404040404040404040404040404040404' +
  '0404040404040404040404040404","client":"12D3KooWH3uVF6wv47WnArKHk5p6cvgCJEb74UTmxztmQDc298L3","cost"' +
  ':"239","opened_lt":"12345678901234567890","prices":{"cachedPromptPerMTokens":"500000","completionPer' +
  'MTokens":"2000001","promptPerMTokens":"1000000"},"provider":"12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sB' +
  'YbU1Nft9HyQ6X","type":"cocoon.payment"},{"body_hash":"sha256:030303030303030303030303030303030303030' +
  '3030303030303030303030303","type":"response.returned"}],"key_id":"a09aa5f47a6759802ff955f8dc2d2a14a5' +
  'c99d23be97f864127ff9383455a4f0","method":"STREAM","model":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' +
  'aaaaaaaaaaaaaaaaaaaaaaa","receipt_id":"01010101010101010101010101010101","served_at":1795000001,"wor' +
  'kload_keyset_digest":"sha256:8106caf3baab042067176eb9699efac67dec66428347df14e86731e3a9632ded"}'
const GOLDEN_DIGEST = '33ae0c83e61684375474b4a85ac0af00ba4aed591da9155746115851b3fa4176'
