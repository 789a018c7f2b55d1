import assert from 'node:assert/strict'
import { parseRawAddress } from '../../../../src/core/address.ts'
import { ed25519PublicKey, ed25519Sign } from '../../../../src/core/ed25519.ts'
import { closeHash, signVoucher, verifyVoucher } from '../../../../src/payments/index.ts'
import {
  amount,
  CLIENT_PEER,
  NO_USAGE,
  PAYEE_ADDRESS,
  PAYEE_KEY,
  PAYER_ADDRESS,
  PAYER_KEY,
  PaymentPair,
  POLICY,
  PROVIDER,
  STRANGER_KEY
} from '../../../support/payment-pair.ts'

describe('payer channels', () => {
  let pair: PaymentPair
  let channel: string
  beforeEach(async () => {
    pair = await new PaymentPair().start()
    channel = await pair.open()
  })

  it('gives 50 parallel requests strictly increasing vouchers, none lost', async () => {
    const vouchers = await Promise.all(
      Array.from({ length: 50 }, () => pair.payer.authorize(channel, { delta: amount(3) }))
    )
    assert.deepEqual(
      vouchers.map(v => v.cumulative),
      Array.from({ length: 50 }, (_, n) => BigInt(3 * (n + 1)))
    )
    const key = ed25519PublicKey(PAYER_KEY.publicKey)
    assert.ok(vouchers.every(voucher => verifyVoucher(key, -217, voucher)))
  })

  it('returns a voucher only after it is on disk, and none if the disk fails', async () => {
    const voucher = await pair.payer.authorize(channel, { delta: amount(5) })
    assert.match(pair.payerDisk.stored.get(`payer/${channel}`) ?? '', /"signed":"5"/)
    pair.payerDisk.before = () => {
      throw new Error('disk full')
    }
    await assert.rejects(pair.payer.authorize(channel, { delta: amount(5) }), { code: 'LEDGER_WRITE_FAILED' })
    assert.deepEqual(pair.payer.highest(channel), voucher)
  })

  it('refuses to sign less than before, more than the deposit, or on a channel it does not know', async () => {
    await pair.payer.authorize(channel, { cumulative: amount(400) })
    await assert.rejects(pair.payer.authorize(channel, { cumulative: amount(399) }), { code: 'VOUCHER_LOWER' })
    await assert.rejects(pair.payer.authorize(channel, { delta: amount(601) }), {
      code: 'CHANNEL_EXHAUSTED',
      details: { channel, needed: 1_001n, deposit: 1_000n, room: 1_000n }
    })
    await assert.rejects(pair.payer.authorize(`0:${'00'.repeat(32)}`, { delta: amount(1) }), {
      code: 'CHANNEL_UNKNOWN'
    })
    assert.throws(() => pair.payer.startJob('0:00', { jobId: 'a', maxCost: amount(1) }), { code: 'CHANNEL_UNKNOWN' })
  })

  it('signs nothing on a channel that is closing or closed', async () => {
    await pair.payer.startClose(channel)
    await assert.rejects(pair.payer.authorize(channel, { delta: amount(1) }), { code: 'CHANNEL_CLOSING' })
    pair.chain.nowMs += 3_600_000
    await pair.payer.finish(channel)
    await assert.rejects(pair.payer.authorize(channel, { delta: amount(1) }), { code: 'CHANNEL_CLOSED' })
    assert.equal(pair.chain.paid.get(PAYER_ADDRESS), 1_000n)
  })

  it('turns job amounts into one channel total, and never past a job’s cap', async () => {
    const a = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(60) })
    const b = pair.payer.startJob(channel, { jobId: 'b', maxCost: amount(100) })
    const totals = [
      (await a.payUpTo(amount(50))).cumulative,
      (await b.payUpTo(amount(30))).cumulative,
      (await a.payUpTo(amount(60))).cumulative,
      (await a.payUpTo(amount(10))).cumulative
    ]
    assert.deepEqual(totals, [50n, 80n, 90n, 90n])
    await assert.rejects(a.payUpTo(amount(61)), { code: 'SPENDING_CAP', details: { jobId: 'a', cost: 61n, cap: 60n } })
    assert.deepEqual([a.paid, b.paid], [60n, 30n])
  })

  it('uses what an ended job left over for the next one first', async () => {
    const a = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(100) })
    await a.payUpTo(amount(50))
    await a.end({ cost: amount(35), usage: NO_USAGE, confirmed: true })
    assert.equal(pair.info(channel).credit, 15n)
    const b = pair.payer.startJob(channel, { jobId: 'b', maxCost: amount(100) })
    assert.equal((await b.payUpTo(amount(15))).cumulative, 50n)
    assert.equal((await b.payUpTo(amount(20))).cumulative, 55n)
    await assert.rejects(a.payUpTo(amount(60)), { code: 'JOB_ENDED' })
    await a.end({ cost: amount(0), usage: NO_USAGE, confirmed: true })
    assert.equal(pair.info(channel).used, 55n)
  })

  it('gives a job that costs nothing a voucher over nothing', async () => {
    const voucher = await pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(0) }).payUpTo(amount(0))
    assert.equal(voucher.cumulative, 0n)
    assert.deepEqual(await pair.payee.accept(voucher), { cumulative: 0n, credited: 0n })
  })

  it('counts all that a cut-off job was promised, until the payee says less', async () => {
    const a = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(100) })
    await a.payUpTo(amount(50))
    await a.end({ cost: amount(20), usage: NO_USAGE, confirmed: false })
    assert.deepEqual([pair.info(channel).used, pair.info(channel).credit], [50n, 0n])
    assert.deepEqual((await pair.payer.reconcile(channel, amount(30))).used, 30n)
    assert.equal(pair.info(channel).credit, 20n)
  })

  it('concedes to a payee no less than it saw delivered and no more than it signed', async () => {
    const a = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(100) })
    await a.payUpTo(amount(50))
    await a.end({ cost: amount(20), usage: NO_USAGE, confirmed: false })
    assert.equal((await pair.payer.reconcile(channel, amount(0))).used, 20n)
    assert.equal((await pair.payer.reconcile(channel, amount(900))).used, 50n)
    assert.equal(pair.info(channel).signed, 50n)
  })

  it('does not reconcile while a job runs', async () => {
    const a = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(100) })
    await a.payUpTo(amount(50))
    assert.equal((await pair.payer.reconcile(channel, amount(0))).used, 50n)
  })

  it('does not reconcile while a job runs that cost nothing so far', async () => {
    const a = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(100) })
    await a.payUpTo(amount(50))
    const b = pair.payer.startJob(channel, { jobId: 'b', maxCost: amount(100) })
    await b.payUpTo(amount(0))
    await a.end({ cost: amount(20), usage: NO_USAGE, confirmed: false })
    assert.equal((await pair.payer.reconcile(channel, amount(20))).used, 50n)
  })

  it('after a crash counts running jobs as used and marks their lines', async () => {
    const a = pair.payer.startJob(channel, { jobId: 'aa', maxCost: amount(100) })
    await a.payUpTo(amount(50))
    pair.restartPayer()
    await pair.payer.start()
    assert.deepEqual([pair.info(channel).used, pair.info(channel).credit, pair.info(channel).signed], [50n, 0n, 50n])
    const lines = [...pair.payerDisk.stored].filter(([key]) => key.startsWith('job/payer/'))
    assert.equal(lines.length, 1)
    assert.match(lines[0]?.[1] ?? '', /"outcome":"interrupted"/)
    assert.equal((await pair.payer.authorize(channel, { delta: amount(1) })).cumulative, 51n)
  })

  it('adopts the payee’s copy of its own voucher after restoring an old disk', async () => {
    const old = new Map(pair.payerDisk.stored)
    const voucher = await pair.payer.authorize(channel, { delta: amount(70) })
    pair.payerDisk.stored.clear()
    old.forEach((value, key) => pair.payerDisk.stored.set(key, value))
    pair.restartPayer()
    await pair.payer.start()
    assert.equal(pair.info(channel).signed, 0n)
    const forged = signVoucher(STRANGER_KEY, -217, { channel, openedLt: voucher.openedLt, cumulative: amount(900) })
    await assert.rejects(pair.payer.adopt(forged), { code: 'VOUCHER_SIGNATURE_INVALID' })
    await assert.rejects(pair.payer.adopt({ ...voucher, openedLt: voucher.openedLt + 1n }), { code: 'VOUCHER_FOREIGN' })
    const adopted = await pair.payer.adopt(voucher)
    assert.deepEqual([adopted.signed, adopted.used, adopted.credit], [70n, 70n, 0n])
    assert.equal((await pair.payer.authorize(channel, { delta: amount(1) })).cumulative, 71n)
    assert.equal((await pair.payer.adopt(voucher)).signed, 71n)
  })

  it('works on from its ledger when the chain cannot be reached at start', async () => {
    await pair.payer.authorize(channel, { delta: amount(5) })
    pair.restartPayer()
    pair.chain.before = () => {
      throw new Error('down')
    }
    await pair.payer.start()
    assert.equal((await pair.payer.authorize(channel, { delta: amount(5) })).cumulative, 10n)
  })

  async function serve(cost: number): Promise<void> {
    const { paying, served } = await pair.startJobs(channel, 'a', amount(cost))
    assert.equal(served.charge(amount(cost)), true)
    await served.end(amount(cost), NO_USAGE)
    await paying.end({ cost: amount(cost), usage: NO_USAGE, confirmed: true })
  }

  describe('close', () => {
    it('pays both sides exactly and leaves nothing in the channel', async () => {
      await serve(300)
      await pair.payer.retire(channel)
      const order = await pair.payee.closeRequested(channel, CLIENT_PEER)
      await pair.payer.close(channel, order)
      assert.deepEqual([pair.chain.paid.get(PAYEE_ADDRESS), pair.chain.paid.get(PAYER_ADDRESS)], [300n, 700n])
      assert.deepEqual([pair.info(channel).state, pair.info(channel).settled], ['closed', 300n])
      assert.notEqual((await pair.payer.ensureChannel(PROVIDER, POLICY)).channel, channel)
    })

    it('pays what was delivered with the close itself: no claim goes before', async () => {
      await serve(300)
      const order = await pair.payee.closeRequested(channel, CLIENT_PEER)
      await pair.payer.close(channel, order)
      assert.equal(pair.chain.count('claim'), 0)
      assert.deepEqual([pair.chain.paid.get(PAYEE_ADDRESS), pair.chain.paid.get(PAYER_ADDRESS)], [300n, 700n])
    })

    it('sends one message for parallel calls, and finishes after a crash without asking again', async () => {
      await serve(300)
      const order = await pair.payee.closeRequested(channel, CLIENT_PEER)
      pair.chain.before = call => {
        if (call === 'coopClose') {
          throw new Error('lost')
        }
      }
      await assert.rejects(pair.payer.close(channel, order))
      pair.chain.before = () => undefined
      pair.restartPayer()
      await pair.payer.start()
      await Promise.all([pair.payer.close(channel), pair.payer.close(channel), pair.payer.close(channel)])
      assert.equal(pair.chain.count('coopClose'), 1)
      await assert.rejects(pair.payer.close(channel), { code: 'CHANNEL_CLOSED' })
    })

    it('refuses an agreement over more than was signed, below what is settled, unsigned, or of another opening', async () => {
      await serve(300)
      await pair.payee.claim(channel)
      const good = await pair.payee.closeRequested(channel, CLIENT_PEER)
      const signed = (cumulative: bigint, openedLt = good.openedLt) => {
        const { validUntil } = good
        const at = { globalId: -217, channel: parseRawAddress(channel), openedLt, validUntil }
        const total = { ...at, cumulative: amount(cumulative) }
        return {
          openedLt,
          validUntil,
          cumulative: amount(cumulative),
          payeeSignature: ed25519Sign(PAYEE_KEY.privateKey, closeHash(total))
        }
      }
      const bad = [
        signed(301n),
        signed(299n),
        signed(300n, good.openedLt + 1n),
        { ...good, payeeSignature: good.payeeSignature.with(0, (good.payeeSignature[0] ?? 0) ^ 1) }
      ]
      for (const order of bad) {
        await assert.rejects(pair.payer.close(channel, order), { code: 'CLOSE_ORDER_INVALID' })
      }
      await assert.rejects(pair.payer.close(channel), { code: 'CLOSE_ORDER_MISSING' })
      assert.equal(pair.chain.count('coopClose'), 0)
      await pair.payer.close(channel, signed(300n))
    })

    it('does not send an agreement whose time is over: it asks for a new one', async () => {
      await serve(300)
      const order = await pair.payee.closeRequested(channel, CLIENT_PEER)
      pair.chain.before = call => {
        if (call === 'coopClose') {
          throw new Error('lost')
        }
      }
      await assert.rejects(pair.payer.close(channel, order))
      pair.chain.before = () => undefined
      assert.equal(pair.info(channel).closeAgreed, true)
      pair.chain.nowMs = order.validUntil * 1000 + 1
      await assert.rejects(pair.payer.close(channel), { code: 'CLOSE_ORDER_MISSING' })
      assert.deepEqual([pair.info(channel).closeAgreed, pair.chain.count('coopClose')], [false, 0])
      await pair.payer.close(channel, await pair.payee.closeRequested(channel, CLIENT_PEER))
    })

    it('is refused while a job runs', async () => {
      const job = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(10) })
      await job.payUpTo(amount(10))
      await assert.rejects(pair.payer.retire(channel), { code: 'CHANNEL_BUSY' })
      await job.end({ cost: amount(10), usage: NO_USAGE, confirmed: true })
      assert.equal((await pair.payer.retire(channel)).state, 'closing')
    })
  })
})
