import assert from 'node:assert/strict'
import { beginCell, contractAddress, type Transaction } from '@ton/core'
import type { SendMessageResult } from '@ton/sandbox'
import {
  ChannelContract,
  CHANNEL_EXIT_CODES as EXIT,
  storeClaim,
  storeCoopClose,
  storeFinish,
  storeFund,
  storeStartClose
} from '../../src/ton/channel-contract.ts'
import {
  CHALLENGE_SECONDS,
  ChannelFixture,
  exitCode,
  GAS,
  GLOBAL_ID,
  networkFees,
  ton,
  transactionOn
} from './channel-fixture.ts'

describe('channel contract', () => {
  let f: ChannelFixture

  beforeEach(async () => {
    f = await ChannelFixture.create()
  })

  /** The message was refused with this exit code, changed nothing, and its value went back. */
  async function assertRefused(act: () => Promise<SendMessageResult>, code: number): Promise<void> {
    const before = await f.stateOrNew()
    const balance = await f.balance()
    const result = await act()
    const tx = transactionOn(result, f.address)
    assert.equal(exitCode(tx), code)
    assert.ok(bouncedValue(tx) > 0n, 'the value went back')
    assert.deepEqual(await f.stateOrNew(), before)
    assert.ok((await f.balance()) <= balance, 'nothing is stranded')
  }

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

    it('takes money from its payer only', async () => {
      await assertRefused(async () => f.send(f.stranger, storeFund(ton('1')), ton('1.1'), true), EXIT.notPayer)
      assert.equal(await f.balance(), 0n)
      // The stranger's attempt does not stand in the payer's way.
      f.chain.now = (f.chain.now ?? 0) + 86_400
      await f.open()
      assert.equal((await f.state()).deposit, ton('1'))
      await assertRefused(async () => f.send(f.payee, storeFund(ton('1')), ton('1.1')), EXIT.notPayer)
    })

    it('refuses a value that does not cover the deposit', async () => {
      await assertRefused(async () => f.send(f.payer, storeFund(ton('1')), ton('1'), true), EXIT.notEnoughValue)
      await f.open()
      await assertRefused(async () => f.send(f.payer, storeFund(ton('1')), ton('1')), EXIT.notEnoughValue)
    })

    it('refuses an empty deposit', async () => {
      await assertRefused(async () => f.send(f.payer, storeFund(ton('0')), GAS, true), EXIT.zeroDeposit)
    })

    it('refuses to open on another network than its terms name', async () => {
      f = await ChannelFixture.create({ globalId: -239 })
      await assertRefused(async () => f.send(f.payer, storeFund(ton('1')), ton('1.1'), true), EXIT.wrongNetwork)
    })

    it('refuses a payee outside the basechain, whom payouts might not reach', async () => {
      const parties = f.channel.init?.data.refs[0] ?? assert.fail()
      const data = beginCell()
        .storeCoins(0)
        .storeUint(0, 32)
        .storeCoins(0)
        .storeUint(0, 64)
        .storeInt(GLOBAL_ID, 32)
        .storeBuffer(Buffer.from(f.terms.payerKey))
        .storeAddress((await f.chain.treasury('mc', { workchain: -1 })).address)
        .storeRef(parties)
        .endCell()
      const init = { code: f.channel.init?.code ?? assert.fail(), data }
      const to = contractAddress(0, init)
      const result = await f.payer.send({
        to,
        value: ton('1.1'),
        bounce: true,
        init,
        body: beginCell()
          .store(storeFund(ton('1')))
          .endCell()
      })
      assert.equal(exitCode(transactionOn(result, to)), EXIT.badTerms)
    })

    it('refuses unknown messages and plain transfers', async () => {
      await f.open()
      await assertRefused(
        async () => f.send(f.payer, builder => builder.storeUint(0xc0c000ff, 32), GAS),
        EXIT.unknownMessage
      )
      await assertRefused(async () => f.send(f.stranger, () => undefined, GAS), EXIT.unknownMessage)
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

    it('refuses a replay and a lower voucher', async () => {
      const voucher = await f.voucher(ton('0.2'))
      await f.send(f.payee, storeClaim(voucher), GAS)
      await assertRefused(async () => f.send(f.payee, storeClaim(voucher), GAS), EXIT.nothingToClaim)
      await assertRefused(
        async () => f.send(f.payee, storeClaim(await f.voucher(ton('0.1'))), GAS),
        EXIT.nothingToClaim
      )
    })

    it('refuses more than the deposit', async () => {
      await assertRefused(
        async () => f.send(f.payee, storeClaim(await f.voucher(ton('1') + 1n)), GAS),
        EXIT.overDeposit
      )
    })

    it('refuses a forged signature and an amount changed after signing', async () => {
      const forged = await f.voucher(ton('0.2'), {}, f.payeeKey)
      await assertRefused(async () => f.send(f.payee, storeClaim(forged), GAS), EXIT.badPayerSignature)
      const raised = { ...(await f.voucher(ton('0.2'))), cumulative: ton('0.9') }
      await assertRefused(async () => f.send(f.payee, storeClaim(raised), GAS), EXIT.badPayerSignature)
    })

    it('refuses a voucher of another channel of the same pair', async () => {
      const other = ChannelContract.fromTerms({ ...f.terms, salt: 8n }).address.toRawString()
      const voucher = await f.voucher(ton('0.2'), { channel: other })
      await assertRefused(async () => f.send(f.payee, storeClaim(voucher), GAS), EXIT.badPayerSignature)
    })

    it('refuses a voucher of another network', async () => {
      const voucher = await f.voucher(ton('0.2'), { globalId: -239 })
      await assertRefused(async () => f.send(f.payee, storeClaim(voucher), GAS), EXIT.badPayerSignature)
    })

    it('refuses a close statement in place of a voucher', async () => {
      const statement = await f.statement(ton('0.2'), {}, f.payerKey)
      await assertRefused(async () => f.send(f.payee, storeClaim(statement), GAS), EXIT.badPayerSignature)
    })

    it('refuses a message that does not pay for its own gas', async () => {
      await assertRefused(
        async () => f.send(f.payee, storeClaim(await f.voucher(ton('0.2'))), ton('0.003')),
        EXIT.notEnoughValue
      )
    })
  })

  describe('closing', () => {
    beforeEach(async () => {
      await f.open()
    })

    it('lets only the payer start, and only once', async () => {
      await assertRefused(async () => f.send(f.stranger, storeStartClose(), GAS), EXIT.notPayer)
      await assertRefused(async () => f.send(f.payee, storeStartClose(), GAS), EXIT.notPayer)
      const balance = await f.balance()
      await f.send(f.payer, storeStartClose(), GAS)
      assert.equal(await f.balance(), balance)
      const state = await f.state()
      assert.deepEqual([state.state, state.closeAt], ['closing', (f.chain.now ?? 0) + CHALLENGE_SECONDS])
      await assertRefused(async () => f.send(f.payer, storeStartClose(), GAS), EXIT.alreadyClosing)
      await assertRefused(async () => f.send(f.payer, storeFund(ton('1')), ton('1.1')), EXIT.alreadyClosing)
    })

    it('still pays claims until somebody finishes', async () => {
      await f.send(f.payer, storeStartClose(), GAS)
      f.chain.now = (f.chain.now ?? 0) + CHALLENGE_SECONDS + 5
      await f.send(f.payee, storeClaim(await f.voucher(ton('0.7'))), GAS)
      assert.equal((await f.state()).settled, ton('0.7'))
    })

    it('cannot be finished before it was started, nor before its time', async () => {
      await assertRefused(async () => f.send(f.payer, storeFinish(), GAS), EXIT.notClosing)
      await f.send(f.payer, storeStartClose(), GAS)
      f.chain.now = (f.chain.now ?? 0) + CHALLENGE_SECONDS - 1
      await assertRefused(async () => f.send(f.payer, storeFinish(), GAS), EXIT.tooEarly)
      f.chain.now += 1
      await f.send(f.payer, storeFinish(), GAS)
      assert.equal(await f.exists(), false)
      assert.equal(await f.balance(), 0n)
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

    it('refuses a forged close, and one for another total, channel, network', async () => {
      const other = ChannelContract.fromTerms({ ...f.terms, salt: 8n }).address.toRawString()
      await f.send(f.payee, storeClaim(await f.voucher(ton('0.3'))), GAS)
      const close = async (...args: Parameters<typeof f.statement>): Promise<SendMessageResult> =>
        f.send(f.payer, storeCoopClose(await f.statement(...args)), GAS)
      await assertRefused(async () => close(ton('0.3'), {}, f.payerKey), EXIT.badPayeeSignature)
      await assertRefused(async () => close(ton('0.2')), EXIT.closeAmount)
      await assertRefused(async () => close(ton('1.1')), EXIT.overDeposit)
      await assertRefused(async () => close(ton('0.3'), { validUntil: (f.chain.now ?? 0) - 1 }), EXIT.expired)
      await assertRefused(async () => close(ton('0.3'), { channel: other }), EXIT.badPayeeSignature)
      await assertRefused(async () => close(ton('0.3'), { globalId: -239 }), EXIT.badPayeeSignature)
      await assertRefused(async () => close(ton('0.3'), { openedLt: 1n }), EXIT.badPayeeSignature)
    })

    it('pays more than is settled only when the payer sends it', async () => {
      const statement = await f.statement(ton('0.6'))
      await assertRefused(async () => f.send(f.payee, storeCoopClose(statement), GAS), EXIT.notPayer)
      await assertRefused(async () => f.send(f.stranger, storeCoopClose(statement), GAS), EXIT.notPayer)
    })

    it('refuses vouchers and statements of an earlier opening of the same address', async () => {
      const old = await f.voucher(ton('0.6'))
      const oldStatement = await f.statement(0n)
      await f.send(f.payer, storeCoopClose(oldStatement), GAS)
      assert.equal(await f.exists(), false)
      await f.open()
      assert.ok((await f.state()).openedLt > old.openedLt)
      await assertRefused(async () => f.send(f.payee, storeClaim(old), GAS), EXIT.badPayerSignature)
      await assertRefused(async () => f.send(f.payer, storeCoopClose(oldStatement), GAS), EXIT.badPayeeSignature)
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

function bouncedValue(tx: Transaction): bigint {
  const info = tx.outMessages.values()[0]?.info
  return info?.type === 'internal' && info.bounced ? info.value.coins : 0n
}
