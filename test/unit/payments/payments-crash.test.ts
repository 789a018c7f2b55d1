import assert from 'node:assert/strict'
import { errorCode } from '../../../src/core/errors.ts'
import type { FakeLedgerDatabase } from '../../support/ledger-database.ts'
import { amount, CLIENT_PEER, NO_USAGE, PaymentPair, POLICY, PROVIDER } from '../../support/payment-pair.ts'

/** What one side had told the other when it died. */
interface Told {
  signed: bigint
  accepted: bigint
  released: bigint
}

/** A whole session: open, two jobs, a top-up, a close. Stops where a disk fails. */
async function session(pair: PaymentPair, told: Told): Promise<void> {
  const { channel } = await pair.payer.ensureChannel(PROVIDER, POLICY)
  await pair.payee.admit(pair.terms(channel), CLIENT_PEER)
  for (const jobId of ['a', 'b']) {
    const paying = pair.payer.startJob(channel, { jobId, maxCost: amount(1_000) })
    const first = await paying.payUpTo(amount(100))
    told.signed = first.cumulative
    told.accepted = (await pair.payee.accept(first)).cumulative
    const served = await pair.payee.startJob(channel, { jobId, peerId: CLIENT_PEER })
    for (const cost of [80, 160, 240]) {
      if (!served.charge(amount(cost))) {
        const voucher = await paying.payUpTo(amount(cost + 20))
        told.signed = voucher.cumulative
        told.accepted = (await pair.payee.accept(voucher)).cumulative
        assert.equal(served.charge(amount(cost)), true)
      }
      told.released += 80n
    }
    await served.end(served.charged)
    await paying.end({ cost: amount(240), usage: NO_USAGE, confirmed: true })
  }
  await pair.payer.topUp(channel, amount(500))
}

/** Lets one side's disk fail after some writes, restarts both, and checks what must hold. Tells whether all was written. */
async function crash(side: 'payer' | 'payee', writes: number): Promise<boolean> {
  const pair = await new PaymentPair().start()
  const told: Told = { signed: 0n, accepted: 0n, released: 0n }
  const disk = side === 'payer' ? pair.payerDisk : pair.payeeDisk
  let left = writes
  disk.before = () => {
    if (left-- <= 0) {
      throw new Error('power cut')
    }
  }
  const finished = await session(pair, told).then(
    () => true,
    (err: unknown) => {
      assert.equal(errorCode(err), 'LEDGER_WRITE_FAILED')
      return false
    }
  )
  disk.before = () => undefined
  if (!finished) {
    // Both come back: the streams of the one that died are gone on the other side too.
    pair.restartPayer()
    pair.restartPayee()
    await Promise.all([pair.payer.start(), pair.payee.start()])
  }
  const { channel } = await pair.payer.ensureChannel(PROVIDER, POLICY)
  const payee = await pair.payee.admit(pair.terms(channel), CLIENT_PEER)
  assert.equal(pair.chain.count('openChannel'), 1, 'one deposit')
  assert.equal(pair.payer.list().length, 1)
  assert.ok(pair.info(channel).signed >= told.signed, 'no signature is forgotten')
  assert.ok(payee.promised >= told.accepted, 'no accepted voucher is forgotten')
  assert.ok(payee.delivered >= told.released, 'nothing that was released is given away again')
  assert.ok(payee.promised <= pair.info(channel).signed)
  await pair.payer.reconcile(channel, payee.delivered)
  const { paying, served } = await pair.startJobs(channel, 'after', amount(50))
  assert.equal(served.charge(amount(50)), true, 'the channel serves again')
  await served.end(amount(50))
  await paying.end({ cost: amount(50), usage: NO_USAGE, confirmed: true })
  assert.equal(pair.info(channel).used, pair.payee.state(channel).info.delivered)
  return finished
}

describe('a crash between any two writes', () => {
  for (const side of ['payer', 'payee'] as const) {
    it(`loses nothing and opens nothing twice on the ${side}’s side`, async () => {
      let writes = 0
      while (!(await crash(side, writes))) {
        writes++
        assert.ok(writes < 100)
      }
      assert.ok(writes >= 8, `the session has only ${writes} writes`)
    })
  }
})

describe('a full disk', () => {
  function fill(disk: FakeLedgerDatabase): void {
    disk.before = () => {
      throw Object.assign(new Error('IO error: No space left on device'), { code: 'ENOSPC' })
    }
  }

  it('lets the payee refuse vouchers and credit nothing', async () => {
    const pair = await new PaymentPair().start()
    const channel = await pair.open()
    const { paying, served } = await pair.startJobs(channel, 'a', amount(100))
    assert.equal(served.charge(amount(100)), true)
    const next = await paying.payUpTo(amount(200))
    fill(pair.payeeDisk)
    await assert.rejects(pair.payee.accept(next), { code: 'LEDGER_WRITE_FAILED' })
    assert.equal(served.charge(amount(101)), false, 'nothing is served for what is not on disk')
    const opening = pair.payee.startJob(channel, { jobId: 'b', peerId: CLIENT_PEER, voucher: next })
    await assert.rejects(opening, { code: 'LEDGER_WRITE_FAILED' })
    assert.equal(pair.payee.state(channel).info.promised, 100n)
    assert.equal(pair.payee.state(channel).info.runningJobs, 1)
    pair.payeeDisk.before = () => undefined
    assert.equal((await pair.payee.accept(next)).credited, 100n)
    assert.equal(served.charge(amount(200)), true)
  })

  it('lets the payer sign nothing, and sign the same amount once there is room again', async () => {
    const pair = await new PaymentPair().start()
    const channel = await pair.open()
    const { paying } = await pair.startJobs(channel, 'a', amount(100))
    fill(pair.payerDisk)
    await assert.rejects(paying.payUpTo(amount(200)), { code: 'LEDGER_WRITE_FAILED' })
    await assert.rejects(pair.payer.authorize(channel, { delta: amount(1) }), { code: 'LEDGER_WRITE_FAILED' })
    assert.equal(pair.info(channel).signed, 100n)
    assert.equal(paying.paid, 100n)
    pair.payerDisk.before = () => undefined
    assert.equal((await paying.payUpTo(amount(200))).cumulative, 200n)
  })

  it('sends no deposit that is not noted', async () => {
    const pair = await new PaymentPair().start()
    fill(pair.payerDisk)
    await assert.rejects(pair.payer.ensureChannel(PROVIDER, POLICY), { code: 'LEDGER_WRITE_FAILED' })
    assert.equal(pair.chain.count('openChannel'), 0)
  })
})

describe('what the crash matrix found', () => {
  it('charges no job that waits for money what came to open another', async () => {
    const pair = await new PaymentPair().start()
    const channel = await pair.open()
    const { served } = await pair.startJobs(channel, 'a', amount(100))
    assert.equal(served.charge(amount(100)), true)
    const hungry = served.chargeWhenPaid(amount(150))
    const second = pair.payer.startJob(channel, { jobId: 'b', maxCost: amount(1_000) })
    const voucher = await second.payUpTo(amount(100))
    const opening = { jobId: 'b', peerId: CLIENT_PEER, voucher, firstPayment: amount(100) }
    const other = await pair.payee.startJob(channel, opening)
    assert.equal(other.charge(amount(100)), true)
    assert.equal(served.charged, 100n, 'it goes on waiting')
    await other.end(amount(0))
    await hungry
  })

  it('books what was claimed in the challenge period before the channel is gone', async () => {
    const pair = await new PaymentPair().start()
    const channel = await pair.open()
    const { paying, served } = await pair.startJobs(channel, 'a', amount(100))
    assert.equal(served.charge(amount(100)), true)
    await served.end(amount(100))
    await paying.end({ cost: amount(100), usage: NO_USAGE, confirmed: true })
    await pair.payer.startClose(channel)
    await pair.payee.refresh(channel)
    await pair.payee.claim(channel)
    pair.chain.nowMs += POLICY.challengeSeconds * 1_000
    await pair.payer.finish(channel)
    assert.equal(pair.info(channel).settled, 100n)
  })

  it('books what a close together paid, though it died before it heard that the channel is gone', async () => {
    const pair = await new PaymentPair().start()
    const channel = await pair.open()
    const { paying, served } = await pair.startJobs(channel, 'a', amount(100))
    assert.equal(served.charge(amount(70)), true)
    await served.end(amount(70))
    await paying.end({ cost: amount(70), usage: NO_USAGE, confirmed: true })
    const order = await pair.payee.closeRequested(channel, CLIENT_PEER)
    const close = pair.chain.coopClose.bind(pair.chain)
    pair.chain.coopClose = async (...args) => {
      await close(...args)
      throw new Error('power cut')
    }
    await assert.rejects(pair.payer.close(channel, order), { message: 'power cut' })
    pair.chain.nowMs += 60_000
    pair.restartPayer()
    await pair.payer.start()
    assert.deepEqual([pair.info(channel).state, pair.info(channel).settled], ['closed', 70n])
  })
})
