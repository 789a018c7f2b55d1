import assert from 'node:assert/strict'
import {
  CHANNEL_EXIT_CODES as EXIT,
  storeClaim,
  storeCoopClose,
  storeFinish,
  storeFund,
  storeStartClose
} from '../../src/ton/channel-contract.ts'
import { CHALLENGE_SECONDS, ChannelFixture, GAS, networkFees, ton, transactionOn } from './channel-fixture.ts'
import { assertRefused, cell, sendExternal } from './channel-refusal.ts'

describe('channel contract', () => {
  let f: ChannelFixture

  beforeEach(async () => {
    f = await ChannelFixture.create()
  })

  describe('opening and topping up', () => {
    it('opens with one message and gives the rest of its value back', async () => {
      const before = await f.balance(f.payer.address)
      const result = await f.send(f.payer, storeFund(ton('1')), ton('3'), true)
      const state = await f.state()
      assert.deepEqual(
        { ...state, openedLt: 0n },
        { state: 'open', deposit: ton('1'), settled: 0n, closeAt: 0, openedLt: 0n }
      )
      assert.equal(state.openedLt, transactionOn(result, f.address).lt)
      const reserve = (await f.balance()) - ton('1')
      assert.ok(reserve > 0n && reserve < ton('0.05'), `reserve ${reserve}`)
      assert.equal(before - (await f.balance(f.payer.address)), ton('1') + reserve + networkFees(result.transactions))
    })

    it('adds a top-up to the deposit and keeps the opening', async () => {
      await f.open()
      const { openedLt } = await f.state()
      await f.send(f.payer, storeFund(ton('0.5')), ton('0.6'))
      assert.deepEqual(await f.state(), { state: 'open', deposit: ton('1.5'), settled: 0n, closeAt: 0, openedLt })
    })

    it('can be opened by its payer after a stranger put its code there', async () => {
      const attempt = { from: 'stranger', body: storeFund(ton('1')), value: ton('1.1'), deploy: true } as const
      await assertRefused(f, attempt, EXIT.notPayer)
      f.chain.now = (f.chain.now ?? 0) + 86_400
      await f.open()
      assert.equal((await f.state()).deposit, ton('1'))
    })
  })

  describe('claims', () => {
    beforeEach(async () => {
      await f.open()
    })

    it('pays the difference to what is settled, and the sender the rest of its message', async () => {
      assert.equal(
        (await f.gain(f.payee, async () => f.send(f.payee, storeClaim(await f.voucher(ton('0.1'))), GAS))) < ton('0.1'),
        true
      )
      const voucher = await f.voucher(ton('0.3'))
      assert.equal(await f.gain(f.payee, async () => f.send(f.stranger, storeClaim(voucher), GAS)), ton('0.2'))
      assert.equal((await f.state()).settled, ton('0.3'))
    })

    it('leaves its own balance short of exactly what it paid, whoever claims', async () => {
      for (const [sender, total] of [
        [f.payee, '0.1'],
        [f.stranger, '0.2'],
        [f.payer, '0.4']
      ] as const) {
        const before = await f.balance()
        const { settled } = await f.state()
        await f.send(sender, storeClaim(await f.voucher(ton(total))), GAS)
        assert.equal(before - (await f.balance()), ton(total) - settled)
      }
    })

    it('pays a voucher over the whole deposit', async () => {
      await f.send(f.payee, storeClaim(await f.voucher(ton('1'))), GAS)
      assert.equal((await f.state()).settled, ton('1'))
    })

    it('pays a payee who has no coin, all fees out of the payout', async () => {
      const before = await f.balance()
      const result = await sendExternal(f, cell(storeClaim(await f.voucher(ton('0.4')))))
      const payout = transactionOn(result, f.address).outMessages.values()[0]?.info
      assert.ok(payout?.type === 'internal' && payout.dest.equals(f.payee.address))
      assert.ok(payout.value.coins < ton('0.4') && payout.value.coins > ton('0.397'))
      assert.equal(before - (await f.balance()), ton('0.4'), 'what is settled left the channel, fees included')
      assert.equal((await f.state()).settled, ton('0.4'))
    })
  })

  describe('closing', () => {
    beforeEach(async () => {
      await f.open()
    })

    it('starts with the challenge period, which the channel pays nothing for', async () => {
      const balance = await f.balance()
      await f.send(f.payer, storeStartClose(), GAS)
      assert.equal(await f.balance(), balance)
      const { state, closeAt } = await f.state()
      assert.deepEqual([state, closeAt], ['closing', (f.chain.now ?? 0) + CHALLENGE_SECONDS])
    })

    it('still pays claims until somebody finishes', async () => {
      await f.send(f.payer, storeStartClose(), GAS)
      f.chain.now = (f.chain.now ?? 0) + CHALLENGE_SECONDS + 5
      await f.send(f.payee, storeClaim(await f.voucher(ton('0.7'))), GAS)
      assert.equal((await f.state()).settled, ton('0.7'))
    })

    it('gives the payer everything that was not settled, and a stranger who finishes its message back', async () => {
      await f.send(f.payee, storeClaim(await f.voucher(ton('0.3'))), GAS)
      await f.send(f.payer, storeStartClose(), GAS)
      f.chain.now = (f.chain.now ?? 0) + CHALLENGE_SECONDS
      const held = await f.balance()
      const strangerBefore = await f.balance(f.stranger.address)
      const payerGain = await f.gain(f.payer, async () => {
        const result = await f.send(f.stranger, storeFinish(), GAS)
        assert.equal(strangerBefore - (await f.balance(f.stranger.address)) < ton('0.02'), true)
        return result
      })
      // Storage of the last ten minutes is all that is missing.
      assert.ok(payerGain <= held && held - payerGain < ton('0.0001'), `${payerGain} of ${held}`)
      assert.equal(await f.exists(), false)
    })

    it('ends at once with the payee’s signature, whoever brings it', async () => {
      for (const sender of ['payer', 'payee', 'stranger'] as const) {
        f = await ChannelFixture.create()
        await f.open()
        await f.send(f.payee, storeClaim(await f.voucher(ton('0.3'))), GAS)
        const statement = await f.statement(ton('0.3'))
        const held = await f.balance()
        const payerBefore = await f.balance(f.payer.address)
        await f.send(f[sender], storeCoopClose(statement), GAS)
        assert.equal(await f.exists(), false)
        assert.equal(await f.balance(), 0n)
        const got = (await f.balance(f.payer.address)) - payerBefore
        assert.ok(held - got < ton('0.02'), `${sender}: payer got ${got} of ${held}`)
      }
    })

    it('pays and closes in one transaction when the payer sends it', async () => {
      const statement = await f.statement(ton('0.6'))
      assert.equal(await f.gain(f.payee, async () => f.send(f.payer, storeCoopClose(statement), GAS)), ton('0.6'))
      assert.equal(await f.exists(), false)
    })

    it('closes during a challenge too, and with a voucher that somebody claimed meanwhile', async () => {
      const [statement, voucher] = [await f.statement(ton('0.6')), await f.voucher(ton('0.6'))]
      await f.send(f.payer, storeStartClose(), GAS)
      await f.send(f.stranger, storeClaim(voucher), GAS)
      assert.equal(await f.gain(f.payee, async () => f.send(f.payer, storeCoopClose(statement), GAS)), 0n)
      assert.equal(await f.exists(), false)
    })

    it('bounces a top-up of a channel that is gone', async () => {
      await f.send(f.payer, storeCoopClose(await f.statement(0n)), GAS)
      const before = await f.balance(f.payer.address)
      await f.send(f.payer, storeFund(ton('1')), ton('1.1'))
      assert.ok(before - (await f.balance(f.payer.address)) < ton('0.01'))
      assert.equal(await f.exists(), false)
    })
  })
})
