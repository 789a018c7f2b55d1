import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { SteadyUpward } from '../../../src/client/steady-upward.ts'
import { until } from '../../support/until.ts'

const PADDING = Uint8Array.of(0)
const voucher = (n: number): Uint8Array => Uint8Array.of(n)

describe('steady upward messages', () => {
  let written: number[]
  let upward: SteadyUpward

  beforeEach(() => {
    written = []
    upward = new SteadyUpward({ write: async ([byte = -1]) => void written.push(byte), padding: PADDING })
  })

  it('answer every chunk with one message: a voucher where one waits, else padding', async () => {
    const sent = [upward.voucher(voucher(1)), upward.voucher(voucher(2))]
    upward.answer()
    assert.deepEqual(written, [])
    await until(() => written.length === 1)
    upward.answer()
    await until(() => written.length === 2)
    upward.answer()
    await until(() => written.length === 3)
    assert.deepEqual(written, [1, 2, 0])
    await Promise.all(sent)
  })

  it('send a voucher that is made after the chunk with the answer to it', async () => {
    upward.answer()
    const sent = upward.voucher(voucher(1))
    await sent
    assert.deepEqual(written, [1])
  })

  it('send no voucher without a chunk, unless the provider waits for it', async () => {
    const sent = upward.voucher(voucher(1))
    await delay(60)
    assert.deepEqual(written, [])
    upward.hurry()
    await sent
    await upward.voucher(voucher(2))
    assert.deepEqual(written, [1, 2])
  })

  it('send nothing but vouchers once the job is over', async () => {
    upward.answer()
    upward.stop()
    await upward.voucher(voucher(1))
    await delay(60)
    assert.deepEqual(written, [1])
  })

  it('tell who waits for a voucher that it could not be written, and nobody else', async () => {
    const broken = new SteadyUpward({ write: () => Promise.reject(new Error('gone')), padding: PADDING })
    const sent = broken.voucher(voucher(1))
    broken.answer()
    await assert.rejects(sent, /gone/)
    broken.answer()
    await delay(60)
  })
})
