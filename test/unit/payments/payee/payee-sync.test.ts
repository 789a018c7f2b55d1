import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { errorCode } from '../../../../src/core/errors.ts'
import { signVoucher } from '../../../../src/payments/index.ts'
import { FakeLedgerDatabase } from '../../../support/ledger-database.ts'
import { amount, CLIENT_PEER, PAYEE_ADDRESS, STRANGER_KEY } from '../../../support/payment-pair.ts'
import { PayeeBench } from './payee-fixture.ts'

/** More than this in a first voucher after a start, and the books count as old. */
const JUMP = { resyncJump: amount(10) }

describe('a payee that compares books with its client', () => {
  let bench: PayeeBench
  beforeEach(async () => {
    bench = await new PayeeBench().setUp()
  })

  const told = (cumulative: number | undefined, spent: number) => ({
    voucher: cumulative === undefined ? undefined : bench.sign(cumulative),
    spent: amount(spent)
  })
  const sync = (cumulative: number | undefined, spent: number) =>
    bench.payee.sync(bench.channel, CLIENT_PEER, told(cumulative, spent))

  it('tells what it holds to its own client only, and takes over nothing that is not the client’s', async () => {
    await bench.job('a', 40, 30)
    const { info, highest } = await sync(undefined, 0)
    assert.deepEqual([info.promised, info.delivered, highest], [40n, 30n, bench.sign(40)])
    await assert.rejects(bench.payee.sync(bench.channel, 'stranger', told(40, 0)), { code: 'CHANNEL_UNKNOWN' })
    await assert.rejects(bench.payee.sync(`0:${'00'.repeat(32)}`, CLIENT_PEER, told(40, 0)), {
      code: 'CHANNEL_UNKNOWN'
    })
    const { openedLt } = bench.held
    const forged = signVoucher(STRANGER_KEY, -217, { channel: bench.channel, openedLt, cumulative: amount(50) })
    const foreign = { ...bench.sign(50), openedLt: openedLt + 1n }
    for (const [code, voucher] of [
      ['VOUCHER_SIGNATURE_INVALID', forged],
      ['VOUCHER_FOREIGN', foreign]
    ] as const) {
      await assert.rejects(bench.payee.sync(bench.channel, CLIENT_PEER, { voucher, spent: amount(50) }), { code })
    }
    assert.deepEqual([bench.held.promised, bench.held.delivered], [40n, 30n])
  })

  it('takes a voucher that was lost on its way, once, and none that is lower or above the deposit', async () => {
    await bench.job('a', 40, 30)
    await sync(50, 30)
    await sync(50, 30)
    assert.deepEqual([bench.held.promised, bench.held.delivered], [50n, 30n])
    const { info, highest } = await sync(45, 30)
    assert.deepEqual([info.promised, highest?.cumulative], [50n, 50n])
    assert.equal((await sync(1_001, 30)).info.promised, 50n)
    await bench.chain.topUp(bench.channel, amount(1))
    bench.chain.nowMs += 1_000
    assert.equal((await sync(1_001, 30)).info.promised, 1_001n, 'a top-up is looked for')
  })

  it('takes no voucher once the channel is being closed', async () => {
    await bench.job('a', 40, 30)
    await bench.chain.startClose(bench.channel)
    await bench.payee.refresh(bench.channel)
    const { info } = await sync(50, 30)
    assert.deepEqual([info.state, info.promised], ['closing', 40n])
  })

  it('settles nothing while jobs run: what they use is not known yet', async () => {
    await bench.job('a', 20, 20)
    const { served } = await bench.startJobs(bench.channel, 'b', amount(30))
    served.charge(amount(25))
    // The client’s books may have the running job already.
    assert.equal((await sync(50, 45)).info.delivered, 45n)
    await served.end(amount(25))
    assert.equal(bench.held.delivered, 45n)
  })

  describe('that is set back to an old copy', () => {
    /** The client paid 100 and got 90; the copy knows of 10 and 10, unless something else is said. */
    async function setBack(init: object = JUMP): Promise<void> {
      await bench.job('a', 10, 10)
      const copy = bench.backup()
      await bench.job('b', 90, 80)
      await bench.restore(copy, init)
    }

    it('P31 refuses to serve for a first voucher that no window can explain, until the client told what it holds', async () => {
      await setBack()
      await assert.rejects(bench.serve('c', { voucher: bench.sign(105) }), { code: 'CHANNEL_RESYNC' })
      assert.deepEqual(
        [bench.held.needsResync, bench.held.promised, bench.held.delivered],
        [true, 105n, 105n],
        'the money is kept, and no work is left to give for it'
      )
      await assert.rejects(bench.serve('c', { voucher: bench.sign(105) }), { code: 'CHANNEL_RESYNC' })
      await assert.rejects(bench.payee.accept(bench.sign(110)), { code: 'CHANNEL_RESYNC' })
      await assert.rejects(bench.payee.closeRequested(bench.channel, CLIENT_PEER), { code: 'CHANNEL_RESYNC' })
      // Without the highest voucher nothing is said.
      assert.equal((await sync(105, 90)).info.needsResync, true)
      assert.equal((await sync(undefined, 90)).info.needsResync, true)
      const { info } = await sync(110, 90)
      assert.deepEqual([info.needsResync, info.promised, info.delivered], [false, 110n, 90n])
      const next = await bench.serve('c', { voucher: bench.sign(115) })
      assert.equal(next.paidFor(), 25n)
    })

    it('P31 goes on refusing after another restart', async () => {
      await setBack()
      await assert.rejects(bench.serve('c', { voucher: bench.sign(105) }), { code: 'CHANNEL_RESYNC' })
      bench.restartPayee(JUMP)
      await bench.payee.start()
      await assert.rejects(bench.serve('c', { voucher: bench.sign(106) }), { code: 'CHANNEL_RESYNC' })
    })

    it('P31 learns from the chain that a voucher was claimed which it does not know', async () => {
      await bench.job('a', 10, 10)
      const copy = bench.backup()
      await bench.job('b', 90, 80)
      await bench.payee.claim(bench.channel)
      await bench.restore(copy)
      assert.deepEqual([bench.held.needsResync, bench.held.promised, bench.held.settled], [true, 100n, 100n])
      await assert.rejects(bench.serve('c', { voucher: bench.sign(100) }), { code: 'CHANNEL_RESYNC' })
      // What was paid on chain counts as delivered, whatever the client says: a rest of 10 is lost to it at most.
      const { info, highest } = await sync(100, 0)
      assert.deepEqual([info.needsResync, info.delivered, highest], [false, 100n, bench.sign(100)])
      const { served } = await bench.startJobs(bench.channel, 'c', amount(15))
      assert.equal(served.paidFor() <= 15n, true)
    })

    it('P31 never settles less than was settled, and nothing twice', async () => {
      await bench.job('a', 10, 10)
      const copy = bench.backup()
      await bench.job('b', 90, 80)
      await bench.payee.claim(bench.channel)
      await bench.restore(copy)
      assert.equal(await bench.payee.claim(bench.channel), undefined)
      await sync(100, 90)
      assert.equal(await bench.payee.claim(bench.channel), undefined)
      await bench.payee.accept(bench.sign(120))
      await bench.payee.claim(bench.channel)
      assert.equal(bench.chain.paid.get(PAYEE_ADDRESS), 120n)
      assert.equal(bench.chain.count('claim'), 2)
    })

    it('P31 takes a first voucher that jobs under way explain as it is', async () => {
      const { served } = await bench.startJobs(bench.channel, 'a', amount(10))
      served.charge(amount(10))
      bench.restartPayee(JUMP)
      await bench.payee.start()
      // One window of the job that was cut off, one of the next.
      assert.equal((await bench.serve('b', { voucher: bench.sign(30) })).paidFor(), 20n)
      bench.restartPayee(JUMP)
      await bench.payee.start()
      await assert.rejects(bench.payee.accept(bench.sign(51)), { code: 'CHANNEL_RESYNC' })
    })

    it('P31 notices a lost ledger in the same way, and its client can say so', async () => {
      await bench.job('a', 100, 90)
      await bench.restore(new Map(), JUMP)
      await bench.payee.admit(bench.terms(bench.channel), CLIENT_PEER)
      await assert.rejects(bench.serve('b', { voucher: bench.sign(105) }), { code: 'CHANNEL_RESYNC' })
      const { info } = await sync(105, 90)
      assert.deepEqual([info.needsResync, info.delivered], [false, 90n])
    })

    it('P31 a client that lies gets no more than the old copy forgot, and no more than it signed', async () => {
      await setBack()
      await assert.rejects(bench.payee.accept(bench.sign(105)), { code: 'CHANNEL_RESYNC' })
      const { info } = await sync(105, 0)
      assert.equal(info.delivered, 10n)
      assert.equal((await bench.serve('c')).paidFor(), 95n)
    })

    it('P31 from any earlier copy: vouchers are counted once, settled once, and the books agree in the end', async () => {
      const job = fc.record({ cost: fc.integer({ min: 1, max: 30 }), ahead: fc.nat(10), claim: fc.boolean() })
      await fc.assert(
        fc.asyncProperty(fc.array(job, { minLength: 1, maxLength: 6 }), fc.nat(6), async (jobs, back) => {
          const pair = await new PayeeBench().setUp()
          const copies = [pair.backup()]
          for (const [n, { cost, ahead, claim }] of jobs.entries()) {
            await pair.job(`${n}`, cost + ahead, cost)
            if (claim) {
              await pair.payee.claim(pair.channel)
            }
            copies.push(pair.backup())
          }
          const before = pair.chain.paid.get(PAYEE_ADDRESS) ?? 0n
          const { signed, used } = pair.info(pair.channel)
          await pair.restore(copies[back % copies.length] ?? new Map(), { resyncJump: amount(0) })
          await pair.payee.admit(pair.terms(pair.channel), CLIENT_PEER)
          await pair.serve('again', { voucher: pair.sign(signed) }).then(
            served => served.end(amount(0)),
            (err: unknown) => assert.equal(errorCode(err), 'CHANNEL_RESYNC')
          )
          const { info } = await pair.sync()
          assert.equal(info.needsResync, false)
          assert.equal(info.promised, signed)
          assert.ok(info.delivered >= used && info.delivered <= (used > info.settled ? used : info.settled))
          await pair.payee.claim(pair.channel)
          assert.equal(pair.chain.paid.get(PAYEE_ADDRESS) ?? 0n, signed)
          assert.ok(before <= signed)
        }),
        { numRuns: 60 }
      )
    })
  })

  it('reads records of version 0.1.0, and counts from now what they do not know', async () => {
    await bench.job('a', 40, 30)
    const key = `payee/${bench.channel}`
    const [, , body = ''] = /^[12] ([0-9a-f]{8}) (.*)$/s.exec(bench.payeeDisk.stored.get(key) ?? '') ?? []
    const known = new Map(Object.entries(JSON.parse(body) as object))
    const old = [
      'channel',
      'terms',
      'peerId',
      'state',
      'openedLt',
      'deposit',
      'settled',
      'accepted',
      'signature',
      'delivered',
      'running'
    ]
    const json = JSON.stringify(Object.fromEntries(old.map(name => [name, known.get(name) as unknown])))
    const record = `1 ${crc32(`${key}\n${json}`).toString(16).padStart(8, '0')} ${json}`
    bench.chain.nowMs += 5_000
    bench.restartPayee({}, new FakeLedgerDatabase([[key, record]]))
    await bench.payee.start()
    const { promised, delivered, lastUsedAtMs, unclaimedSinceMs, needsResync, closeAtMs, agreedUntilMs } = bench.held
    assert.deepEqual([promised, delivered, needsResync, closeAtMs, agreedUntilMs], [40n, 30n, false, 0, 0])
    assert.deepEqual([lastUsedAtMs, unclaimedSinceMs], [bench.chain.nowMs, bench.chain.nowMs])
  })

  it('says since when the oldest voucher waits, when the channel was last used, and when a close may be finished', async () => {
    const start = bench.chain.nowMs
    assert.deepEqual([bench.held.unclaimedSinceMs, bench.held.lastUsedAtMs], [undefined, start])
    bench.chain.nowMs = start + 1_000
    await bench.payee.accept(bench.sign(10))
    bench.chain.nowMs = start + 2_000
    await bench.payee.accept(bench.sign(20))
    assert.deepEqual([bench.held.unclaimedSinceMs, bench.held.lastUsedAtMs], [start + 1_000, start + 2_000])
    bench.chain.nowMs = start + 3_000
    bench.chain.before = async call => {
      if (call === 'claim') {
        bench.chain.nowMs = start + 4_000
        await bench.payee.accept(bench.sign(30))
      }
    }
    await bench.payee.claim(bench.channel)
    assert.deepEqual([bench.held.claimable, bench.held.unclaimedSinceMs], [10n, start + 3_000])
    await bench.chain.claim(bench.channel, bench.sign(30))
    await bench.payee.refresh(bench.channel)
    assert.deepEqual([bench.held.claimable, bench.held.unclaimedSinceMs], [0n, undefined])
    const served = await bench.serve('a')
    assert.equal(bench.held.runningJobs, 1)
    await served.end(amount(0))
    await bench.chain.startClose(bench.channel)
    await bench.payee.refresh(bench.channel)
    const { runningJobs, closeAtMs, challengeSeconds } = bench.held
    assert.deepEqual([runningJobs, closeAtMs, challengeSeconds], [0, bench.chain.nowMs + 3_600_000, 3_600])
  })
})
