import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ChannelTerms, OpenedChannel } from '../../../../src/payments/chain.ts'
import { type PayerChannels, signVoucher, type Voucher } from '../../../../src/payments/index.ts'
import { FakeLedgerDatabase } from '../../../support/ledger-database.ts'
import {
  amount,
  CLIENT_PEER,
  NO_USAGE,
  PAYER_ADDRESS,
  PaymentPair,
  POLICY,
  PROVIDER,
  PROVIDER_PEER,
  providerOf,
  STRANGER_KEY
} from '../../../support/payment-pair.ts'

/** A job that both sides end with the same cost. */
async function job(pair: PaymentPair, channel: string, jobId: string, cost: number): Promise<Voucher> {
  const { paying, served, voucher } = await pair.startJobs(channel, jobId, amount(cost))
  assert.equal(served.charge(amount(cost)), true)
  await served.end(amount(cost), NO_USAGE)
  await paying.end({ cost: amount(cost), usage: NO_USAGE, confirmed: true })
  return voucher
}

/** Every signature that a payer makes, in order. */
function watchSigned(payer: PayerChannels, channel: string, seen: bigint[]): () => void {
  return () => {
    const highest = payer.highest(channel)
    if (highest !== undefined) {
      seen.push(highest.cumulative)
    }
  }
}

function found(terms: ChannelTerms, channel: string): OpenedChannel {
  return { channel, terms }
}

describe('payer recovery from an old backup', () => {
  it('P31 after a sync nothing is signed below what was signed before the loss, and nothing is paid twice', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        async (before, after, claimed) => {
          const pair = await new PaymentPair().start()
          const channel = await pair.open()
          let total = 0n
          let name = 0
          for (const cost of before) {
            await job(pair, channel, `${++name}`, cost)
            total += BigInt(cost)
          }
          const backup = new Map(pair.payerDisk.stored)
          let highest = 0n
          for (const cost of after) {
            highest = (await job(pair, channel, `${++name}`, cost)).cumulative
            total += BigInt(cost)
          }
          if (claimed) {
            await pair.payee.claim(channel)
          }
          pair.chain.nowMs += 60_000
          await pair.restartPayer(new FakeLedgerDatabase(backup)).start()
          if (claimed) {
            // The chain shows that our books are old: they sign nothing by themselves.
            assert.equal(pair.info(channel).state, 'recovered')
            await assert.rejects(pair.payer.authorize(channel, { delta: amount(1) }), { code: 'CHANNEL_NOT_SYNCED' })
            assert.throws(() => pair.payer.startJob(channel, { jobId: 'x', maxCost: amount(1) }), {
              code: 'CHANNEL_NOT_SYNCED'
            })
          }
          await pair.agree(channel)
          const info = pair.info(channel)
          assert.deepEqual([info.state, info.signed, info.used, info.uncertain], ['open', highest, total, 0n])
          const voucher = await job(pair, channel, 'next', 7)
          assert.equal(voucher.cumulative, highest + 7n)
          assert.equal(pair.payee.state(channel).info.delivered, total + 7n)
        }
      ),
      { numRuns: 40 }
    )
  })

  it('P31 believes no payee that names an amount without our signature on it', async () => {
    const pair = await new PaymentPair().start()
    const channel = await pair.open()
    const { openedLt } = pair.info(channel)
    const held = { openedLt, cumulative: amount(900), delivered: amount(900), closing: false }
    await pair.payer.synced(channel, PROVIDER_PEER, { ...held, signature: new Uint8Array() })
    assert.deepEqual([pair.info(channel).signed, pair.info(channel).used], [0n, 0n])
    const { signature } = signVoucher(STRANGER_KEY, -217, { channel, openedLt, cumulative: amount(900) })
    await assert.rejects(pair.payer.synced(channel, PROVIDER_PEER, { ...held, signature }), {
      code: 'VOUCHER_SIGNATURE_INVALID'
    })
    await assert.rejects(
      pair.payer.synced(channel, PROVIDER_PEER, { ...held, openedLt: openedLt + 1n, signature: new Uint8Array() }),
      { code: 'VOUCHER_FOREIGN' }
    )
    assert.equal(pair.info(channel).signed, 0n)
  })

  it('P31 a payee that lost its books gets our voucher back, and what it knew is not paid again', async () => {
    const pair = await new PaymentPair().start()
    const channel = await pair.open()
    await job(pair, channel, 'a', 30)
    const backup = new Map(pair.payeeDisk.stored)
    await job(pair, channel, 'b', 40)
    await pair.restartPayee({}, new FakeLedgerDatabase(backup)).start()
    await pair.agree(channel)
    const { promised, delivered } = pair.payee.state(channel).info
    assert.deepEqual([promised, delivered, pair.info(channel).used], [70n, 70n, 70n])
  })

  it('uses a channel no more that the payee says it closes', async () => {
    const pair = await new PaymentPair().start()
    const channel = await pair.open()
    await job(pair, channel, 'a', 30)
    await pair.payee.closeRequested(channel, CLIENT_PEER)
    await pair.agree(channel)
    assert.equal(pair.info(channel).state, 'closing')
    assert.notEqual((await pair.payer.ensureChannel(PROVIDER, POLICY)).channel, channel)
  })

  it('P13 what was prepaid and not received is credit after a sync, and the same job is never charged twice', async () => {
    const pair = await new PaymentPair().start()
    const channel = await pair.open()
    const seen: bigint[] = []
    const note = watchSigned(pair.payer, channel, seen)
    const { paying, served } = await pair.startJobs(channel, 'a', amount(40))
    note()
    served.charge(amount(25))
    // The link is cut: 25 were delivered, the client saw 20 of them.
    await served.end(amount(25))
    await paying.end({ cost: amount(20), usage: NO_USAGE, confirmed: false })
    await pair.agree(channel)
    assert.deepEqual([pair.info(channel).used, pair.info(channel).credit], [25n, 15n])
    // The same question again, another job: 15 of its 40 are prepaid.
    await job(pair, channel, 'b', 40)
    note()
    assert.deepEqual(seen, [40n, 65n])
    assert.equal(pair.payee.state(channel).info.delivered, 65n)
  })
})

describe('payer recovery from the chain', () => {
  /** Four channels of one wallet: used, never used, being closed, over. Then the disk is lost. */
  async function lost(): Promise<{ pair: PaymentPair; all: OpenedChannel[]; used: string }> {
    const pair = await new PaymentPair().start()
    const used = await pair.open()
    await job(pair, used, 'a', 300)
    await pair.payee.claim(used)
    await job(pair, used, 'b', 50)
    const idle = (await pair.payer.ensureChannel(providerOf(1), POLICY)).channel
    const closing = (await pair.payer.ensureChannel(providerOf(2), POLICY)).channel
    await pair.payer.startClose(closing)
    const over = (await pair.payer.ensureChannel(providerOf(3), POLICY)).channel
    await pair.payer.startClose(over)
    pair.chain.nowMs += 1_800_000
    const all = [used, idle, closing, over].map(channel => found(pair.terms(channel), channel))
    pair.chain.nowMs += 1_800_000
    await pair.payer.finish(over)
    await pair.restartPayer(new FakeLedgerDatabase()).start()
    assert.deepEqual(pair.payer.list(), [])
    return { pair, all, used }
  }

  it('P34 with only the wallet key every deposit comes back', async () => {
    const { pair, all } = await lost()
    const before = pair.chain.paid.get(PAYER_ADDRESS) ?? 0n
    const { recovered, known, gone } = await pair.payer.recover(all)
    assert.deepEqual([recovered.map(c => c.state), known, gone], [['recovered', 'recovered', 'closing'], [], 1])
    for (const { channel, state } of pair.payer.list()) {
      if (state === 'recovered') {
        await pair.payer.startClose(channel)
      }
    }
    // The payee still claims what it was promised, in time.
    await pair.payee.refresh(recovered[0]?.channel ?? '')
    await pair.payee.claim(recovered[0]?.channel ?? '')
    pair.chain.nowMs += 3_600_000
    for (const { channel } of pair.payer.list()) {
      await pair.payer.finish(channel)
    }
    // 3 x 1,000 less the 350 that were used.
    assert.equal((pair.chain.paid.get(PAYER_ADDRESS) ?? 0n) - before, 2_650n)
    assert.ok(pair.payer.list().every(({ state }) => state === 'closed'))
  })

  it('P34 a recovered channel signs again once its payee told what it holds, from where it was', async () => {
    const { pair, all, used } = await lost()
    await pair.payer.recover(all)
    const info = pair.info(used)
    assert.deepEqual([info.signed, info.used, info.settled, info.peerId], [300n, 300n, 300n, ''])
    await assert.rejects(pair.payer.authorize(used, { delta: amount(1) }), { code: 'CHANNEL_NOT_SYNCED' })
    // It is not used for new jobs before that either.
    assert.notEqual((await pair.payer.ensureChannel(PROVIDER, POLICY)).channel, used)
    await pair.agree(used)
    const { state, peerId, signed, used: spent } = pair.info(used)
    assert.deepEqual([state, peerId, signed, spent], ['open', PROVIDER_PEER, 350n, 350n])
    assert.equal((await job(pair, used, 'c', 5)).cumulative, 355n)
  })

  it('P34 asking again changes nothing, and stops at nothing that it had', async () => {
    const { pair, all, used } = await lost()
    await pair.payer.recover(all)
    await pair.agree(used)
    await job(pair, used, 'c', 5)
    const before = pair.payer.list()
    const again = await pair.payer.recover(all)
    assert.deepEqual(
      [again.recovered, again.known.map(c => c.channel), again.gone],
      [[], all.slice(0, 3).map(c => c.channel), 1]
    )
    assert.deepEqual(pair.payer.list(), before)
    await pair.restartPayer().start()
    assert.deepEqual(pair.payer.list(), before)
  })

  it('takes up nothing that is not this wallet’s, or not at the address that its terms make', async () => {
    const { pair, all, used } = await lost()
    const [first = assert.fail()] = all
    const { terms } = first
    const foreign = [
      { channel: used, terms: { ...terms, salt: terms.salt + 1n } },
      { channel: used, terms: { ...terms, payerAddress: `0:${'99'.repeat(32)}` } },
      { channel: used, terms: { ...terms, globalId: -3 } }
    ]
    assert.deepEqual(await pair.payer.recover(foreign), { recovered: [], known: [], gone: 0 })
    assert.deepEqual(pair.payer.list(), [])
  })

  it('lets a channel be closed that another voucher key of this wallet signs for, and never signs on it', async () => {
    const pair = await new PaymentPair().start()
    const terms = { ...pair.terms(await pair.open()), payerKey: STRANGER_KEY.publicKey, salt: 77n }
    const { channel } = await pair.chain.openChannel(terms, amount(600))
    const { recovered } = await pair.payer.recover([found(terms, channel)])
    assert.deepEqual(
      recovered.map(c => c.state),
      ['closing']
    )
    await assert.rejects(pair.payer.authorize(channel, { delta: amount(1) }), { code: 'CHANNEL_CLOSING' })
    await pair.payer.startClose(channel)
    pair.chain.nowMs += 3_600_000
    await pair.payer.finish(channel)
    assert.equal(pair.chain.paid.get(PAYER_ADDRESS), 600n)
  })

  it('P25 two nodes with one wallet key share no channel, unless the user recovers one', async () => {
    const pair = await new PaymentPair().start()
    const first = pair.payer
    const channel = await pair.open()
    // The other home: the same keys, another ledger.
    const second = pair.restartPayer(new FakeLedgerDatabase())
    await second.start()
    assert.deepEqual(second.list(), [])
    const other = (await second.ensureChannel(PROVIDER, POLICY)).channel
    assert.notEqual(other, channel)
    const vouchers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        n % 2 === 0 ? first.authorize(channel, { delta: amount(1) }) : second.authorize(other, { delta: amount(1) })
      )
    )
    for (const address of [channel, other]) {
      const mine = vouchers.filter(voucher => voucher.channel === address).map(voucher => voucher.cumulative)
      assert.deepEqual(
        mine,
        Array.from({ length: 25 }, (_, n) => BigInt(n + 1))
      )
    }
    // Even then it signs nothing: the payee knows the first node as the channel's only client.
    await second.recover([found(first.list()[0]?.terms ?? assert.fail(), channel)])
    await assert.rejects(second.authorize(channel, { delta: amount(1) }), { code: 'CHANNEL_NOT_SYNCED' })
  })
})
