import assert from 'node:assert/strict'
import { Address, type Builder } from '@ton/core'
import { MAX_CHALLENGE_SECONDS } from '../../src/ton/channel-address.ts'
import {
  ChannelContract,
  CHANNEL_EXIT_CODES as EXIT,
  storeClaim,
  storeCoopClose,
  storeFinish,
  storeFund,
  storeStartClose
} from '../../src/ton/channel-contract.ts'
import { CHALLENGE_SECONDS, ChannelFixture, GAS, networkFees, ton, type Wallet } from './channel-fixture.ts'
import { addressOf, rawData } from './channel-raw-data.ts'
import { assertActionFails, assertRefused, cell, type Sender, sendExternal } from './channel-refusal.ts'
import { ChannelStages, DEPOSIT, SETTLED } from './channel-stages.ts'
import { leastValue } from './contract-source.ts'

/** Not enough coins for an action. */
const NO_FUNDS = 37
const MORE = ton('0.6')
const YEAR_SECONDS = 365 * 86_400

describe('channel, what broke for others when money went out', () => {
  let s: ChannelStages

  before(async () => {
    s = await ChannelStages.create()
  })

  describe('closing', () => {
    it('P35 after the challenge period a stranger finishes with nothing but what the chain shows', async () => {
      const f = await s.at('closing')
      // No terms, no keys, no vouchers: an address.
      const channel = f.chain.openContract(new ChannelContract(f.address))
      const { closeAt, deposit, settled } = await channel.getChannelState()
      f.chain.now = closeAt
      const got = await f.gain(f.payer, async () => f.send(f.stranger, storeFinish(), GAS))
      assert.ok(got >= deposit - settled)
      assert.equal(await f.exists(), false)
    })

    it('P40 the payer’s wallet alone starts and finishes, on the code at the address', async () => {
      const f = await ChannelFixture.create()
      await f.open()
      const account = (await f.chain.getContract(f.address)).accountState
      assert.ok(account?.type === 'active' && account.state.code?.equals(f.channel.init?.code ?? assert.fail()))
      const got = await f.gain(f.payer, async () => {
        const started = await f.send(f.payer, storeStartClose(), GAS)
        f.chain.now = (f.chain.now ?? 0) + CHALLENGE_SECONDS
        const finished = await f.send(f.payer, storeFinish(), GAS)
        return { ...finished, transactions: [...started.transactions, ...finished.transactions] }
      })
      assert.ok(got > ton('1'), `the deposit, the reserve, less gas: ${got}`)
      assert.equal(await f.exists(), false)
    })

    it('P40 nobody can keep the payer in: the longest challenge period that opens can be finished too', async () => {
      const f = (await s.at('missing')).sibling({ challengeSeconds: MAX_CHALLENGE_SECONDS })
      await f.open()
      await f.send(f.payer, storeStartClose(), GAS)
      const { closeAt } = await f.state()
      assert.equal(closeAt, (f.chain.now ?? 0) + MAX_CHALLENGE_SECONDS)
      f.chain.now = closeAt
      await f.send(f.payer, storeFinish(), GAS)
      assert.equal(await f.exists(), false)
    })

    const endings: Array<
      [string, 'open' | 'late', Sender, bigint, (f: ChannelFixture) => Promise<(b: Builder) => void>]
    > = [
      ['a coop close by the payer', 'open', 'payer', SETTLED, async f => storeCoopClose(await f.statement(SETTLED))],
      [
        'a coop close by the payer that pays more',
        'open',
        'payer',
        MORE,
        async f => storeCoopClose(await f.statement(MORE))
      ],
      ['a coop close that pays all', 'open', 'payer', DEPOSIT, async f => storeCoopClose(await f.statement(DEPOSIT))],
      ['a coop close by the payee', 'open', 'payee', SETTLED, async f => storeCoopClose(await f.statement(SETTLED))],
      [
        'a coop close by a stranger',
        'open',
        'stranger',
        SETTLED,
        async f => storeCoopClose(await f.statement(SETTLED))
      ],
      ['a finish by the payer', 'late', 'payer', SETTLED, async () => storeFinish()],
      ['a finish by the payee', 'late', 'payee', SETTLED, async () => storeFinish()],
      ['a finish by a stranger', 'late', 'stranger', SETTLED, async () => storeFinish()]
    ]
    for (const [what, stage, from, total, body] of endings) {
      it(`P41 after ${what}, payer and payee have the deposit less fees, and the channel nothing`, async () => {
        const f = await s.at(stage)
        const message = await body(f)
        const [before, held] = [await holdings(f), await f.balance()]
        const { transactions } = await f.send(f[from], message, GAS)
        assert.deepEqual([await f.exists(), await f.balance()], [false, 0n])
        assert.equal(sum(before) + held - sum(await holdings(f)), networkFees(transactions))
        assert.ok(held >= DEPOSIT - SETTLED)
        // Every message that left the channel carried what it takes to be received.
        const received = transactions.filter(tx => tx.inMessage?.info.src?.toString() === f.address.toString())
        assert.equal(received.length, (from === 'payer' ? 1 : 2) + (total > SETTLED ? 1 : 0))
        for (const { description } of received) {
          assert.ok(description.type === 'generic' && !description.aborted)
        }
        const [payer, payee] = await gains(f, before)
        const own = networkFees(transactions)
        assert.ok(payee >= total - SETTLED - (from === 'payee' ? own : ton('0.0005')), `payee ${payee}`)
        assert.ok(payer >= DEPOSIT - total - (from === 'payer' ? own : ton('0.0005')), `payer ${payer}`)
      })
    }

    it('P41 when payer and payee are one account, it gets everything back', async () => {
      for (const close of [
        async (f: ChannelFixture) => void (await f.send(f.payer, storeCoopClose(await f.statement(MORE)), GAS)),
        async (f: ChannelFixture) => {
          await f.send(f.payer, storeStartClose(), GAS)
          f.chain.now = (f.chain.now ?? 0) + CHALLENGE_SECONDS
          await f.send(f.stranger, storeFinish(), GAS)
        }
      ]) {
        const base = await s.at('missing')
        const f = base.sibling({ payeeAddress: base.payer.address.toRawString() })
        await f.open()
        await f.send(f.payer, storeClaim(await f.voucher(SETTLED)), GAS)
        await f.send(f.stranger, storeClaim(await f.voucher(ton('0.4'))), GAS)
        assert.equal((await f.state()).settled, ton('0.4'))
        await close(f)
        assert.deepEqual([await f.exists(), await f.balance()], [false, 0n])
      }
    })

    it('P41 with everything claimed, the reserve still goes to the payer', async () => {
      const f = await s.at('closing')
      await f.send(f.payee, storeClaim(await f.voucher(DEPOSIT)), GAS)
      const reserve = await f.balance()
      f.chain.now = (await f.state()).closeAt
      const got = await f.gain(f.payer, async () => f.send(f.stranger, storeFinish(), GAS))
      assert.ok(reserve > ton('0.005') && got <= reserve && reserve - got < ton('0.00001'), `${got} of ${reserve}`)
      assert.equal(await f.exists(), false)
    })
  })

  describe('payouts', () => {
    it('P55 a claim whose last transfer cannot be paid for settles nothing, and its value goes back', async () => {
      const f = await s.at('open')
      // To forward to the masterchain takes 25 times as much as the contract asks for.
      const from = await f.chain.treasury('masterchain', { workchain: -1 })
      await assertActionFails(f, { from, body: storeClaim(s.voucher), value: ton('0.0127') }, NO_FUNDS)
      await f.send(from, storeClaim(s.voucher), GAS)
      assert.equal((await f.state()).settled, MORE)
    })

    it('P55 nor does a finish or a coop close end anything then', async () => {
      for (const [stage, value, body] of [
        ['late', ton('0.0121'), storeFinish()],
        ['open', ton('0.0124'), storeCoopClose(await (await s.at('open')).statement(SETTLED))]
      ] as const) {
        const f = await s.at(stage)
        const from = await f.chain.treasury('masterchain', { workchain: -1 })
        await assertActionFails(f, { from, body, value }, NO_FUNDS)
        await f.send(from, body, GAS)
        assert.equal(await f.exists(), false)
      }
    })

    it('P55 an opening whose rest cannot be sent back opens nothing', async () => {
      const base = await s.at('missing')
      const from = await base.chain.treasury('masterchain', { workchain: -1 })
      const f = base.sibling({}, rawData(base, { payer: addressOf(from.address) }))
      const body = storeFund(ton('1'))
      await assertActionFails(f, { from, body, value: ton('1.013'), deploy: true }, NO_FUNDS)
      assert.equal((await f.state()).state, 'new')
      await f.send(from, body, ton('1.05'))
      assert.equal((await f.state()).state, 'open')
    })

    it('P55 drained by years of storage, a claim pays what is there and settles exactly that, whoever brings it', async () => {
      for (const from of ['payee', 'payer', 'stranger', 'outside'] as const) {
        const f = await drained(s)
        const [{ settled }, balance] = [await f.state(), await f.balance()]
        const voucher = await f.voucher(DEPOSIT)
        const payout = await f.gain(f.payee, async () =>
          from === 'outside' ? sendExternal(f, cell(storeClaim(voucher))) : f.send(f[from], storeClaim(voucher), GAS)
        )
        assert.deepEqual([(await f.state()).settled, await f.balance()], [settled + balance, 0n])
        if (from === 'payer' || from === 'stranger') {
          assert.equal(payout, balance)
        }
      }
    })

    it('P55 what a drained channel could not pay is there after a top-up, which has to fill the gap', async () => {
      const f = await drained(s)
      const voucher = storeClaim(await f.voucher(DEPOSIT))
      await f.send(f.payee, voucher, GAS)
      const { settled } = await f.state()
      await assertRefused(f, { from: 'payee', body: voucher }, EXIT.nothingToClaim)
      await assertRefused(f, { from: 'payer', body: storeFund(ton('0.1')), value: ton('0.11') }, EXIT.notEnoughValue)
      await f.send(f.payer, storeFund(ton('0.1')), ton('0.5'))
      assert.ok((await f.balance()) >= DEPOSIT + ton('0.1') - settled)
      assert.equal(await f.gain(f.payee, async () => f.send(f.stranger, voucher, GAS)), DEPOSIT - settled)
      assert.equal((await f.state()).settled, DEPOSIT)
    })

    it('P55 a coop close that a drained channel cannot pay fails as a whole, and works with the gap in its value', async () => {
      const f = await drained(s)
      const { deposit, settled } = await f.state()
      const gap = deposit - settled - (await f.balance())
      assert.ok(gap > ton('0.01'))
      const body = storeCoopClose(await f.statement(DEPOSIT))
      await assertActionFails(f, { from: 'payer', body, value: leastValue('GAS_COOP_CLOSE', 2n) }, NO_FUNDS)
      assert.equal(await f.gain(f.payee, async () => f.send(f.payer, body, gap + GAS)), deposit - settled)
      assert.equal(await f.exists(), false)
    })

    it('P55 a close that starts on the last day of the reserve still pays all it owes on its own last day', async () => {
      const base = await s.at('missing')
      const f = base.sibling({ challengeSeconds: 30 * 86_400 })
      await f.open(DEPOSIT)
      f.chain.now = (f.chain.now ?? 0) + YEAR_SECONDS
      await f.send(f.payer, storeStartClose(), GAS)
      f.chain.now = (await f.state()).closeAt - 1
      const voucher = storeClaim(await f.voucher(DEPOSIT))
      assert.equal(await f.gain(f.payee, async () => f.send(f.stranger, voucher, GAS)), DEPOSIT)
      assert.equal((await f.state()).settled, DEPOSIT)
    })

    it('P55 an account that was never used is paid, and one whose contract takes no transfers', async () => {
      const base = await s.at('open')
      const nobody = new Address(0, Buffer.alloc(32, 0x77))
      for (const payee of [nobody, base.address]) {
        const f = base.sibling({ salt: 9n, payeeAddress: payee.toRawString() })
        await f.open()
        const before = await f.balance(payee)
        await f.send(f.stranger, storeClaim(await f.voucher(SETTLED)), GAS)
        assert.equal((await f.state()).settled, SETTLED)
        const got = (await f.balance(payee)) - before
        // A contract pays for looking at what it gets.
        assert.ok(got === SETTLED || (payee.equals(base.address) && SETTLED - got < ton('0.001')), `${got}`)
        await f.send(f.payer, storeCoopClose(await f.statement(MORE)), GAS)
        assert.ok((await f.balance(payee)) - before > MORE - ton('0.002'))
      }
    })
  })
})

/** Open for so long that a tenth of what it owes is gone. */
async function drained(stages: ChannelStages): Promise<ChannelFixture> {
  const f = await stages.at('open')
  f.chain.now = (f.chain.now ?? 0) + 8 * YEAR_SECONDS
  // Any transaction collects the storage fee that is due.
  await f.send(f.stranger, () => undefined, GAS)
  return f
}

async function holdings(f: ChannelFixture): Promise<[bigint, bigint, bigint]> {
  const of = async (wallet: Wallet): Promise<bigint> => f.balance(wallet.address)
  return [await of(f.payer), await of(f.payee), await of(f.stranger)]
}

async function gains(f: ChannelFixture, before: readonly [bigint, bigint, bigint]): Promise<[bigint, bigint]> {
  const [payer, payee] = await holdings(f)
  return [payer - before[0], payee - before[1]]
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((a, b) => a + b, 0n)
}
