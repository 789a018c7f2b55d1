import assert from 'node:assert/strict'
import { errorCode, NetworkError } from '../../../../src/core/errors.ts'
import type { LogFields, Logger } from '../../../../src/core/logger.ts'
import { silentLogger } from '../../../../src/core/logger.ts'
import type { ChannelView } from '../../../../src/payments/chain.ts'
import { Ledger, PayeeChannels } from '../../../../src/payments/index.ts'
import { ChainSight } from '../../../../src/payments/payee/payee-sight.ts'
import { FakeLedgerDatabase } from '../../../support/ledger-database.ts'
import { amount, CLIENT_PEER, Gate, PAYEE_ADDRESS, PAYEE_KEY } from '../../../support/payment-pair.ts'
import { until } from '../../../support/until.ts'
import { PayeeBench } from './payee-fixture.ts'

/** Everything that was told, with its level. */
class Told {
  readonly lines: string[] = []
  readonly logger: Logger = {
    ...silentLogger,
    info: message => void this.lines.push(`info ${message}`),
    warn: (message: string, _fields?: LogFields) => void this.lines.push(`warn ${message}`)
  }
}

describe('a payee’s sight of the chain', () => {
  let bench: PayeeBench
  beforeEach(async () => {
    bench = await new PayeeBench().setUp()
  })

  const admit = () => bench.payee.admit(bench.terms(bench.channel), CLIENT_PEER)
  const later = (ms: number): void => {
    bench.chain.nowMs += ms
  }

  describe('by older views', () => {
    it('P53 changes nothing: not the state, not the end, not what was settled', async () => {
      await bench.payee.accept(bench.sign(30))
      later(10_000)
      const old = await bench.chain.readChannel(bench.channel)
      await bench.payee.claim(bench.channel)
      await bench.chain.startClose(bench.channel)
      later(10_000)
      await bench.payee.refresh(bench.channel)
      const { state, settled, closeAtMs } = bench.held
      bench.alter = () => old
      await bench.payee.refresh(bench.channel)
      assert.deepEqual([bench.held.state, bench.held.settled, bench.held.closeAtMs], [state, settled, closeAtMs])
      assert.equal(state, 'closing')
      await assert.rejects(admit(), { code: 'CHANNEL_CLOSING' })
    })

    it('P53 does not lose a channel that an older replica has not seen yet, nor after a restart', async () => {
      const missing: ChannelView = {
        ...(await bench.chain.readChannel(`0:${'ab'.repeat(32)}`)),
        asOfMs: bench.chain.nowMs - 2_000
      }
      bench.alter = () => missing
      await bench.payee.refresh(bench.channel)
      assert.equal(bench.held.state, 'open')
      bench.restartPayee()
      await bench.payee.start()
      assert.equal(bench.held.state, 'open')
      // It is not served either: what is there now was not seen since the start.
      await assert.rejects(bench.payee.accept(bench.sign(10)), { code: 'CHAIN_LAGGING' })
      bench.alter = view => view
      assert.equal((await bench.payee.accept(bench.sign(10))).credited, 10n)
    })

    it('P53 waits a little for a channel that its replica has not seen yet, and refuses it when it does not come', async () => {
      const waits: number[] = []
      const terms = { ...bench.terms(bench.channel), salt: 78n }
      const payee = (onWait: () => Promise<unknown> | undefined) =>
        new PayeeChannels(
          {
            ledger: new Ledger(new FakeLedgerDatabase()),
            chain: bench.chain,
            clock: bench.clock,
            logger: silentLogger,
            key: PAYEE_KEY,
            payeeAddress: PAYEE_ADDRESS,
            delay: async ms => {
              waits.push(ms)
              await onWait()
            }
          },
          { minimumDeposit: amount(500), minimumChallengeSeconds: 600, arrivalMs: 5_000 }
        )
      await assert.rejects(payee(() => undefined).admit(terms, CLIENT_PEER), { code: 'CHANNEL_MISSING' })
      assert.deepEqual(waits, [1_000, 1_000, 1_000, 1_000, 1_000])
      // Its block becomes visible after the third look.
      const opens = payee(() => (waits.length === 7 ? bench.chain.openChannel(terms, amount(900)) : undefined))
      assert.equal((await opens.admit(terms, CLIENT_PEER)).locked, 900n)
      assert.equal(waits.length, 7)
      // Many that do not exist are not all waited for.
      waits.length = 0
      const strangers = payee(() => undefined)
      await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) => strangers.admit({ ...terms, salt: BigInt(100 + n) }, CLIENT_PEER))
      )
      assert.equal(waits.length, 20)
    })

    it('P53 takes an old replica’s word on one channel for no look at it, though the chain is well', async () => {
      const other = { ...bench.terms(bench.channel), salt: 77n }
      await bench.chain.openChannel(other, amount(900))
      const { channel: second } = await bench.payee.admit(other, CLIENT_PEER)
      later(1_700_000)
      bench.lagMs = 100_000
      await bench.payee.refresh(second)
      bench.lagMs = 0
      await bench.payee.refresh(bench.channel)
      const { checkedAtMs } = bench.payee.state(second).info
      assert.equal(checkedAtMs, bench.chain.nowMs - 1_700_000)
      later(100_001)
      const before = bench.reads
      await bench.payee.admit(other, CLIENT_PEER)
      assert.equal(bench.reads, before + 1)
    })

    it('P53 takes a channel up again that a newer view shows alive in the same opening', async () => {
      const { openedLt } = bench.held
      later(5_000)
      bench.alter = view => ({ ...view, state: 'missing', openedLt: 0n })
      await bench.payee.refresh(bench.channel)
      await assert.rejects(bench.payee.accept(bench.sign(10)), { code: 'CHANNEL_CLOSED' })
      bench.alter = view => view
      later(5_000)
      await admit()
      assert.deepEqual([bench.held.state, bench.held.openedLt], ['open', openedLt])
      assert.equal((await bench.payee.accept(bench.sign(10))).credited, 10n)
    })
  })

  describe('of a chain that lags', () => {
    it('serves nothing new and takes no voucher when the newest block is over a minute old, until it catches up', async () => {
      const { served } = await bench.startJobs(bench.channel, 'a', amount(10))
      bench.lagMs = 60_010
      later(120_000)
      await bench.payee.refresh(bench.channel)
      await assert.rejects(bench.payee.accept(bench.sign(20)), { code: 'CHAIN_LAGGING' })
      await assert.rejects(bench.serve('b'), { code: 'CHAIN_LAGGING' })
      await assert.rejects(admit(), { code: 'CHAIN_LAGGING' })
      const other = { ...bench.terms(bench.channel), salt: 77n }
      await bench.chain.openChannel(other, amount(900))
      await assert.rejects(bench.payee.admit(other, CLIENT_PEER), { code: 'CHAIN_LAGGING' })
      await assert.rejects(
        bench.payee.sync(bench.channel, CLIENT_PEER, { voucher: bench.sign(20), spent: amount(0) }),
        {
          code: 'CHAIN_LAGGING'
        }
      )
      assert.equal(served.charge(amount(10)), true, 'what is paid is delivered')
      bench.lagMs = 59_000
      later(1_000)
      assert.equal((await bench.payee.accept(bench.sign(20))).credited, 10n)
      await bench.serve('b')
    })

    it('believes it all the same when it shows a close', async () => {
      bench.lagMs = 100_000
      later(200_000)
      await bench.chain.startClose(bench.channel)
      await bench.payee.refresh(bench.channel)
      assert.equal(bench.held.state, 'closing')
    })

    it('asks no more than once a second for a channel, however many vouchers come', async () => {
      bench.lagMs = 61_000
      later(120_000)
      await bench.payee.refresh(bench.channel)
      const before = bench.reads
      for (let n = 0; n < 20; n++) {
        await assert.rejects(bench.payee.accept(bench.sign(20 + n)), { code: 'CHAIN_LAGGING' })
        later(100)
      }
      assert.ok(bench.reads - before <= 3, `${bench.reads - before} requests in two seconds`)
    })

    it('tells of it once, and once that it is over; no single old replica makes a lag', () => {
      const told = new Told()
      const clock = { now: 1_000_000, nowMs: () => clock.now }
      const sight = new ChainSight(clock, told.logger)
      const view = (asOfMs: number) => sight.seen({ asOfMs } as ChannelView)
      view(990_000)
      view(900_000)
      assert.equal(sight.lagging, false, 'another server is ahead')
      clock.now = 1_060_000
      view(990_000)
      view(991_000)
      assert.equal(sight.lagging, true)
      assert.throws(() => sight.requireCurrent(), { code: 'CHAIN_LAGGING' })
      view(1_000_000)
      sight.requireCurrent()
      sight.failed(new NetworkError('CHAIN_UNREACHABLE', ''))
      sight.failed(new NetworkError('CHAIN_UNREACHABLE', ''))
      view(1_001_000)
      assert.deepEqual(
        told.lines.map(line => line.split(' ')[0]),
        ['warn', 'info', 'warn', 'info']
      )
    })

    it('is not blinded for long by a view from the future', async () => {
      bench.lagMs = -86_400_000
      await bench.payee.refresh(bench.channel)
      bench.lagMs = 0
      later(60_000)
      await bench.chain.startClose(bench.channel)
      await bench.payee.refresh(bench.channel)
      assert.equal(bench.held.state, 'closing')
    })
  })

  describe('of a chain that does not answer', () => {
    it('P58 serves known channels up to the exposure cap, new ones not at all, and both when it is back', async () => {
      bench.restartPayee({ blindExposure: amount(50) })
      await bench.payee.start()
      await bench.payee.accept(bench.sign(100))
      const other = { ...bench.terms(bench.channel), salt: 77n }
      await bench.chain.openChannel(other, amount(900))
      bench.silent = true
      later(600_000)
      await assert.rejects(bench.payee.admit(other, CLIENT_PEER), { code: 'CHAIN_BLIND' })
      await admit()
      // The look in the background that this began has failed by then.
      await new Promise(setImmediate)
      bench.silent = false
      await bench.payee.refresh(bench.channel)
      bench.silent = true
      later(600_000)
      const served = await bench.serve('a', { voucher: bench.sign(140) })
      assert.equal((await bench.payee.accept(bench.sign(150))).credited, 10n)
      await assert.rejects(bench.payee.accept(bench.sign(151)), { code: 'CHAIN_BLIND' })
      await assert.rejects(bench.serve('b', { voucher: bench.sign(151) }), { code: 'CHAIN_BLIND' })
      assert.equal(served.charge(amount(150)), true)
      bench.silent = false
      later(1_000)
      assert.equal((await bench.payee.accept(bench.sign(151))).credited, 1n)
      await bench.payee.admit(other, CLIENT_PEER)
    })

    it('P58 keeps no busy loop: few requests in ten minutes of vouchers', async () => {
      later(31_000)
      bench.silent = true
      const before = bench.reads
      for (let n = 1; n <= 600; n++) {
        await bench.payee.accept(bench.sign(n))
        later(1_000)
      }
      assert.ok(bench.reads - before <= 121, `${bench.reads - before} requests`)
    })

    it('P07 takes nothing any more when less than half the challenge period might be left to claim', async () => {
      bench.silent = true
      later(1_800_000)
      await bench.payee.accept(bench.sign(10))
      later(1)
      await assert.rejects(bench.payee.accept(bench.sign(20)), { code: 'CHAIN_BLIND' })
      await assert.rejects(bench.serve('a'), { code: 'CHAIN_BLIND' })
      await assert.rejects(admit(), { code: 'CHAIN_BLIND' })
      bench.silent = false
      // The payer closed alone just after the last look: the voucher can still be claimed in time.
      await bench.chain.startClose(bench.channel)
      await assert.rejects(bench.payee.accept(bench.sign(20)), { code: 'CHANNEL_CLOSING' })
      await bench.payee.claim(bench.channel)
      assert.equal(bench.chain.paid.get(PAYEE_ADDRESS), 10n)
    })
  })

  it('P07 refuses a channel that leaves too little time to claim, when it is opened', async () => {
    const quick = { ...bench.terms(bench.channel), challengeSeconds: 599 }
    await bench.chain.openChannel(quick, amount(900))
    await assert.rejects(bench.payee.admit(quick, CLIENT_PEER), { code: 'CHANNEL_CHALLENGE_TOO_SHORT' })
    assert.equal(bench.payee.list().length, 1)
  })

  it('P08 sees a close that was asked for while a prepaid answer runs, and stops it at the next chunk', async () => {
    const { served } = await bench.startJobs(bench.channel, 'a', amount(100))
    assert.equal(served.charge(amount(10)), true)
    await bench.chain.startClose(bench.channel)
    later(30_001)
    // No voucher comes: serving alone makes it look.
    assert.equal(served.charge(amount(20)), true)
    await until(() => bench.held.state === 'closing')
    assert.throws(() => served.charge(amount(30)), { code: 'CHANNEL_CLOSING' })
    await assert.rejects(bench.payee.accept(bench.sign(200)), { code: 'CHANNEL_CLOSING' })
    await assert.rejects(bench.serve('b'), { code: 'CHANNEL_CLOSING' })
  })

  it('P08 reads a channel with a short challenge period more often', async () => {
    bench.restartPayee({ minimumChallengeSeconds: 60 })
    await bench.payee.start()
    const quick = { ...bench.terms(bench.channel), challengeSeconds: 60 }
    await bench.chain.openChannel(quick, amount(900))
    const { channel } = await bench.payee.admit(quick, CLIENT_PEER)
    const before = bench.reads
    later(5_999)
    await bench.payee.admit(quick, CLIENT_PEER)
    assert.equal(bench.reads, before)
    later(2)
    await bench.payee.admit(quick, CLIENT_PEER)
    await until(() => bench.reads === before + 1)
    assert.equal(bench.payee.state(channel).info.state, 'open')
  })

  it('P22 takes vouchers within the confirmed deposit while a look at the chain and a top-up take their time', async () => {
    const block = new Gate()
    bench.beforeView = () => block.passed
    later(31_000)
    const order: string[] = []
    const above = bench.payee.accept(bench.sign(1_200)).then(
      () => order.push('above'),
      (err: unknown) => order.push(errorCode(err) ?? '')
    )
    const topUp = bench.chain.topUp(bench.channel, amount(500))
    for (const cumulative of [100, 200, 1_000]) {
      order.push(`${(await bench.payee.accept(bench.sign(cumulative))).cumulative}`)
    }
    const served = await bench.serve('a')
    assert.equal(served.charge(amount(1_000)), true)
    order.push('block')
    block.open()
    await Promise.all([above, topUp])
    assert.deepEqual(order, ['100', '200', '1000', 'block', 'CHANNEL_EXHAUSTED'])
    later(1_000)
    assert.equal((await bench.payee.accept(bench.sign(1_200))).credited, 200n)
  })

  it('P22 looks at the channel anew after the wait: one that went meanwhile refuses', async () => {
    const block = new Gate()
    bench.chain.before = call => (call === 'readChannel' ? block.passed : undefined)
    const above = assert.rejects(bench.payee.accept(bench.sign(1_200)), { code: 'CHANNEL_CLOSING' })
    await bench.chain.startClose(bench.channel)
    block.open()
    await above
  })
})
