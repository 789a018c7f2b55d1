import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  decodeAttestReply,
  decodeAttestRequest,
  encodeAttestReply,
  encodeAttestRequest,
  MAX_RETRY_AFTER_MS
} from '../../../src/wire/attest-exchange.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import * as any from './samples.ts'

const request = fc.oneof(any.bytes(32), any.bytes(0)).map(challenge => ({ challenge }))
const reply = fc.record(
  {
    statement: fc.uint8Array(),
    evidence: fc.uint8Array(),
    peerSignature: any.bytes(64),
    xwingKey: fc.nat(255).map(byte => new Uint8Array(1_216).fill(byte))
  },
  { ...any.plain, requiredKeys: ['statement', 'evidence', 'peerSignature'] }
)
const refusal = fc.record({ retryAfterMs: fc.integer({ min: 1, max: MAX_RETRY_AFTER_MS }) }, any.plain)
const encodeRequest = ({ challenge }: { challenge: Uint8Array }): Uint8Array => encodeAttestRequest(challenge)

describe('attestation exchange', () => {
  it('carries every valid message through', () => {
    any.carriesThrough(request, encodeRequest, decodeAttestRequest)
    any.carriesThrough(fc.oneof(reply, refusal), encodeAttestReply, decodeAttestReply)
    assert.equal(decodeAttestRequest(encodeAttestRequest()).challenge.byteLength, 0)
  })

  it('answers any bytes with a message or one of its two errors', () => {
    any.refusesDamage(
      request.filter(({ challenge }) => challenge.byteLength > 0),
      encodeRequest,
      decodeAttestRequest
    )
    any.refusesDamage(fc.oneof(reply, refusal), encodeAttestReply, decodeAttestReply)
  })

  it('refuses messages over the limit by their size alone', () => {
    assert.throws(() => decodeAttestRequest(new Uint8Array(65)), { code: 'MESSAGE_TOO_LARGE' })
    any.refusesOversize(LIMITS.attestReplyBytes, decodeAttestReply)
  })

  it('refuses a challenge or a signature of another length', () => {
    assert.throws(() => decodeAttestRequest(encodeAttestRequest(new Uint8Array(31))), any.MALFORMED)
    const short = { statement: new Uint8Array(1), evidence: new Uint8Array(1), peerSignature: new Uint8Array(63) }
    assert.throws(() => decodeAttestReply(encodeAttestReply(short)), any.MALFORMED)
    const shortKey = { ...short, peerSignature: new Uint8Array(64), xwingKey: new Uint8Array(1_215) }
    assert.throws(() => decodeAttestReply(encodeAttestReply(shortKey)), any.MALFORMED)
  })

  it('refuses a refusal for too long, and one that shows something beside', () => {
    const retryAfterMs = MAX_RETRY_AFTER_MS
    for (const invalid of [MAX_RETRY_AFTER_MS + 1, 2 ** 32 - 1]) {
      assert.throws(() => decodeAttestReply(encodeAttestReply({ retryAfterMs: invalid })), any.MALFORMED)
    }
    const whole = {
      statement: new Uint8Array(1),
      evidence: new Uint8Array(1),
      peerSignature: new Uint8Array(64),
      xwingKey: new Uint8Array(1_216)
    }
    assert.throws(() => decodeAttestReply(encodeAttestReply({ ...whole, retryAfterMs })), any.MALFORMED)
    for (const [name, value] of Object.entries(whole)) {
      const beside = { retryAfterMs, [name]: value }
      assert.throws(() => decodeAttestReply(encodeAttestReply(beside)), any.MALFORMED, name)
    }
    // Nothing at all is no refusal.
    assert.throws(() => decodeAttestReply(new Uint8Array(0)), any.MALFORMED)
  })
})
