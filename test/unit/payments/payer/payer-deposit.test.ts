import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MoneyError, NetworkError } from '../../../../src/core/errors.ts'
import { planChannel } from '../../../../src/payments/payer/payer-channel.ts'
import { depositFor, lockedIn, refillAmount } from '../../../../src/payments/payer/payer-deposit.ts'
import {
  amount,
  Gate,
  NO_USAGE,
  PAYEE_ADDRESS,
  PAYEE_KEY,
  PAYER_ADDRESS,
  PAYER_KEY,
  PaymentPair,
  POLICY,
  PROVIDER
} from '../../../support/payment-pair.ts'
import { until } from '../../../support/until.ts'

const FILLED = { ...POLICY, topUpBelowPercent: 25 }

const SAMPLE = planChannel(
  `0:${'aa'.repeat(32)}`,
  {
    globalId: -217,
    payerKey: PAYER_KEY.publicKey,
    payerAddress: PAYER_ADDRESS,
    payeeKey: PAYEE_KEY.publicKey,
    payeeAddress: PAYEE_ADDRESS,
    salt: 1n,
    challengeSeconds: 3_600
  },
  'peer',
  { amount: amount(1_000), before: amount(0), sentAtMs: 1 }
)

/** Spends on a channel as one job that both sides agree on. */
async function spend(pair: PaymentPair, channel: string, cost: number): Promise<void> {
  const job = pair.payer.startJob(channel, { jobId: `${cost}`, maxCost: amount(cost) })
  await job.payUpTo(amount(cost))
  await job.end({ cost: amount(cost), usage: NO_USAGE, confirmed: true })
}

describe('deposit policy', () => {
  it('counts as locked what was sent, less what was spent of it or paid out', () => {
    assert.equal(lockedIn(SAMPLE), 1_000n)
    const { pending: _, ...rest } = SAMPLE
    const open = { ...rest, state: 'open' as const, deposit: amount(1_000) }
    assert.equal(lockedIn(open), 1_000n)
    assert.equal(lockedIn({ ...open, spent: amount(300), settled: amount(100) }), 700n)
    assert.equal(lockedIn({ ...open, spent: amount(100), settled: amount(300) }), 700n)
    assert.equal(lockedIn({ ...open, pending: { amount: amount(5), before: amount(1_000), sentAtMs: 1 } }), 1_005n)
    assert.equal(lockedIn({ ...open, state: 'closing' }), 1_000n)
    assert.equal(lockedIn({ ...open, state: 'closed' }), 0n)
  })

  it('never lets more be locked than the limit, nor less be sent than is needed', () => {
    const some = fc.bigInt(0n, 10_000n).map(amount)
    const need = fc.bigInt(1n, 10_000n).map(amount)
    fc.assert(
      fc.property(need, some, some, some, fc.option(some, { nil: undefined }), (needed, deposit, max, locked, left) => {
        const policy = { ...POLICY, deposit, maxDeposit: max }
        if (locked + needed > max) {
          assert.throws(() => depositFor(needed, policy, { locked, leftToday: left }), { code: 'DEPOSIT_OVER_LIMIT' })
          return
        }
        const sent = depositFor(needed, policy, { locked, leftToday: left })
        assert.ok(sent >= needed && locked + sent <= max)
        assert.ok(sent === needed || (sent <= deposit && sent <= (left ?? sent)))
      })
    )
  })

  it('fills up only what runs low and is not being filled already, within the limits', () => {
    const { pending, ...rest } = SAMPLE
    const low = { ...rest, state: 'open' as const, deposit: amount(1_000), spent: amount(800) }
    const room = { locked: amount(200), leftToday: undefined }
    assert.equal(refillAmount(low, FILLED, room), 1_000n)
    assert.equal(refillAmount(low, POLICY, room), 0n)
    assert.equal(refillAmount({ ...low, spent: amount(750) }, FILLED, room), 0n)
    assert.equal(refillAmount({ ...low, pending: pending ?? assert.fail() }, FILLED, room), 0n)
    assert.equal(refillAmount({ ...low, state: 'closing' }, FILLED, room), 0n)
    assert.equal(refillAmount(low, FILLED, { ...room, locked: amount(4_600) }), 400n)
    // Too little to be worth a message.
    assert.equal(refillAmount(low, FILLED, { ...room, locked: amount(4_800) }), 0n)
    assert.equal(refillAmount(low, FILLED, { ...room, leftToday: amount(249) }), 0n)
  })
})

describe('deposits', () => {
  let pair: PaymentPair
  beforeEach(async () => {
    pair = await new PaymentPair().start()
  })

  it('count what is locked now, not what a channel has seen in its life', async () => {
    const channel = await pair.open()
    for (let n = 0; n < 12; n++) {
      await pair.payer.ensureChannel(PROVIDER, { ...POLICY, room: amount(900) })
      await spend(pair, channel, 900)
    }
    const { deposit } = pair.info(channel)
    assert.ok(deposit > POLICY.maxDeposit)
    assert.ok(deposit - pair.info(channel).used <= POLICY.maxDeposit)
  })

  it('count every channel to the provider that is not over', async () => {
    await pair.open({ ...POLICY, deposit: amount(4_500) })
    const [first] = pair.payer.list()
    await pair.payer.retire(first?.channel ?? '')
    await assert.rejects(pair.payer.ensureChannel(PROVIDER, { ...POLICY, room: amount(501) }), {
      code: 'DEPOSIT_OVER_LIMIT',
      details: { deposit: 5_001n, locked: 4_500n, limit: 5_000n }
    })
    // What is left under the limit is enough for the provider and the job.
    assert.equal((await pair.payer.ensureChannel(PROVIDER, POLICY)).deposit, 500n)
  })

  it('P22 vouchers within the confirmed deposit are signed and taken at once while a top-up takes 30 s', async () => {
    const channel = await pair.open(FILLED)
    await spend(pair, channel, 700)
    const block = new Gate()
    pair.chain.before = call => (call === 'topUp' ? block.passed : undefined)
    const job = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(300) })
    // Crosses the mark: the top-up begins, and nobody waits for it.
    await job.payUpTo(amount(60))
    await until(() => pair.info(channel).pendingDeposit === 1_000n)
    const startedAt = performance.now()
    for (let cost = 61; cost <= 300; cost++) {
      const voucher = await job.payUpTo(amount(cost))
      assert.equal((await pair.payee.accept(voucher)).cumulative, BigInt(700 + cost))
    }
    const each = (performance.now() - startedAt) / 240
    assert.ok(each < 100, `${each} ms a voucher`)
    assert.equal((await pair.payer.ensureChannel(PROVIDER, { ...FILLED, room: amount(0) })).channel, channel)
    await assert.rejects(job.payUpTo(amount(301)), { code: 'SPENDING_CAP' })
    pair.chain.nowMs += 30_000
    block.open()
    await until(() => pair.info(channel).deposit === 2_000n)
    assert.equal(pair.chain.count('topUp'), 1)
  })

  it('P02 nothing above the confirmed deposit is signed while a top-up never confirms', async () => {
    const channel = await pair.open(FILLED)
    const block = new Gate()
    pair.chain.before = call => (call === 'topUp' ? block.passed : undefined)
    const job = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(5_000) })
    await job.payUpTo(amount(900))
    await until(() => pair.info(channel).pendingDeposit === 1_000n)
    await assert.rejects(job.payUpTo(amount(1_001)), { code: 'CHANNEL_EXHAUSTED' })
    assert.equal((await job.payUpTo(amount(1_000))).cumulative, 1_000n)
    block.open()
    await until(() => pair.info(channel).pendingDeposit === 0n)
  })

  it('one need makes one deposit, whoever sees it', async () => {
    const channel = await pair.open(FILLED)
    const job = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(1_500) })
    await job.payUpTo(amount(900))
    await Promise.all([
      pair.payer.makeRoom(channel, amount(600)),
      pair.payer.makeRoom(channel, amount(600)),
      pair.payer.refill(channel, FILLED),
      pair.payer.ensureChannel(PROVIDER, { ...FILLED, room: amount(600) })
    ])
    assert.deepEqual([pair.info(channel).deposit, pair.chain.count('topUp')], [2_000n, 1])
  })

  it('a top-up in the background that fails is not tried again at every voucher, but after a pause', async () => {
    const channel = await pair.open(FILLED)
    let tries = 0
    pair.chain.before = call => {
      if (call === 'topUp') {
        tries++
        throw new MoneyError('NOT_ENOUGH_BALANCE', 'empty wallet', { details: { sent: false } })
      }
    }
    const job = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(990) })
    await job.payUpTo(amount(800))
    await until(() => tries === 1 && pair.info(channel).pendingDeposit === 0n)
    for (let cost = 801; cost < 900; cost++) {
      await job.payUpTo(amount(cost))
    }
    assert.equal(tries, 1)
    pair.chain.nowMs += 60_000
    pair.chain.before = () => undefined
    await job.payUpTo(amount(901))
    await until(() => pair.info(channel).deposit === 2_000n)
  })

  it('a top-up in the background that never arrived is sent again once it cannot arrive any more', async () => {
    const channel = await pair.open(FILLED)
    let tries = 0
    pair.chain.before = call => {
      if (call === 'topUp' && tries++ === 0) {
        throw new NetworkError('CHAIN_UNREACHABLE', 'down')
      }
    }
    const job = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(990) })
    await job.payUpTo(amount(800))
    await until(() => tries === 1)
    pair.chain.nowMs += 89_999
    await job.payUpTo(amount(801))
    assert.deepEqual([tries, pair.info(channel).pendingDeposit], [1, 1_000n])
    pair.chain.nowMs += 1
    await job.payUpTo(amount(802))
    await until(() => pair.info(channel).deposit === 2_000n)
    assert.equal(pair.chain.count('topUp'), 1)
  })

  it('stop ends the wait for a deposit, and the next start finds it', async () => {
    const channel = await pair.open(FILLED)
    const arrived = new Gate()
    pair.chain.after = call => (call === 'topUp' ? arrived.passed : undefined)
    const job = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(990) })
    await job.payUpTo(amount(900))
    await until(() => pair.chain.count('topUp') === 1)
    const stopped = pair.payer.stop()
    arrived.open()
    await stopped
    assert.equal(pair.info(channel).deposit, 1_000n)
    await job.payUpTo(amount(901))
    await pair.restartPayer().start()
    assert.deepEqual([pair.info(channel).deposit, pair.info(channel).pendingDeposit], [2_000n, 0n])
  })

  it('P53 an open waits until the block of its transaction is visible, and sends one deposit', async () => {
    for (const behind of [1, 5, 40]) {
      const lagging = await new PaymentPair().start()
      const read = lagging.chain.readChannel.bind(lagging.chain)
      let reads = 0
      lagging.chain.readChannel = async channel => {
        const view = await read(channel)
        return ++reads <= behind ? { ...view, state: 'missing', openedLt: 0n, deposit: amount(0) } : view
      }
      const { state, deposit } = await lagging.payer.ensureChannel(PROVIDER, POLICY)
      assert.deepEqual([state, deposit, lagging.chain.count('openChannel')], ['open', 1_000n, 1])
    }
  })

  it('P28 every check that can fail runs before anything is stored or sent', async () => {
    const cases: Array<[string, () => Promise<unknown>]> = [
      ['ADDRESS_INVALID', () => pair.payer.ensureChannel({ ...PROVIDER, payeeAddress: 'EQ…' }, POLICY)],
      ['DEPOSIT_OVER_LIMIT', () => pair.payer.ensureChannel(PROVIDER, { ...POLICY, room: amount(5_001) })]
    ]
    for (const [code, attempt] of cases) {
      await assert.rejects(attempt(), { code })
    }
    assert.deepEqual([pair.payerDisk.stored.size, pair.chain.log.length], [0, 0])
  })

  it('P28 a cut at any step of opening and topping up leaves the same channel and no second deposit', async () => {
    const step = fc.record({
      // Which of the calls that follow is cut, before or after it took effect, or the process that dies there.
      at: fc.nat(12),
      where: fc.constantFrom('disk', 'chain before', 'chain after'),
      dies: fc.boolean()
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 5 }), async cuts => {
        const run = await new PaymentPair().start()
        let calls = 0
        let cut = cuts[0]
        const fails = (where: string) => (): void => {
          if (cut !== undefined && where === cut.where && calls++ === cut.at) {
            throw new NetworkError('CHAIN_UNREACHABLE', 'cut')
          }
        }
        const arm = (): void => {
          run.payerDisk.before = fails('disk')
          run.chain.before = fails('chain before')
          run.chain.after = fails('chain after')
        }
        const opened = new Set<string>()
        for (const next of [...cuts, undefined]) {
          cut = next
          calls = 0
          arm()
          await run.payer.ensureChannel(PROVIDER, POLICY).catch(() => undefined)
          run.payer.list().forEach(c => opened.add(c.channel))
          if (next?.dies === true) {
            cut = undefined
            await run.restartPayer().start()
          }
        }
        cut = undefined
        const { channel, deposit } = await run.payer.ensureChannel(PROVIDER, POLICY)
        assert.deepEqual([deposit, run.chain.count('openChannel')], [1_000n, 1])
        assert.equal(run.payer.list().length, 1)
        // Topping up: the same cuts, and again one deposit.
        for (const next of cuts) {
          cut = next
          calls = 0
          arm()
          await run.payer.ensureChannel(PROVIDER, { ...POLICY, room: amount(1_500) }).catch(() => undefined)
          if (next.dies) {
            cut = undefined
            await run.restartPayer().start()
          }
        }
        cut = undefined
        const topped = await run.payer.ensureChannel(PROVIDER, { ...POLICY, room: amount(1_500) })
        assert.deepEqual([topped.channel, topped.deposit, run.chain.count('topUp')], [channel, 2_000n, 1])
        assert.equal(run.payer.today().deposited, 2_000n)
      }),
      { numRuns: 60 }
    )
  })
})
