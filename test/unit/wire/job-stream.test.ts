import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { JobDown, JobUp } from '../../../src/wire/generated/job.ts'
import {
  decodeJobDown,
  decodeJobUp,
  encodeJobDown,
  encodeJobUp,
  type JobDownMessage,
  type JobUpMessage
} from '../../../src/wire/job-stream.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import * as any from './samples.ts'

const direct = fc.record(
  { modelDigest: any.bytes(32), maxCompletionTokens: any.uint32, recipient: any.recipient, body: any.body },
  any.plain
)
const up: fc.Arbitrary<JobUpMessage> = fc.oneof(
  fc.record(
    { type: fc.constant('open' as const), jobId: any.bytes(16), channel: any.terms, voucher: any.voucher, direct },
    { ...any.plain, requiredKeys: ['type', 'jobId', 'channel', 'voucher'] }
  ),
  fc.record({ type: fc.constant('voucher' as const), voucher: any.voucher }, any.plain),
  fc.record({ type: fc.constant('part' as const), bytes: fc.uint8Array({ maxLength: 500 }) }, any.plain),
  fc.record({ type: fc.constant('cancel' as const), reason: any.words(200) }, any.plain),
  fc.constant({ type: 'pad' as const })
)
const down: fc.Arbitrary<JobDownMessage> = fc.oneof(
  fc.record(
    { type: fc.constant('chunk' as const), sealed: fc.uint8Array({ maxLength: 600 }), usage: any.usage },
    any.plain
  ),
  fc.record({ type: fc.constant('need-voucher' as const), cumulative: any.coins, usage: any.usage }, any.plain),
  fc.record(
    { type: fc.constant('done' as const), receipt: fc.uint8Array({ maxLength: 300 }), receiptSignature: any.bytes(64) },
    any.plain
  ),
  fc.record(
    { type: fc.constant('failed' as const), code: any.code, message: any.words(300), highest: any.voucher },
    { ...any.plain, requiredKeys: ['type', 'code', 'message'] }
  )
)

type Open = Extract<JobUpMessage, { type: 'open' }>

const OPEN: Open = {
  type: 'open',
  jobId: new Uint8Array(16),
  channel: {
    globalId: -3,
    payerKey: new Uint8Array(32),
    payerAddress: `0:${'11'.repeat(32)}`,
    payeeKey: new Uint8Array(32),
    payeeAddress: `-1:${'22'.repeat(32)}`,
    salt: (1n << 64n) - 1n,
    challengeSeconds: 3_600
  },
  voucher: {
    channel: `0:${'33'.repeat(32)}`,
    openedLt: 1n,
    cumulative: Uint8Array.of(1),
    signature: new Uint8Array(64)
  },
  direct: {
    modelDigest: new Uint8Array(32),
    maxCompletionTokens: 10,
    recipient: { hint: new Uint8Array(8), enc: new Uint8Array(32), wrappedKey: new Uint8Array(48) },
    body: { kind: 'inline', sealedRequest: new Uint8Array(5) }
  }
}
const DIRECT = OPEN.direct as NonNullable<Open['direct']>

describe('job stream messages', () => {
  it('carry every valid message through, both ways', () => {
    any.carriesThrough(up, encodeJobUp, decodeJobUp)
    any.carriesThrough(down, encodeJobDown, decodeJobDown)
  })

  it('answer any bytes with a message or one of their two errors', () => {
    any.refusesDamage(up, encodeJobUp, decodeJobUp)
    any.refusesDamage(down, encodeJobDown, decodeJobDown)
  })

  it('over the limit are refused by their size alone', () => {
    any.refusesOversize(LIMITS.jobFrameBytes, decodeJobUp)
    any.refusesOversize(LIMITS.jobFrameBytes, decodeJobDown)
  })

  it('without any known body are refused', () => {
    assert.throws(() => decodeJobUp(new Uint8Array()), any.MALFORMED)
    assert.throws(() => decodeJobDown(new Uint8Array()), any.MALFORMED)
  })

  const { channel } = OPEN
  const badOpenings: Array<[string, Open]> = [
    ['a short job id', { ...OPEN, jobId: new Uint8Array(15) }],
    ['a payer key of another length', { ...OPEN, channel: { ...channel, payerKey: new Uint8Array(31) } }],
    ['a payee key of another length', { ...OPEN, channel: { ...channel, payeeKey: new Uint8Array(33) } }],
    ['a payer address that is not raw', { ...OPEN, channel: { ...channel, payerAddress: 'EQpayer' } }],
    ['a payee address that is not raw', { ...OPEN, channel: { ...channel, payeeAddress: `0:${'AA'.repeat(32)}` } }],
    ['a model digest of another length', { ...OPEN, direct: { ...DIRECT, modelDigest: new Uint8Array(5_000) } }],
    ['an empty body', { ...OPEN, direct: { ...DIRECT, body: { kind: 'inline', sealedRequest: new Uint8Array() } } }],
    [
      'a recipient with a short hint',
      { ...OPEN, direct: { ...DIRECT, recipient: { ...DIRECT.recipient, hint: new Uint8Array(1) } } }
    ]
  ]
  for (const [name, message] of badOpenings) {
    it(`refuse an opening with ${name}`, () => {
      assert.throws(() => decodeJobUp(encodeJobUp(message)), any.MALFORMED)
    })
  }

  it('refuse an opening without its channel, its voucher or its recipient', () => {
    const wire = JobUp.decode(encodeJobUp(OPEN)).open
    assert.ok(wire?.direct)
    const { channel: _, ...noChannel } = wire
    const { voucher: __, ...noVoucher } = wire
    const { recipient: ___, ...noRecipient } = wire.direct
    for (const open of [noChannel, noVoucher, { ...wire, direct: noRecipient }]) {
      assert.throws(() => decodeJobUp(JobUp.encode({ open })), any.MALFORMED)
    }
  })

  it('refuse a part, a reason, a frame, a receipt or words over their limits', () => {
    assert.throws(
      () => decodeJobUp(encodeJobUp({ type: 'part', bytes: new Uint8Array(LIMITS.bodyPartBytes + 1) })),
      any.MALFORMED
    )
    assert.throws(() => decodeJobUp(encodeJobUp({ type: 'cancel', reason: 'x'.repeat(201) })), any.MALFORMED)
    const usage = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }
    const sealed = new Uint8Array(LIMITS.sealedChunkBytes + 1)
    assert.throws(() => decodeJobDown(encodeJobDown({ type: 'chunk', sealed, usage })), any.MALFORMED)
    const receiptSignature = new Uint8Array(64)
    const receipt = new Uint8Array(LIMITS.receiptBytes + 1)
    assert.throws(() => decodeJobDown(encodeJobDown({ type: 'done', receipt, receiptSignature })), any.MALFORMED)
    const message = 'x'.repeat(LIMITS.refusalText + 1)
    assert.throws(() => decodeJobDown(JobDown.encode({ failed: { code: 'SOME_CODE', message } })), any.MALFORMED)
  })

  it('refuse a receipt without a whole signature, an amount with leading zeros, and a code that is none', () => {
    const receipt = new Uint8Array(3)
    assert.throws(
      () => decodeJobDown(encodeJobDown({ type: 'done', receipt, receiptSignature: receipt })),
      any.MALFORMED
    )
    const counts = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }
    const needVoucher = { cumulative: Uint8Array.of(0, 1), ...counts }
    assert.throws(() => decodeJobDown(JobDown.encode({ needVoucher })), any.MALFORMED)
    for (const code of ['', 'lower', '1A', 'A'.repeat(65), 'A B']) {
      assert.throws(() => decodeJobDown(encodeJobDown({ type: 'failed', code, message: '' })), any.MALFORMED)
    }
  })

  it('cut the words of a failure to what the other side accepts', () => {
    const sent = encodeJobDown({ type: 'failed', code: 'SOME_CODE', message: 'x'.repeat(1_000) })
    assert.deepEqual(decodeJobDown(sent), {
      type: 'failed',
      code: 'SOME_CODE',
      message: 'x'.repeat(LIMITS.refusalText)
    })
  })

  it('keep an amount of zero', () => {
    const message = {
      type: 'need-voucher',
      cumulative: nanoTon(0n),
      usage: { promptTokens: 1, cachedPromptTokens: 2, completionTokens: 3 }
    } as const
    assert.deepEqual(decodeJobDown(encodeJobDown(message)), message)
  })
})
