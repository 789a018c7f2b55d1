import assert from 'node:assert/strict'
import fc from 'fast-check'
import { errorCode } from '../../../../src/core/errors.ts'
import { signVoucher } from '../../../../src/payments/index.ts'
import { amount, CLIENT_PEER, Gate, PAYEE_ADDRESS, PAYER_KEY, STRANGER_KEY } from '../../../support/payment-pair.ts'
import { PayeeBench } from './payee-fixture.ts'

describe('what a payee accepts', () => {
  let bench: PayeeBench
  beforeEach(async () => {
    bench = await new PayeeBench().setUp()
  })

  describe('P02 is never more than the chain confirmed', () => {
    it('while a top-up never confirms', async () => {
      const never = new Gate()
      bench.chain.before = call => (call === 'topUp' ? never.passed : undefined)
      const topUp = bench.chain.topUp(bench.channel, amount(5_000))
      for (let n = 0; n < 50; n++) {
        bench.chain.nowMs += 1_000
        await assert.rejects(bench.payee.accept(bench.sign(1_001 + n)), { code: 'CHANNEL_EXHAUSTED' })
      }
      assert.equal((await bench.payee.accept(bench.sign(1_000))).cumulative, 1_000n)
      never.open()
      await topUp
    })

    it('when two top-ups are sent at once and one of them lands', async () => {
      let calls = 0
      bench.chain.before = call => {
        if (call === 'topUp' && ++calls === 2) {
          throw new Error('lost')
        }
      }
      await Promise.allSettled([1, 2].map(() => bench.chain.topUp(bench.channel, amount(500))))
      await assert.rejects(bench.payee.accept(bench.sign(1_501)), { code: 'CHANNEL_EXHAUSTED' })
      await assert.rejects(bench.serve('a', { voucher: bench.sign(1_501) }), { code: 'CHANNEL_EXHAUSTED' })
      assert.equal((await bench.payee.accept(bench.sign(1_500))).cumulative, 1_500n)
    })

    it('whatever is paid and topped up in which order', async () => {
      const step = fc.oneof(
        fc.record({ type: fc.constant('pay' as const), cumulative: fc.nat(4_000) }),
        fc.record({ type: fc.constant('job' as const), cumulative: fc.nat(4_000) }),
        fc.record({
          type: fc.constant('top-up' as const),
          amount: fc.integer({ min: 1, max: 900 }),
          lands: fc.boolean()
        }),
        fc.record({ type: fc.constant('claim' as const) })
      )
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async steps => {
          const pair = await new PayeeBench().setUp()
          let confirmed = 1_000n
          for (const [n, next] of steps.entries()) {
            pair.chain.nowMs += 3_000
            if (next.type === 'top-up') {
              if (next.lands) {
                await pair.chain.topUp(pair.channel, amount(next.amount))
                confirmed += BigInt(next.amount)
              }
            } else if (next.type === 'claim') {
              await pair.payee.claim(pair.channel)
            } else {
              const voucher = pair.sign(next.cumulative)
              const done = next.type === 'pay' ? pair.payee.accept(voucher) : pair.serve(`${n}`, { voucher })
              await done.catch((err: unknown) =>
                assert.ok(['CHANNEL_EXHAUSTED', 'VOUCHER_STALE'].includes(errorCode(err) ?? ''), errorCode(err))
              )
            }
            assert.ok(pair.held.promised <= confirmed && pair.held.locked <= confirmed)
          }
        }),
        { numRuns: 60 }
      )
    })
  })

  it('P14 is no voucher of another channel of the same pair, another network, another opening, or another payer', async () => {
    const terms = { ...bench.terms(bench.channel), salt: 99n }
    const { channel: second, openedLt } = await bench.chain.openChannel(terms, amount(1_000))
    await bench.payee.admit(terms, CLIENT_PEER)
    const at = { channel: second, openedLt, cumulative: amount(10) }
    const first = bench.held.openedLt
    for (const [what, voucher] of [
      ['replayed as it is', { ...bench.sign(10), channel: second }],
      ['with the other opening', { ...bench.sign(10), channel: second, openedLt }],
      ['of another network', signVoucher(PAYER_KEY, -239, at)],
      ['of the other channel’s opening', signVoucher(PAYER_KEY, -217, { ...at, openedLt: first })],
      ['of another payer', signVoucher(STRANGER_KEY, -217, at)],
      ['raised by hand', { ...signVoucher(PAYER_KEY, -217, at), cumulative: amount(11) }]
    ] as const) {
      for (const take of [
        () => bench.payee.accept(voucher),
        () => bench.payee.startJob(second, { jobId: 'x', peerId: CLIENT_PEER, voucher })
      ]) {
        await assert.rejects(
          take(),
          (err: unknown) => ['VOUCHER_FOREIGN', 'VOUCHER_SIGNATURE_INVALID'].includes(errorCode(err) ?? ''),
          what
        )
      }
    }
    assert.deepEqual(
      bench.payee.list().map(({ promised, runningJobs }) => [promised, runningJobs]),
      [
        [0n, 0],
        [0n, 0]
      ]
    )
  })

  it('P14 counts nothing for a voucher up to what is settled', async () => {
    await bench.job('a', 100, 100)
    await bench.payee.claim(bench.channel)
    bench.chain.nowMs += 60_000
    await assert.rejects(bench.payee.accept(bench.sign(99)), { code: 'VOUCHER_STALE' })
    assert.equal((await bench.payee.accept(bench.sign(100))).credited, 0n)
    await assert.rejects(bench.serve('b', { voucher: bench.sign(100), firstPayment: amount(1) }), {
      code: 'PAYMENT_REQUIRED'
    })
    // Also to a payee that knows it from the chain alone.
    await bench.restore(new Map())
    await bench.payee.admit(bench.terms(bench.channel), CLIENT_PEER)
    await assert.rejects(bench.payee.accept(bench.sign(99)), { code: 'VOUCHER_STALE' })
    assert.equal((await bench.payee.accept(bench.sign(100))).credited, 0n)
    await assert.rejects(bench.serve('b', { firstPayment: amount(1) }), { code: 'PAYMENT_REQUIRED' })
  })

  it('P43 is claimed as it was signed, whatever the deposit, and is refused above it when it comes', async () => {
    await assert.rejects(bench.payee.accept(bench.sign(1_001)), { code: 'CHANNEL_EXHAUSTED' })
    const voucher = bench.sign(1_000)
    await bench.payee.accept(voucher)
    let claimed: unknown
    const claim = bench.chain.claim.bind(bench.chain)
    bench.chain.claim = (channel, order, options) => {
      claimed = order
      return claim(channel, order, options)
    }
    await bench.payee.claim(bench.channel)
    const { openedLt, cumulative, signature } = voucher
    assert.deepEqual(claimed, { openedLt, cumulative, signature })
    assert.equal(bench.chain.paid.get(PAYEE_ADDRESS), 1_000n)
  })

  it('P05 holds the first payment of each job, and gives back what it did not use', async () => {
    const first = amount(10)
    const start = (jobId: string) => bench.serve(jobId, { voucher: bench.sign(25), firstPayment: first })
    const started = await Promise.allSettled(['a', 'b', 'c', 'd'].map(start))
    assert.deepEqual(
      started.map(one => (one.status === 'fulfilled' ? 'started' : errorCode(one.reason))),
      ['started', 'started', 'PAYMENT_REQUIRED', 'PAYMENT_REQUIRED']
    )
    const [a, b] = started.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
    assert.deepEqual([a?.paidFor(), b?.paidFor()], [15n, 15n], 'its own 10, and the 5 that are free')
    assert.equal(a?.charge(amount(12)), true)
    assert.equal(b?.charge(amount(14)), false)
    await a?.end(amount(3 + 9))
    assert.equal(b?.charge(amount(13)), true)
    await b?.end(amount(13))
    assert.deepEqual([bench.held.delivered, bench.held.runningJobs], [25n, 0])
  })

  it('refuses a job whose money a running one takes while it is being written', async () => {
    const a = await bench.serve('a', { voucher: bench.sign(20) })
    bench.payeeDisk.before = () => {
      bench.payeeDisk.before = () => undefined
      a.charge(amount(15))
    }
    await assert.rejects(bench.serve('b', { firstPayment: amount(10) }), { code: 'PAYMENT_REQUIRED' })
    assert.equal(bench.held.runningJobs, 1)
    await a.end(amount(15))
    assert.equal(bench.held.delivered, 15n)
  })
})
