import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import type { ChannelView } from '../../../../src/payments/chain.ts'
import { payerRecord } from '../../../../src/payments/ledger/ledger-records.ts'
import { decodeRecord } from '../../../../src/payments/ledger/record-codec.ts'
import type { PayerChannel } from '../../../../src/payments/payer/payer-channel.ts'
import { observeChannel } from '../../../../src/payments/payer/payer-view.ts'
import { amount, PaymentPair } from '../../../support/payment-pair.ts'

/** A live channel as stored after its opening, seen at 2,000. */
async function sample(): Promise<PayerChannel> {
  const pair = await new PaymentPair().start()
  const channel = await pair.open()
  const key = `payer/${channel}`
  return { ...decodeRecord(key, payerRecord, pair.payerDisk.stored.get(key) ?? ''), viewedAtMs: 2_000 }
}

function view(c: PayerChannel, asOfMs: number, more: Partial<ChannelView> = {}): ChannelView {
  const { openedLt, deposit, settled } = c
  return { state: 'open', deposit, settled, closeAtMs: 0, openedLt, balance: deposit, asOfMs, ...more }
}

const GONE = { state: 'missing', openedLt: 0n, deposit: amount(0), settled: amount(0) } as const

describe('payer views', () => {
  let c: PayerChannel
  beforeEach(async () => {
    c = await sample()
  })

  it('P53 a replica that lags behind does not close a live channel', () => {
    assert.equal(observeChannel(c, view(c, 1_999, GONE)), c)
    assert.equal(
      observeChannel(c, view(c, 2_000, GONE)),
      c,
      'two blocks of one second: neither is known to be the later'
    )
    assert.equal(observeChannel(c, view(c, 2_001, GONE)).state, 'closed')
  })

  it('P53 a view older than the newest one booked changes nothing', () => {
    const old = view(c, 1_000, { state: 'closing', closeAtMs: 9_000, settled: amount(7), deposit: amount(9_999) })
    assert.equal(observeChannel(c, old), c)
    assert.equal(observeChannel(c, view(c, 3_000, { openedLt: c.openedLt - 1n })), c)
  })

  it('books a view that shows nothing new only now and then', () => {
    assert.equal(observeChannel(c, view(c, 601_999)), c)
    const later = observeChannel(c, view(c, 602_000))
    assert.deepEqual(later, { ...c, viewedAtMs: 602_000 })
    assert.equal(observeChannel(later, view(c, 601_999, GONE)), later)
  })

  it('remembers when a close may be finished, and not after it is over', () => {
    const closing = observeChannel(c, view(c, 3_000, { state: 'closing', closeAtMs: 9_000 }))
    assert.deepEqual([closing.state, closing.closeAtMs, closing.viewedAtMs], ['closing', 9_000, 3_000])
    const closed = observeChannel(closing, view(c, 10_000, GONE))
    assert.deepEqual([closed.state, closed.closeAtMs], ['closed', 0])
  })

  it('is over when the address was opened anew', () => {
    assert.equal(observeChannel(c, view(c, 3_000, { openedLt: c.openedLt + 1n })).state, 'closed')
  })

  it('does not give up a channel that was believed closed and is there: it is to be closed', () => {
    const closed = observeChannel(c, view(c, 3_000, GONE))
    assert.equal(observeChannel(closed, view(c, 2_999)), closed)
    assert.equal(observeChannel(closed, view(c, 3_001)).state, 'closing')
  })

  it('never goes back, in whatever order views arrive', () => {
    const rank = { opening: 0, recovered: 1, open: 1, closing: 2, closed: 3 }
    // The chain's own history: open, topped up, claimed, closing, gone.
    const history = [
      view(c, 3_000),
      view(c, 4_000, { deposit: amount(1_500) }),
      view(c, 5_000, { deposit: amount(1_500), settled: amount(10) }),
      view(c, 6_000, { deposit: amount(1_500), settled: amount(10), state: 'closing', closeAtMs: 9_000 }),
      view(c, 10_000, GONE)
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...history), { maxLength: 12 }), views => {
        let now = c
        let newest = 0
        for (const seen of views) {
          const next = observeChannel(now, seen)
          assert.ok(rank[next.state] >= rank[now.state] && next.deposit >= now.deposit && next.settled >= now.settled)
          assert.ok(next === now || seen.asOfMs > newest)
          newest = Math.max(newest, seen.asOfMs)
          now = next
        }
      })
    )
  })
})

describe('payer records of version 0.1.0', () => {
  it('are read as they were, and count as used from now on', async () => {
    const pair = await new PaymentPair().start()
    const channel = await pair.open()
    await pair.payer.authorize(channel, { delta: amount(70) })
    const key = `payer/${channel}`
    const {
      openedAtMs: _o,
      lastUsedAtMs: _u,
      closeAtMs: _c,
      viewedAtMs: _v,
      ...old
    } = decodeRecord(key, payerRecord, pair.payerDisk.stored.get(key) ?? '')
    // Other records and the seal came later.
    pair.payerDisk.stored.clear()
    const body = payerRecord.write(old as PayerChannel)
    pair.payerDisk.stored.set(key, `1 ${crc32(`${key}\n${body}`).toString(16).padStart(8, '0')} ${body}`)
    assert.doesNotMatch(pair.payerDisk.stored.get(key) ?? '', /AtMs/)
    pair.chain.nowMs += 86_400_000
    await pair.restartPayer().start()
    const info = pair.info(channel)
    assert.deepEqual([info.signed, info.used, info.state], [70n, 0n, 'open'])
    assert.deepEqual([info.openedAtMs, info.lastUsedAtMs], [pair.chain.nowMs, pair.chain.nowMs])
  })
})
