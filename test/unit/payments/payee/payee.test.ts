import assert from 'node:assert/strict'
import { WireError } from '../../../../src/core/errors.ts'
import { silentLogger } from '../../../../src/core/logger.ts'
import { Ledger, PayeeChannels, signVoucher, VoucherStaleError } from '../../../../src/payments/index.ts'
import { FakeLedgerDatabase } from '../../../support/ledger-database.ts'
import {
  amount,
  CLIENT_PEER,
  Gate,
  NO_USAGE,
  PAYEE_ADDRESS,
  PAYEE_KEY,
  PAYER_KEY,
  PaymentPair,
  STRANGER_KEY
} from '../../../support/payment-pair.ts'

describe('payee channels', () => {
  let pair: PaymentPair
  let channel: string
  beforeEach(async () => {
    pair = await new PaymentPair().start()
    channel = await pair.open()
  })

  function sign(cumulative: number, key = PAYER_KEY, change: { openedLt?: bigint; globalId?: number } = {}) {
    const { openedLt } = pair.info(channel)
    return signVoucher(key, change.globalId ?? -217, {
      channel,
      openedLt: change.openedLt ?? openedLt,
      cumulative: amount(cumulative)
    })
  }

  describe('admission', () => {
    it('refuses a channel on another network, to another key or to another address', async () => {
      const terms = pair.terms(channel)
      const foreign = [
        { ...terms, globalId: -239 },
        { ...terms, payeeKey: STRANGER_KEY.publicKey },
        { ...terms, payeeAddress: terms.payerAddress },
        { ...terms, payerAddress: '7:00' }
      ]
      for (const other of foreign) {
        await assert.rejects(pair.payee.admit(other, CLIENT_PEER), { code: 'CHANNEL_FOREIGN' })
      }
    })

    it('refuses a channel that is not on the chain, closing, too small or too quick to close', async () => {
      const terms = pair.terms(channel)
      const other = { ...terms, salt: terms.salt + 1n }
      await assert.rejects(pair.payee.admit(other, CLIENT_PEER), { code: 'CHANNEL_MISSING' })
      await pair.chain.openChannel(other, amount(499))
      await assert.rejects(pair.payee.admit(other, CLIENT_PEER), { code: 'CHANNEL_DEPOSIT_TOO_LOW' })
      await pair.chain.topUp(pair.chain.channelAddress(other), amount(1))
      await pair.payee.admit(other, CLIENT_PEER)
      const quick = { ...terms, challengeSeconds: 599 }
      await pair.chain.openChannel(quick, amount(500))
      await assert.rejects(pair.payee.admit(quick, CLIENT_PEER), { code: 'CHANNEL_CHALLENGE_TOO_SHORT' })
      const closing = { ...terms, salt: terms.salt + 2n }
      await pair.chain.openChannel(closing, amount(500))
      await pair.chain.startClose(pair.chain.channelAddress(closing))
      await assert.rejects(pair.payee.admit(closing, CLIENT_PEER), { code: 'CHANNEL_CLOSING' })
    })

    it('does not ask the chain again for a channel it read a moment ago', async () => {
      let reads = 0
      pair.chain.before = call => void (reads += Number(call === 'readChannel'))
      await pair.payee.admit(pair.terms(channel), CLIENT_PEER)
      assert.equal(reads, 0)
    })

    it('refuses another client on a channel that already paid for one, though its claimed vouchers are public', async () => {
      const { voucher } = await pair.startJobs(channel, 'a', amount(10))
      await pair.payee.accept(voucher)
      await assert.rejects(pair.payee.startJob(channel, { jobId: 'b', peerId: 'stranger' }), {
        code: 'CHANNEL_FOREIGN'
      })
      await assert.rejects(pair.payee.admit(pair.terms(channel), 'stranger'), { code: 'CHANNEL_FOREIGN' })
      await assert.rejects(pair.payee.closeRequested(channel, 'stranger'), { code: 'CHANNEL_UNKNOWN' })
    })
  })

  describe('vouchers', () => {
    it('counts a voucher once it is on disk', async () => {
      pair.payeeDisk.before = () => {
        throw new Error('disk full')
      }
      await assert.rejects(pair.payee.accept(sign(10)), { code: 'LEDGER_WRITE_FAILED' })
      assert.equal(pair.payee.state(channel).info.promised, 0n)
      pair.payeeDisk.before = () => undefined
      assert.deepEqual(await pair.payee.accept(sign(10)), { cumulative: 10n, credited: 10n })
      assert.match(pair.payeeDisk.stored.get(`payee/${channel}`) ?? '', /"accepted":"10"/)
    })

    it('takes an equal voucher again for nothing', async () => {
      await pair.payee.accept(sign(10))
      assert.deepEqual(await pair.payee.accept(sign(10)), { cumulative: 10n, credited: 0n })
    })

    it('answers a lower voucher with the highest, signed by the payer', async () => {
      await pair.payee.accept(sign(10))
      pair.chain.nowMs += 2_000
      await assert.rejects(pair.payee.accept(sign(9)), (err: VoucherStaleError) => {
        assert.ok(err instanceof VoucherStaleError)
        assert.equal(err.code, 'VOUCHER_STALE')
        assert.deepEqual(err.highest, sign(10))
        return true
      })
    })

    it('shrugs at a lower voucher that another job’s overtook', async () => {
      await pair.startJobs(channel, 'a', amount(10))
      pair.chain.nowMs += 60_000
      assert.deepEqual(await pair.payee.accept(sign(9)), { cumulative: 10n, credited: 0n })
    })

    it('refuses a forged one, one for another network, another opening or another channel', async () => {
      const bad: Array<[string, ReturnType<typeof sign>]> = [
        ['VOUCHER_SIGNATURE_INVALID', sign(10, STRANGER_KEY)],
        ['VOUCHER_SIGNATURE_INVALID', sign(10, PAYER_KEY, { globalId: -239 })],
        ['VOUCHER_SIGNATURE_INVALID', { ...sign(10), cumulative: amount(11) }],
        ['VOUCHER_FOREIGN', sign(10, PAYER_KEY, { openedLt: 5n })],
        ['CHANNEL_UNKNOWN', { ...sign(10), channel: `0:${'00'.repeat(32)}` }]
      ]
      for (const [code, voucher] of bad) {
        await assert.rejects(pair.payee.accept(voucher), { code })
      }
      const terms = { ...pair.terms(channel), salt: 9n }
      const { channel: second } = await pair.chain.openChannel(terms, amount(1_000))
      await pair.payee.admit(terms, CLIENT_PEER)
      const { openedLt } = pair.payee.state(second).info
      const replayed = { ...sign(10, PAYER_KEY, { openedLt }), channel: second }
      await assert.rejects(pair.payee.accept(replayed), { code: 'VOUCHER_SIGNATURE_INVALID' })
      assert.equal(pair.payee.state(channel).info.promised, 0n)
    })

    it('P43 looks for a top-up once when a voucher is above the deposit, then refuses it', async () => {
      let reads = 0
      pair.chain.before = call => void (reads += Number(call === 'readChannel'))
      await assert.rejects(pair.payee.accept(sign(1_001)), {
        code: 'CHANNEL_EXHAUSTED',
        details: { channel, needed: 1_001n, deposit: 1_000n }
      })
      await assert.rejects(pair.payee.accept(sign(1_001)), { code: 'CHANNEL_EXHAUSTED' })
      assert.equal(reads, 1)
      pair.chain.nowMs += 1_000
      await pair.chain.topUp(channel, amount(1))
      assert.deepEqual(await pair.payee.accept(sign(1_001)), { cumulative: 1_001n, credited: 1_001n })
    })

    it('P22 takes vouchers within the deposit while the chain is asked about one above it', async () => {
      const answer = new Gate()
      pair.chain.before = call => (call === 'readChannel' ? answer.passed : undefined)
      const above = assert.rejects(pair.payee.accept(sign(1_001)), { code: 'CHANNEL_EXHAUSTED' })
      assert.deepEqual(await pair.payee.accept(sign(1_000)), { cumulative: 1_000n, credited: 1_000n })
      answer.open()
      await above
    })

    it('P08 accepts and serves nothing once the payer started to close', async () => {
      const { served } = await pair.startJobs(channel, 'a', amount(10))
      const waiting = assert.rejects(served.chargeWhenPaid(amount(11)), { code: 'CHANNEL_CLOSING' })
      await pair.chain.startClose(channel)
      await pair.payee.refresh(channel)
      await waiting
      assert.throws(() => served.charge(amount(5)), { code: 'CHANNEL_CLOSING' })
      await assert.rejects(pair.payee.accept(sign(20)), { code: 'CHANNEL_CLOSING' })
      assert.equal((await pair.payee.claim(channel)) !== undefined, true)
      assert.equal(pair.chain.paid.get(PAYEE_ADDRESS), 10n)
    })

    it('P08 notices a close by itself when its last look is old', async () => {
      await pair.chain.startClose(channel)
      pair.chain.nowMs += 30_001
      await pair.payee.accept(sign(10)).catch(() => undefined)
      await assert.rejects(pair.payee.accept(sign(20)), { code: 'CHANNEL_CLOSING' })
    })

    it('takes nothing unseen when it could not read the chain for half the challenge period', async () => {
      pair.chain.before = () => {
        throw Object.assign(new Error('down'), { code: 'CHAIN_UNREACHABLE' })
      }
      pair.chain.nowMs += 1_800_000
      await pair.payee.accept(sign(10))
      pair.chain.nowMs += 1
      await assert.rejects(pair.payee.accept(sign(20)), { code: 'CHAIN_BLIND' })
    })
  })

  describe('jobs', () => {
    it('start with their first voucher in one write, or not at all', async () => {
      let writes = 0
      pair.payeeDisk.before = () => {
        writes++
      }
      const start = (jobId: string, voucher: ReturnType<typeof sign>) =>
        pair.payee.startJob(channel, { jobId, peerId: CLIENT_PEER, voucher })
      const first = await start('a', sign(10))
      assert.equal(writes, 1)
      assert.equal(first.charge(amount(10)), true)
      assert.match(pair.payeeDisk.stored.get(`payee/${channel}`) ?? '', /"accepted":"10"/)

      for (const [code, voucher] of [
        ['VOUCHER_SIGNATURE_INVALID', sign(20, STRANGER_KEY)],
        ['VOUCHER_FOREIGN', { ...sign(20), channel: `0:${'00'.repeat(32)}` }],
        ['CHANNEL_EXHAUSTED', sign(1_000_000)]
      ] as const) {
        await assert.rejects(start('b', voucher), { code })
      }
      assert.equal(pair.payee.state(channel).info.promised, 10n)
      // The failed ones left no job behind that would keep the channel busy.
      await first.end(amount(10), NO_USAGE)
      assert.equal((await pair.payee.closeRequested(channel, CLIENT_PEER)).cumulative, 10n)
    })

    it('P05 never lets one voucher pay two parallel jobs', async () => {
      const { served: a } = await pair.startJobs(channel, 'a', amount(10))
      const others = await Promise.all(
        ['b', 'c', 'd'].map(jobId => pair.payee.startJob(channel, { jobId, peerId: CLIENT_PEER }))
      )
      const charged = [a, ...others].map(job => job.charge(amount(10)))
      assert.deepEqual(charged, [true, false, false, false])
      assert.equal(others[0]?.required(amount(10)), 20n)
      assert.equal(a.required(amount(12)), 12n)
    })

    it('wakes the job that waits when a voucher comes on another stream, or a job gives money back', async () => {
      const { served: a } = await pair.startJobs(channel, 'a', amount(10))
      const b = await pair.payee.startJob(channel, { jobId: 'b', peerId: CLIENT_PEER })
      a.charge(amount(10))
      const first = b.chargeWhenPaid(amount(5))
      await pair.payee.accept(sign(15))
      await first
      const second = b.chargeWhenPaid(amount(8))
      await a.end(amount(7), NO_USAGE)
      await second
      assert.equal(pair.payee.state(channel).info.delivered, 15n)
      assert.equal(b.charge(amount(9)), false)
    })

    it('gives up waiting when told to, and charges nothing then', async () => {
      const { served } = await pair.startJobs(channel, 'a', amount(10))
      const stop = new AbortController()
      const waiting = assert.rejects(served.chargeWhenPaid(amount(11), { signal: stop.signal }), { code: 'CANCELLED' })
      stop.abort()
      await waiting
      await pair.payee.accept(sign(20))
      assert.equal(served.charged, 0n)
    })

    it('refuses a job that runs already, and an end above what was charged', async () => {
      const { served } = await pair.startJobs(channel, 'a', amount(10))
      await assert.rejects(pair.payee.startJob(channel, { jobId: 'a', peerId: CLIENT_PEER }), { code: 'JOB_DUPLICATE' })
      served.charge(amount(5))
      await assert.rejects(served.end(amount(6)), { code: 'JOB_OVERCHARGED' })
      await served.end(amount(5))
      await served.end(amount(5))
      assert.throws(() => served.charge(amount(5)), { code: 'JOB_ENDED' })
      assert.equal(pair.payee.state(channel).info.delivered, 5n)
    })

    it('credits the next job with what the last one left', async () => {
      const { served } = await pair.startJobs(channel, 'a', amount(10))
      served.charge(amount(6))
      await served.end(amount(6))
      const next = await pair.payee.startJob(channel, { jobId: 'b', peerId: CLIENT_PEER })
      assert.equal(next.paidFor(), 4n)
    })

    it('after a crash serves nothing for money that may be used up', async () => {
      const { served } = await pair.startJobs(channel, 'a', amount(10))
      served.charge(amount(6))
      pair.restartPayee()
      await pair.payee.start()
      const next = await pair.payee.startJob(channel, { jobId: 'b', peerId: CLIENT_PEER })
      assert.equal(next.paidFor(), 0n)
      assert.deepEqual(pair.payee.state(channel).highest, sign(10))
    })
  })

  describe('restart', () => {
    it('P01 serves nothing on a channel that was closed meanwhile', async () => {
      await pair.startJobs(channel, 'a', amount(10))
      await pair.chain.startClose(channel)
      pair.chain.nowMs += 3_600_000
      await pair.chain.finish(channel)
      pair.restartPayee()
      await pair.payee.start()
      await assert.rejects(pair.payee.startJob(channel, { jobId: 'b', peerId: CLIENT_PEER }), {
        code: 'CHANNEL_CLOSED'
      })
      await assert.rejects(pair.payee.admit(pair.terms(channel), CLIENT_PEER), { code: 'CHANNEL_MISSING' })
    })

    it('P01 keeps no channel for ever that was closed', async () => {
      await pair.startJobs(channel, 'a', amount(10))
      await pair.chain.startClose(channel)
      pair.chain.nowMs += 3_600_000
      await pair.chain.finish(channel)
      const listed = async () => {
        await pair.restartPayee().start()
        return pair.payee.list().map(({ state, claimable }) => [state, claimable])
      }
      assert.deepEqual(await listed(), [['closed', 0n]])
      pair.chain.nowMs += 31 * 86_400_000
      assert.deepEqual(await listed(), [])
      assert.equal(pair.payeeDisk.stored.has(`payee/${channel}`), false)
      await assert.rejects(pair.payee.admit(pair.terms(channel), CLIENT_PEER), { code: 'CHANNEL_MISSING' })
    })

    it('serves nothing on a channel that it could not check against the chain', async () => {
      pair.restartPayee()
      pair.chain.before = () => {
        throw Object.assign(new Error('down'), { code: 'CHAIN_UNREACHABLE' })
      }
      await pair.payee.start()
      await assert.rejects(pair.payee.accept(sign(10)), { code: 'CHAIN_BLIND' })
      pair.chain.before = () => undefined
      assert.equal((await pair.payee.accept(sign(10))).credited, 10n)
    })

    it('starts from nothing on a channel that was opened anew at the same address', async () => {
      const old = sign(10)
      const { served } = await pair.startJobs(channel, 'a', amount(10))
      const terms = pair.terms(channel)
      await pair.chain.startClose(channel)
      pair.chain.nowMs += 3_600_000
      await pair.chain.finish(channel)
      const { openedLt } = await pair.chain.openChannel(terms, amount(600))
      await pair.payee.refresh(channel)
      await pair.payee.admit(terms, CLIENT_PEER)
      await assert.rejects(pair.payee.accept(old), { code: 'VOUCHER_FOREIGN' })
      await pair.payee.accept(sign(5, PAYER_KEY, { openedLt }))
      assert.throws(() => served.charge(amount(1)), { code: 'CHANNEL_CLOSED' })
      assert.deepEqual([pair.payee.state(channel).info.promised, pair.payee.state(channel).info.locked], [5n, 600n])
    })

    it('takes the signature of an amount that only the chain remembers', async () => {
      await pair.startJobs(channel, 'a', amount(10))
      await pair.payee.claim(channel)
      const fresh = new PayeeChannels(
        {
          ledger: new Ledger(new FakeLedgerDatabase()),
          chain: pair.chain,
          clock: pair.clock,
          logger: silentLogger,
          key: PAYEE_KEY,
          payeeAddress: PAYEE_ADDRESS
        },
        { minimumDeposit: amount(1), minimumChallengeSeconds: 1 }
      )
      await fresh.admit(pair.terms(channel), CLIENT_PEER)
      assert.equal(fresh.state(channel).highest, undefined)
      await assert.rejects(fresh.accept(sign(9)), { code: 'VOUCHER_STALE', highest: undefined })
      assert.deepEqual(await fresh.accept(sign(10)), { cumulative: 10n, credited: 0n })
      assert.deepEqual(fresh.state(channel).highest, sign(10))
    })
  })

  describe('claims', () => {
    it('P43 submits the stored voucher unchanged, once for parallel calls, and nothing when nothing is owed', async () => {
      assert.equal(await pair.payee.claim(channel), undefined)
      await pair.startJobs(channel, 'a', amount(10))
      const receipts = await Promise.all([1, 2, 3].map(() => pair.payee.claim(channel)))
      assert.equal(new Set(receipts.map(receipt => receipt?.transaction)).size, 1)
      assert.equal(await pair.payee.claim(channel), undefined)
      assert.equal(pair.chain.count('claim'), 1)
      const [{ promised, settled, claimable, locked } = assert.fail()] = pair.payee.list()
      assert.deepEqual([locked, promised, settled, claimable], [1_000n, 10n, 10n, 0n])
    })

    it('keeps the voucher claimable when a claim fails', async () => {
      await pair.startJobs(channel, 'a', amount(10))
      pair.chain.before = call => {
        if (call === 'claim') {
          throw new Error('lost')
        }
      }
      await assert.rejects(pair.payee.claim(channel))
      pair.chain.before = () => undefined
      assert.equal(pair.payee.state(channel).info.claimable, 10n)
      await pair.payee.claim(channel)
      assert.equal(pair.chain.paid.get(PAYEE_ADDRESS), 10n)
    })

    it('accepts nothing after it agreed to close', async () => {
      const { served } = await pair.startJobs(channel, 'a', amount(10))
      await assert.rejects(pair.payee.closeRequested(channel, CLIENT_PEER), { code: 'CHANNEL_BUSY' })
      served.charge(amount(10))
      await served.end(amount(10))
      const agreed = await pair.payee.closeRequested(channel, CLIENT_PEER)
      assert.equal(agreed.cumulative, 10n)
      await assert.rejects(pair.payee.accept(sign(20)), { code: 'CHANNEL_CLOSING' })
      await assert.rejects(pair.payee.admit(pair.terms(channel), CLIENT_PEER), { code: 'CHANNEL_CLOSING' })
      assert.deepEqual(await pair.payee.closeRequested(channel, CLIENT_PEER), agreed)
    })
  })

  it('refuses in words that may cross the wire', async () => {
    await assert.rejects(
      pair.payee.accept(sign(1_001)),
      (err: unknown) => err instanceof WireError && err.errorClass === 'money'
    )
  })
})
