import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MoneyError, NetworkError } from '../../../../src/core/errors.ts'
import type { SpendingLimits } from '../../../../src/payments/index.ts'
import { emptyDay, spendWithin, utcDay, utcDayEndMs } from '../../../../src/payments/payer/spending.ts'
import { amount, NO_USAGE, PaymentPair, POLICY, PROVIDER, providerOf } from '../../../support/payment-pair.ts'

const DAY_MS = 86_400_000

/** A payer with limits and `channels` open channels, each to a provider of its own. */
async function limited(limits: SpendingLimits, channels = 1): Promise<[PaymentPair, string[]]> {
  const pair = new PaymentPair()
  pair.payerInit = { ...pair.payerInit, limits }
  await pair.start()
  const opened: string[] = []
  for (let n = 0; n < channels; n++) {
    opened.push((await pair.payer.ensureChannel(providerOf(n), POLICY)).channel)
  }
  return [pair, opened]
}

describe('spending by the day', () => {
  it('knows the UTC day of a moment and its end', () => {
    assert.equal(utcDay(1_800_000_000_000), '2027-01-15')
    assert.equal(new Date(utcDayEndMs(1_800_000_000_000)).toISOString(), '2027-01-16T00:00:00.000Z')
    assert.equal(utcDayEndMs(Date.UTC(2027, 0, 16)), Date.UTC(2027, 0, 17))
  })

  it('never lets a day exceed its limit, and names limit, rest and reset', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 500n), fc.array(fc.bigInt(0n, 200n)), (limit, wishes) => {
        const limits = { maxSpendPerDay: amount(limit) }
        let day = emptyDay('2027-01-15')
        for (const wish of wishes) {
          try {
            day = spendWithin(day, 'signed', amount(wish), limits, 7)
          } catch (err) {
            assert.ok(err instanceof MoneyError && err.code === 'SPENDING_DAY_LIMIT')
            assert.deepEqual(err.details, { needed: wish, left: limit - day.signed, limit, resetsAtMs: 7 })
            assert.ok(day.signed + wish > limit)
          }
          assert.ok(day.signed <= limit)
        }
      })
    )
  })
})

describe('spending limits', () => {
  it('stop a voucher before it is signed', async () => {
    const [pair, [channel = '']] = await limited({ maxSpendPerDay: amount(100) })
    const job = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(500) })
    assert.equal((await job.payUpTo(amount(100))).cumulative, 100n)
    const before = new Map(pair.payerDisk.stored)
    await assert.rejects(job.payUpTo(amount(101)), {
      code: 'SPENDING_DAY_LIMIT',
      details: { needed: 1n, left: 0n, limit: 100n, resetsAtMs: Date.UTC(2027, 0, 16) }
    })
    await assert.rejects(pair.payer.authorize(channel, { delta: amount(1) }), { code: 'SPENDING_DAY_LIMIT' })
    assert.deepEqual(pair.payerDisk.stored, before)
    assert.deepEqual([pair.info(channel).signed, job.paid], [100n, 100n])
  })

  it('hold over all channels, over restarts, and until the day ends', async () => {
    const [pair, [a = '', b = '']] = await limited({ maxSpendPerDay: amount(100) }, 2)
    await pair.payer.authorize(a, { delta: amount(60) })
    await pair.restartPayer().start()
    await assert.rejects(pair.payer.authorize(b, { delta: amount(41) }), { code: 'SPENDING_DAY_LIMIT' })
    await pair.payer.authorize(b, { delta: amount(40) })
    assert.deepEqual([pair.payer.today().signed, pair.payer.today().leftToSign], [100n, 0n])
    pair.chain.nowMs = pair.payer.today().resetsAtMs - 1
    await assert.rejects(pair.payer.authorize(a, { delta: amount(1) }), { code: 'SPENDING_DAY_LIMIT' })
    pair.chain.nowMs++
    await pair.payer.authorize(a, { delta: amount(100) })
    await assert.rejects(pair.payer.authorize(b, { delta: amount(1) }), { code: 'SPENDING_DAY_LIMIT' })
  })

  it('are not got around by setting the clock back', async () => {
    const [pair, [channel = '']] = await limited({ maxSpendPerDay: amount(100) })
    await pair.payer.authorize(channel, { delta: amount(100) })
    pair.chain.nowMs += DAY_MS
    await pair.payer.authorize(channel, { delta: amount(1) })
    pair.chain.nowMs -= DAY_MS
    await assert.rejects(pair.payer.authorize(channel, { delta: amount(1) }), { code: 'SPENDING_DAY_LIMIT' })
  })

  it('count what running jobs are promised at once, and a failed job’s credit only once', async () => {
    const [pair, [channel = '']] = await limited({ maxSpendPerDay: amount(100) })
    const failed = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(100) })
    await failed.payUpTo(amount(70))
    assert.equal(pair.payer.today().leftToSign, 30n)
    await failed.end({ cost: amount(10), usage: NO_USAGE, confirmed: false })
    assert.equal(pair.payer.today().leftToSign, 30n)
    await pair.payer.reconcile(channel, amount(10))
    // 60 of credit were counted when they were signed: using them costs the day nothing.
    const next = pair.payer.startJob(channel, { jobId: 'b', maxCost: amount(100) })
    await next.payUpTo(amount(60))
    assert.equal(pair.payer.today().signed, 70n)
    await next.payUpTo(amount(90))
    await assert.rejects(next.payUpTo(amount(91)), { code: 'SPENDING_DAY_LIMIT' })
  })

  it('do not count a voucher that could not be stored', async () => {
    const [pair, [channel = '']] = await limited({ maxSpendPerDay: amount(100) })
    const job = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(100) })
    pair.payerDisk.before = () => {
      throw new Error('disk full')
    }
    await assert.rejects(job.payUpTo(amount(100)), { code: 'LEDGER_WRITE_FAILED' })
    await assert.rejects(pair.payer.authorize(channel, { delta: amount(100) }), { code: 'LEDGER_WRITE_FAILED' })
    pair.payerDisk.before = () => undefined
    assert.equal(pair.payer.today().signed, 0n)
    await job.payUpTo(amount(100))
  })

  it('count what only the payee still knew to be signed as today’s, whatever the limit', async () => {
    const [pair, [channel = '']] = await limited({ maxSpendPerDay: amount(100) })
    const backup = new Map(pair.payerDisk.stored)
    const voucher = await pair.payer.authorize(channel, { delta: amount(80) })
    pair.payerDisk.stored.clear()
    backup.forEach((value, key) => void pair.payerDisk.stored.set(key, value))
    await pair.restartPayer().start()
    assert.equal(pair.payer.today().signed, 0n)
    await pair.payer.adopt(voucher)
    await pair.payer.adopt(voucher)
    assert.equal(pair.payer.today().signed, 80n)
    await assert.rejects(pair.payer.authorize(channel, { delta: amount(21) }), { code: 'SPENDING_DAY_LIMIT' })
  })

  it('refuse a job that may cost more than any job, or than the day has left, before it begins', async () => {
    const [pair, [channel = '']] = await limited({ maxJobCost: amount(50), maxSpendPerDay: amount(100) })
    assert.throws(() => pair.payer.requireAffordable(amount(51)), {
      code: 'SPENDING_CAP',
      details: { cost: 51n, cap: 50n }
    })
    assert.throws(() => pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(51) }), { code: 'SPENDING_CAP' })
    pair.payer.requireAffordable(amount(50))
    await pair.payer.authorize(channel, { delta: amount(51) })
    assert.throws(() => pair.payer.requireAffordable(amount(50)), { code: 'SPENDING_DAY_LIMIT' })
    pair.payer.requireAffordable(amount(49))
  })

  it('never are exceeded together by parallel jobs on many channels, nor on disk', async () => {
    const wish = fc.record({ channel: fc.nat(3), steps: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 4 }) })
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(wish, { minLength: 2, maxLength: 8 }),
        fc.integer({ min: 0, max: 200 }),
        fc.nat(3),
        async (s, wishes, limit, lost) => {
          const [pair, channels] = await limited({ maxSpendPerDay: amount(limit) }, 4)
          let batches = 0
          pair.payerDisk.before = async () => {
            await s.schedule(Promise.resolve(), 'disk')
            if (++batches === lost) {
              throw new Error('disk full')
            }
          }
          const signed = (): bigint => pair.payer.list().reduce<bigint>((sum, c) => sum + c.signed, 0n)
          const jobs = wishes.map(async ({ channel, steps }, n) => {
            await s.schedule(Promise.resolve(), 'request')
            const job = pair.payer.startJob(channels[channel] ?? '', { jobId: `${n}`, maxCost: amount(1_000) })
            let cost = 0n
            for (const step of steps) {
              cost += BigInt(step)
              await job.payUpTo(amount(cost)).catch((err: unknown) => {
                assert.match((err as MoneyError).code, /^(SPENDING_DAY_LIMIT|LEDGER_WRITE_FAILED)$/)
                cost = job.paid
              })
              assert.ok(signed() <= limit)
              assert.ok(signed() <= pair.payer.today().signed && pair.payer.today().signed <= limit)
            }
            await job.end({ cost: amount(cost), usage: NO_USAGE, confirmed: false }).catch(() => undefined)
          })
          await s.waitFor(Promise.all(jobs))
          pair.payerDisk.before = () => undefined
          await pair.restartPayer().start()
          assert.ok(signed() <= pair.payer.today().signed && pair.payer.today().signed <= limit)
        }
      ),
      { numRuns: 60 }
    )
  })
})

describe('deposit limits by the day', () => {
  it('count over all providers, before anything is stored or sent', async () => {
    const [pair] = await limited({ maxDepositPerDay: amount(2_500) }, 2)
    const before = pair.payerDisk.stored.size
    await assert.rejects(pair.payer.ensureChannel({ ...providerOf(2), minimumDeposit: amount(501) }, POLICY), {
      code: 'DEPOSIT_DAY_LIMIT',
      details: { needed: 501n, left: 500n, limit: 2_500n, resetsAtMs: Date.UTC(2027, 0, 16) }
    })
    assert.deepEqual([pair.payerDisk.stored.size, pair.chain.count('openChannel')], [before, 2])
    // Less than the usual deposit is left, and it is enough.
    const { deposit } = await pair.payer.ensureChannel(providerOf(2), POLICY)
    assert.deepEqual([deposit, pair.payer.today().leftToDeposit], [500n, 0n])
    pair.chain.nowMs += DAY_MS
    assert.equal((await pair.payer.ensureChannel(providerOf(3), POLICY)).deposit, 1_000n)
  })

  it('give back what was certainly not sent, and what never arrived', async () => {
    const [pair, [channel = '']] = await limited({ maxDepositPerDay: amount(2_000) })
    pair.chain.before = call => {
      if (call === 'openChannel') {
        throw new MoneyError('NOT_ENOUGH_BALANCE', 'empty wallet', { details: { sent: false } })
      }
    }
    await assert.rejects(pair.payer.ensureChannel(PROVIDER, POLICY), { code: 'NOT_ENOUGH_BALANCE' })
    assert.equal(pair.payer.today().deposited, 1_000n)
    pair.chain.before = call => {
      if (call === 'topUp') {
        throw new NetworkError('CHAIN_UNREACHABLE', 'cut')
      }
    }
    await assert.rejects(pair.payer.topUp(channel, amount(1_000)), { code: 'CHAIN_UNREACHABLE' })
    await pair.restartPayer().start()
    assert.equal(pair.payer.today().deposited, 2_000n, 'it may still arrive')
    pair.chain.before = () => undefined
    // Looks until it can no longer come, then sends another.
    assert.equal((await pair.payer.topUp(channel, amount(1_000))).deposit, 2_000n)
    assert.deepEqual([pair.payer.today().deposited, pair.chain.count('topUp')], [2_000n, 1])
  })

  it('count an opening that is sent again on the day it is sent again', async () => {
    const [pair] = await limited({ maxDepositPerDay: amount(1_500) }, 0)
    pair.chain.before = call => {
      if (call === 'openChannel') {
        throw new NetworkError('CHAIN_UNREACHABLE', 'cut')
      }
    }
    await assert.rejects(pair.payer.ensureChannel(PROVIDER, POLICY), { code: 'CHAIN_UNREACHABLE' })
    pair.chain.before = () => undefined
    pair.chain.nowMs += DAY_MS
    await pair.payer.ensureChannel(PROVIDER, POLICY)
    assert.equal(pair.payer.today().deposited, 1_000n)
    await assert.rejects(pair.payer.ensureChannel({ ...providerOf(1), minimumDeposit: amount(501) }, POLICY), {
      code: 'DEPOSIT_DAY_LIMIT'
    })
    pair.chain.nowMs -= DAY_MS
    assert.equal(pair.payer.today().deposited, 0n)
  })
})
