import assert from 'node:assert/strict'
import { beginCell, type Cell, external, type Transaction } from '@ton/core'
import type { SendMessageResult } from '@ton/sandbox'
import { ed25519FromSeed } from '../../src/core/ed25519.ts'
import { ChannelContract, CHANNEL_EXIT_CODES as EXIT, storeClaim, storeCoopClose, storeFinish, storeFund, storeStartClose } from '../../src/ton/channel-contract.ts'
import { ChannelFixture, CHALLENGE_SECONDS, exitCode, networkFees, ton, transactionOn, type Wallet } from './channel-fixture.ts'

const GAS = ton('0.05')

describe('channel contract', () => {
  let f: ChannelFixture

  beforeEach(async () => {
    f = await ChannelFixture.create()
  })

  async function open(deposit = ton('1')): Promise<void> {
    const tx = transactionOn(await f.send(f.payer, storeFund(deposit), deposit + GAS, true), f.address)
    assert.deepEqual([exitCode(tx), tx.description.type === 'generic' && tx.description.aborted], [0, false])
  }

  /** The message was refused with this exit code, changed nothing, and its value went back. */
  async function assertRefused(act: () => Promise<SendMessageResult>, code: number): Promise<void> {
    const before = await stateOrNew()
    const balance = await f.balance()
    const result = await act()
    const tx = transactionOn(result, f.address)
    assert.equal(exitCode(tx), code)
    assert.ok(bouncedValue(tx) > 0n, 'the value went back')
    assert.deepEqual(await stateOrNew(), before)
    assert.ok((await f.balance()) <= balance, 'nothing is stranded')
  }

  /** A refused opening leaves the code at its address, as if nobody had been there. */
  async function stateOrNew(): Promise<Awaited<ReturnType<typeof f.state>>> {
    return (await f.exists()) ? await f.state() : { state: 'new', deposit: ton('0'), settled: ton('0'), closeAt: 0, openedLt: 0n }
  }

  function bouncedValue(tx: Transaction): bigint {
    const info = tx.outMessages.values()[0]?.info
    return info?.type === 'internal' && info.bounced ? info.value.coins : 0n
  }

  /** What `wallet` gained by `act`, gas it paid to send and receive left out. */
  async function gain(wallet: Wallet, act: () => Promise<SendMessageResult>): Promise<bigint> {
    const before = await f.balance(wallet.address)
    const result = await act()
    const account = BigInt(`0x${wallet.address.hash.toString('hex')}`)
    const own = networkFees(result.transactions.filter(tx => tx.address === account))
    return (await f.balance(wallet.address)) - before + own
  }

  describe('opening and topping up', () => {
    it('opens with one message and gives the rest of its value back', async () => {
      const before = await f.balance(f.payer.address)
      const result = await f.send(f.payer, storeFund(ton('1')), ton('3'), true)
      const state = await f.state()
      assert.deepEqual({ ...state, openedLt: 0n }, { state: 'open', deposit: ton('1'), settled: 0n, closeAt: 0, openedLt: 0n })
      assert.equal(state.openedLt, transactionOn(result, f.address).lt)
      const reserve = (await f.balance()) - ton('1')
      assert.ok(reserve > 0n && reserve < ton('0.05'), `reserve ${reserve}`)
      assert.equal(before - (await f.balance(f.payer.address)), ton('1') + reserve + networkFees(result.transactions))
    })

    it('adds a top-up to the deposit and keeps the opening', async () => {
      await open()
      const { openedLt } = await f.state()
      await f.send(f.payer, storeFund(ton('0.5')), ton('0.6'))
      assert.deepEqual(await f.state(), { state: 'open', deposit: ton('1.5'), settled: 0n, closeAt: 0, openedLt })
    })

    it('takes money from its payer only', async () => {
      await assertRefused(async () => await f.send(f.stranger, storeFund(ton('1')), ton('1.1'), true), EXIT.notPayer)
      assert.equal(await f.balance(), 0n)
      // The stranger's attempt does not stand in the payer's way.
      f.chain.now = (f.chain.now ?? 0) + 86_400
      await open()
      assert.equal((await f.state()).deposit, ton('1'))
      await assertRefused(async () => await f.send(f.payee, storeFund(ton('1')), ton('1.1')), EXIT.notPayer)
    })

    it('refuses a value that does not cover the deposit', async () => {
      await assertRefused(async () => await f.send(f.payer, storeFund(ton('1')), ton('1'), true), EXIT.notEnoughValue)
      await open()
      await assertRefused(async () => await f.send(f.payer, storeFund(ton('1')), ton('1')), EXIT.notEnoughValue)
    })

    it('refuses an empty deposit', async () => {
      await assertRefused(async () => await f.send(f.payer, storeFund(ton('0')), GAS, true), EXIT.zeroDeposit)
    })

    it('refuses to open on another network than its terms name', async () => {
      f = await ChannelFixture.create({ globalId: -239 })
      await assertRefused(async () => await f.send(f.payer, storeFund(ton('1')), ton('1.1'), true), EXIT.wrongNetwork)
    })

    it('refuses a payee outside the basechain, whom payouts might not reach', async () => {
      const parties = f.channel.init?.data.refs[0] ?? assert.fail()
      const data = beginCell().storeUint(0, 2).storeCoins(0).storeCoins(0).storeUint(0, 96)
        .storeAddress((await f.chain.treasury('mc', { workchain: -1 })).address).storeRef(parties).endCell()
      const init = { code: f.channel.init?.code ?? assert.fail(), data }
      const { address } = new ChannelContract(f.address, init)
      const odd = beginCell().storeUint(0b00110, 5).storeRef(init.code).storeRef(init.data).endCell().hash()
      const to = Object.assign(Object.create(Object.getPrototypeOf(address)), { workChain: 0, hash: odd })
      const result = await f.payer.send({ to, value: ton('1.1'), bounce: true, init, body: beginCell().store(storeFund(ton('1'))).endCell() })
      assert.equal(exitCode(transactionOn(result, to)), EXIT.badTerms)
    })

    it('refuses unknown messages and plain transfers', async () => {
      await open()
      await assertRefused(async () => await f.send(f.payer, builder => builder.storeUint(0xc0c000ff, 32), GAS), EXIT.unknownMessage)
      await assertRefused(async () => await f.send(f.stranger, () => undefined, GAS), EXIT.unknownMessage)
    })
  })

  describe('claims', () => {
    beforeEach(async () => {
      await open()
    })

    it('pays the difference to what is settled, and the sender the rest of its message', async () => {
      assert.equal(await gain(f.payee, async () => await f.send(f.payee, storeClaim(await f.voucher(ton('0.1'))), GAS)) < ton('0.1'), true)
      const voucher = await f.voucher(ton('0.3'))
      assert.equal(await gain(f.payee, async () => await f.send(f.stranger, storeClaim(voucher), GAS)), ton('0.2'))
      assert.equal((await f.state()).settled, ton('0.3'))
    })

    it('leaves its own balance short of exactly what it paid, whoever claims', async () => {
      for (const [sender, total] of [[f.payee, '0.1'], [f.stranger, '0.2'], [f.payer, '0.4']] as const) {
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
      await assertRefused(async () => await f.send(f.payee, storeClaim(voucher), GAS), EXIT.nothingToClaim)
      await assertRefused(async () => await f.send(f.payee, storeClaim(await f.voucher(ton('0.1'))), GAS), EXIT.nothingToClaim)
    })

    it('refuses more than the deposit', async () => {
      await assertRefused(async () => await f.send(f.payee, storeClaim(await f.voucher(ton('1') + 1n)), GAS), EXIT.overDeposit)
    })

    it('refuses a forged signature and an amount changed after signing', async () => {
      const forged = await f.voucher(ton('0.2'), {}, f.payeeKey)
      await assertRefused(async () => await f.send(f.payee, storeClaim(forged), GAS), EXIT.badPayerSignature)
      const raised = { ...(await f.voucher(ton('0.2'))), cumulative: ton('0.9') }
      await assertRefused(async () => await f.send(f.payee, storeClaim(raised), GAS), EXIT.badPayerSignature)
    })

    it('refuses a voucher of another channel of the same pair', async () => {
      const other = ChannelContract.fromTerms({ ...f.terms, salt: 8n }).address.toRawString()
      const voucher = await f.voucher(ton('0.2'), { channel: other })
      await assertRefused(async () => await f.send(f.payee, storeClaim(voucher), GAS), EXIT.wrongChannel)
    })

    it('refuses a voucher of another network', async () => {
      const voucher = await f.voucher(ton('0.2'), { globalId: -239 })
      await assertRefused(async () => await f.send(f.payee, storeClaim(voucher), GAS), EXIT.wrongNetwork)
    })

    it('refuses a close statement in place of a voucher', async () => {
      const statement = await f.statement(ton('0.2'), {}, f.payerKey)
      const body = beginCell().storeUint(0xc0c00002, 32).storeBuffer(Buffer.from(statement.signature), 64)
        .storeRef(beginCell().store(storeCoopClose(statement)).endCell().refs[0] ?? assert.fail()).endCell()
      const before = await f.state()
      const result = await f.send(f.payee, builder => builder.storeSlice(body.beginParse()), GAS)
      assert.equal(exitCode(transactionOn(result, f.address)), 63)
      assert.deepEqual(await f.state(), before)
    })

    it('refuses a message that does not pay for its own gas', async () => {
      await assertRefused(async () => await f.send(f.payee, storeClaim(await f.voucher(ton('0.2'))), ton('0.003')), EXIT.notEnoughValue)
    })
  })

  describe('closing', () => {
    beforeEach(async () => {
      await open()
    })

    it('lets only the payer start, and only once', async () => {
      await assertRefused(async () => await f.send(f.stranger, storeStartClose(), GAS), EXIT.notPayer)
      await assertRefused(async () => await f.send(f.payee, storeStartClose(), GAS), EXIT.notPayer)
      const balance = await f.balance()
      await f.send(f.payer, storeStartClose(), GAS)
      assert.equal(await f.balance(), balance)
      const state = await f.state()
      assert.deepEqual([state.state, state.closeAt], ['closing', (f.chain.now ?? 0) + CHALLENGE_SECONDS])
      await assertRefused(async () => await f.send(f.payer, storeStartClose(), GAS), EXIT.alreadyClosing)
      await assertRefused(async () => await f.send(f.payer, storeFund(ton('1')), ton('1.1')), EXIT.alreadyClosing)
    })

    it('still pays claims until somebody finishes', async () => {
      await f.send(f.payer, storeStartClose(), GAS)
      f.chain.now = (f.chain.now ?? 0) + CHALLENGE_SECONDS + 5
      await f.send(f.payee, storeClaim(await f.voucher(ton('0.7'))), GAS)
      assert.equal((await f.state()).settled, ton('0.7'))
    })

    it('cannot be finished before it was started, nor before its time', async () => {
      await assertRefused(async () => await f.send(f.payer, storeFinish(), GAS), EXIT.notClosing)
      await f.send(f.payer, storeStartClose(), GAS)
      f.chain.now = (f.chain.now ?? 0) + CHALLENGE_SECONDS - 1
      await assertRefused(async () => await f.send(f.payer, storeFinish(), GAS), EXIT.tooEarly)
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
      const payerGain = await gain(f.payer, async () => {
        const result = await f.send(f.stranger, storeFinish(), GAS)
        assert.equal(strangerBefore - (await f.balance(f.stranger.address)) < ton('0.02'), true)
        return result
      })
      // Storage of the last ten minutes is all that is missing.
      assert.ok(payerGain <= held && held - payerGain < ton('0.0001'), `${payerGain} of ${held}`)
      assert.equal(await f.exists(), false)
    })

    it('ends at once with the payee’s signature, whoever brings it', async () => {
      for (const sender of [f.payer, f.payee, f.stranger]) {
        f = await ChannelFixture.create()
        await open()
        await f.send(f.payee, storeClaim(await f.voucher(ton('0.3'))), GAS)
        const statement = await f.statement(ton('0.3'))
        const held = await f.balance()
        const wallet = { payer: f.payer, payee: f.payee, stranger: f.stranger }[nameOf(sender)]
        const payerBefore = await f.balance(f.payer.address)
        await f.send(wallet, storeCoopClose(statement), GAS)
        assert.equal(await f.exists(), false)
        assert.equal(await f.balance(), 0n)
        const got = (await f.balance(f.payer.address)) - payerBefore
        assert.ok(held - got < ton('0.02'), `${nameOf(sender)}: payer got ${got} of ${held}`)
      }
    })

    function nameOf(wallet: Wallet): 'payer' | 'payee' | 'stranger' {
      return wallet.address.equals(f.payer.address) ? 'payer' : wallet.address.equals(f.payee.address) ? 'payee' : 'stranger'
    }

    it('claims and closes in one transaction', async () => {
      const [statement, voucher] = [await f.statement(ton('0.6')), await f.voucher(ton('0.6'))]
      assert.equal(await gain(f.payee, async () => await f.send(f.payer, storeCoopClose(statement, voucher), GAS)), ton('0.6'))
      assert.equal(await f.exists(), false)
    })

    it('closes during a challenge too, and with a voucher that somebody claimed meanwhile', async () => {
      const [statement, voucher] = [await f.statement(ton('0.6')), await f.voucher(ton('0.6'))]
      await f.send(f.payer, storeStartClose(), GAS)
      await f.send(f.stranger, storeClaim(voucher), GAS)
      assert.equal(await gain(f.payee, async () => await f.send(f.payer, storeCoopClose(statement, voucher), GAS)), 0n)
      assert.equal(await f.exists(), false)
    })

    it('refuses a forged close, and one for another total, channel, network', async () => {
      const other = ChannelContract.fromTerms({ ...f.terms, salt: 8n }).address.toRawString()
      await f.send(f.payee, storeClaim(await f.voucher(ton('0.3'))), GAS)
      const close = async (...args: Parameters<typeof f.statement>): Promise<SendMessageResult> =>
        await f.send(f.payer, storeCoopClose(await f.statement(...args)), GAS)
      await assertRefused(async () => await close(ton('0.3'), {}, f.payerKey), EXIT.badPayeeSignature)
      await assertRefused(async () => await close(ton('0.4')), EXIT.closeAmount)
      await assertRefused(async () => await close(ton('0.2')), EXIT.closeAmount)
      await assertRefused(async () => await close(ton('0.3'), { channel: other }), EXIT.wrongChannel)
      await assertRefused(async () => await close(ton('0.3'), { globalId: -239 }), EXIT.wrongNetwork)
      await assertRefused(async () => await close(ton('0.3'), { openedLt: 1n }), EXIT.staleOpening)
    })

    it('refuses a close whose voucher is forged or does not match', async () => {
      const statement = await f.statement(ton('0.6'))
      const forged = await f.voucher(ton('0.6'), {}, f.payeeKey)
      await assertRefused(async () => await f.send(f.payer, storeCoopClose(statement, forged), GAS), EXIT.badPayerSignature)
      await assertRefused(async () => await f.send(f.payer, storeCoopClose(statement, await f.voucher(ton('0.5'))), GAS), EXIT.closeAmount)
    })

    it('refuses vouchers and statements of an earlier opening of the same address', async () => {
      const old = await f.voucher(ton('0.6'))
      const oldStatement = await f.statement(0n)
      await f.send(f.payer, storeCoopClose(oldStatement), GAS)
      assert.equal(await f.exists(), false)
      await open()
      assert.ok((await f.state()).openedLt > old.openedLt)
      await assertRefused(async () => await f.send(f.payee, storeClaim(old), GAS), EXIT.staleOpening)
      await assertRefused(async () => await f.send(f.payer, storeCoopClose(oldStatement), GAS), EXIT.staleOpening)
    })

    it('bounces a top-up of a channel that is gone', async () => {
      await f.send(f.payer, storeCoopClose(await f.statement(0n)), GAS)
      const before = await f.balance(f.payer.address)
      await f.send(f.payer, storeFund(ton('1')), ton('1.1'))
      assert.ok(before - (await f.balance(f.payer.address)) < ton('0.01'))
      assert.equal(await f.exists(), false)
    })
  })

  describe('external claim', () => {
    beforeEach(async () => {
      await open()
    })

    async function sendExternal(body = beginCell().endCell(), init?: ChannelContract['init']): Promise<SendMessageResult> {
      return await f.chain.sendMessage(external({ to: f.address, body, ...(init === undefined ? {} : { init }) }))
    }

    async function claimBody(total: bigint, changes = {}, key = f.payerKey): Promise<Cell> {
      return beginCell().store(storeClaim(await f.voucher(total, changes, key))).endCell()
    }

    it('pays a payee who has no coin, all fees out of the payout', async () => {
      const before = await f.balance()
      const payeeBefore = await f.balance(f.payee.address)
      const result = await sendExternal(await claimBody(ton('0.4')))
      const left = before - (await f.balance())
      const payout = transactionOn(result, f.address).outMessages.values()[0]?.info
      assert.ok(payout?.type === 'internal' && payout.dest.equals(f.payee.address))
      // The import fee was estimated upwards: the channel may keep the rest of that estimate, never pay for it.
      assert.ok(left <= ton('0.4') && ton('0.4') - left < ton('0.001'), `${left} left the channel`)
      assert.ok(payout.value.coins < ton('0.4') && payout.value.coins > ton('0.39'))
      assert.ok((await f.balance(f.payee.address)) > payeeBefore)
      assert.equal((await f.state()).settled, ton('0.4'))
    })

    it('accepts none that would change nothing, so that no message can burn the deposit', async () => {
      const replay = await claimBody(ton('0.4'))
      await sendExternal(replay)
      const balance = await f.balance()
      const other = ed25519FromSeed(new Uint8Array(32).fill(9))
      for (const body of [
        replay,
        await claimBody(ton('0.5'), {}, other),
        await claimBody(ton('1.5')),
        await claimBody(ton('0.5'), { openedLt: 1n }),
        await claimBody(ton('0.5'), { globalId: -3 }),
        // Less than its own fees.
        await claimBody(ton('0.4') + 1000n),
        beginCell().endCell(),
        beginCell().store(storeFinish()).endCell(),
        beginCell().storeSlice((await claimBody(ton('0.5'))).beginParse()).storeUint(0, 8).endCell()
      ]) {
        await assert.rejects(sendExternal(body), (err: Error & { exitCode?: number }) => err.exitCode !== undefined)
      }
      assert.equal(await f.balance(), balance)
    })

    it('lets nobody pad the message to burn the deposit with its import fee', async () => {
      let padding = beginCell().storeUint(0, 1000).endCell()
      for (let i = 0; i < 60; i++) {
        padding = beginCell().storeUint(i, 1000).storeRef(padding).endCell()
      }
      const body = await claimBody(ton('0.4'))
      const balance = await f.balance()
      await assert.rejects(sendExternal(body, { code: padding, data: padding }))
      await assert.rejects(sendExternal(beginCell().storeSlice(body.beginParse()).storeRef(padding).endCell()))
      assert.equal(await f.balance(), balance)
    })

    it('waits for a top-up once storage has eaten into the deposit, while a paid claim still works', async () => {
      f.chain.now = (f.chain.now ?? 0) + 5 * 365 * 86_400
      // Any transaction collects the storage fee that is due.
      await f.send(f.stranger, () => undefined, GAS)
      assert.ok((await f.balance()) < ton('1'))
      const body = await claimBody(ton('1'))
      await assert.rejects(sendExternal(body), (err: Error & { exitCode?: number }) => err.exitCode === EXIT.underfunded)
      const got = await gain(f.payee, async () => await f.send(f.stranger, storeClaim(await f.voucher(ton('1'))), ton('0.2')))
      assert.equal(got, ton('1'))
    })
  })
})
