import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { JobUp } from '../../../src/wire/generated/job.ts'
import { encodeJobDown, encodeJobUp } from '../../../src/wire/job-stream.ts'
import { encodeSteady } from '../../../src/wire/steady-size.ts'
import * as any from './samples.ts'

const sizes = (messages: Uint8Array[]): number[] => [...new Set(messages.map(({ byteLength }) => byteLength))]

describe('messages of one size', () => {
  it('are whole units, whatever they carry', () => {
    const reason = fc.nat(600).map(length => 'x'.repeat(length))
    fc.assert(
      fc.property(reason, fc.integer({ min: 140, max: 600 }), (text, unit) => {
        const bytes = encodeSteady(unit, padding => JobUp.encode({ cancel: { reason: text }, padding }))
        assert.equal(bytes.byteLength % unit, 0)
        assert.equal(JobUp.decode(bytes).cancel?.reason, text)
      })
    )
  })

  it('chunks: whatever they count', () => {
    const sealed = new Uint8Array(533)
    fc.assert(
      fc.property(any.usage, usage => {
        assert.equal(encodeJobDown({ type: 'chunk', sealed, usage }).byteLength, 553)
      })
    )
  })

  it('vouchers, whatever they promise, and messages that say nothing', () => {
    fc.assert(
      fc.property(any.voucher, voucher => {
        assert.deepEqual(sizes([encodeJobUp({ type: 'voucher', voucher }), encodeJobUp({ type: 'pad' })]), [256])
      })
    )
  })

  it('demands and receipts', () => {
    fc.assert(
      fc.property(any.usage, fc.nat({ max: 2 ** 50 }), fc.nat(1_700), (usage, amount, length) => {
        const cumulative = nanoTon(BigInt(amount))
        assert.equal(encodeJobDown({ type: 'need-voucher', cumulative, usage }).byteLength, 256)
        const receipt = new Uint8Array(length)
        const done = encodeJobDown({ type: 'done', receipt, receiptSignature: new Uint8Array(64) })
        assert.equal(done.byteLength, 2_048)
      })
    )
  })
})
