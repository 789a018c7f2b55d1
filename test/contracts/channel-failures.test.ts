import assert from 'node:assert/strict'
import { Address, type Builder, contractAddress } from '@ton/core'
import { channelAddress, channelCode, channelStateInit } from '../../src/ton/channel-address.ts'
import { ChannelContract, CHANNEL_EXIT_CODES as EXIT, storeClaim, storeFund } from '../../src/ton/channel-contract.ts'
import { GAS, ton } from './channel-fixture.ts'
import { assertNotAccepted, assertRefused, cell } from './channel-refusal.ts'
import { ChannelStages, DEPOSIT, SETTLED } from './channel-stages.ts'

/** Jetton's transfer_notification and excesses, as TEP-74 has them. */
const TRANSFER_NOTIFICATION = 0x7362d09c
const EXCESSES = 0xd53276db
const MORE = ton('0.6')

describe('channel, what broke for others', () => {
  let s: ChannelStages

  before(async () => {
    s = await ChannelStages.create()
  })

  describe('vouchers', () => {
    it('P14 a voucher of one channel is worth nothing on another of the same pair, in either direction', async () => {
      const one = await s.at('open')
      const two = one.sibling({ salt: 8n })
      await two.open()
      const [first, second] = [await one.voucher(MORE), await two.voucher(MORE)]
      for (const [f, foreign, own] of [
        [one, second, first],
        [two, first, second]
      ] as const) {
        for (const from of ['payee', 'payer', 'stranger'] as const) {
          await assertRefused(f, { from, body: storeClaim(foreign) }, EXIT.badPayerSignature)
        }
        await assertNotAccepted(f, cell(storeClaim(foreign)), EXIT.badPayerSignature)
        await f.send(f.payee, storeClaim(own), GAS)
        assert.equal((await f.state()).settled, MORE)
      }
    })

    it('P14 nor on another network, in another opening, or once it is settled', async () => {
      const f = await s.at('open')
      for (const [voucher, code] of [
        [await f.voucher(MORE, { globalId: -239 }), EXIT.badPayerSignature],
        [await f.voucher(MORE, { openedLt: 1n }), EXIT.badPayerSignature],
        [await f.voucher(SETTLED), EXIT.nothingToClaim]
      ] as const) {
        await assertRefused(f, { from: 'payee', body: storeClaim(voucher) }, code)
        await assertNotAccepted(f, cell(storeClaim(voucher)), code)
      }
      await assertRefused(
        await s.at('reopened'),
        { from: 'payee', body: storeClaim(s.voucher) },
        EXIT.badPayerSignature
      )
    })

    it('P14 whoever else brings a voucher pays its payee and gets nothing', async () => {
      const f = await s.at('open')
      const before = await f.balance(f.stranger.address)
      assert.equal(await f.gain(f.payee, async () => f.send(f.stranger, storeClaim(s.voucher), GAS)), MORE - SETTLED)
      assert.ok((await f.balance(f.stranger.address)) < before)
    })

    it('P43 an amount capped to the deposit does not go with the signature of a higher one, the pair itself does later', async () => {
      const f = await s.at('open')
      const high = await f.voucher(DEPOSIT + ton('0.5'))
      const capped = storeClaim({ ...high, cumulative: DEPOSIT })
      await assertRefused(f, { from: 'payee', body: capped }, EXIT.badPayerSignature)
      await assertRefused(f, { from: 'payee', body: storeClaim(high) }, EXIT.overDeposit)
      await f.send(f.payer, storeFund(ton('0.5')), ton('0.5') + GAS)
      await f.send(f.payee, storeClaim(high), GAS)
      assert.equal((await f.state()).settled, high.cumulative)
    })
  })

  describe('addresses', () => {
    it('P47 the address that both sides derive is the one that opens, and no other salt gives it', async () => {
      const { chain, payer, terms } = await s.at('missing')
      const address = channelAddress(terms)
      const init = channelStateInit(terms)
      assert.equal(contractAddress(0, init).toRawString(), address)
      await payer.send({ to: Address.parseRaw(address), value: ton('1.05'), init, body: cell(storeFund(ton('1'))) })
      const opened = chain.openContract(new ChannelContract(Address.parseRaw(address)))
      assert.equal((await opened.getChannelState()).deposit, ton('1'))
      const account = (await chain.getContract(opened.address)).accountState
      assert.ok(account?.type === 'active' && account.state.code?.equals(channelCode()))

      const salts = [0n, 1n, 6n, 8n, 7n << 32n, (1n << 64n) - 1n]
      const others = new Set(salts.map(salt => channelAddress({ ...terms, salt })))
      assert.ok(others.size === salts.length && !others.has(address))
    })

    it('P47 an address that is opened again never has the opening it had', async () => {
      const first = (await (await s.at('open')).state()).openedLt
      const second = (await (await s.at('reopened')).state()).openedLt
      assert.ok(second > first)
    })
  })

  describe('deposits', () => {
    const forged: Array<[string, (builder: Builder) => void]> = [
      ['a transfer notification', b => b.storeUint(TRANSFER_NOTIFICATION, 32).storeUint(0, 64).storeCoins(ton('5'))],
      ['excesses', b => b.storeUint(EXCESSES, 32).storeUint(0, 64)],
      ['a plain transfer', () => undefined]
    ]
    for (const [what, body] of forged) {
      it(`P56 ${what} is no deposit, from whomever it comes and however it is sent`, async () => {
        const f = await s.at('open')
        const before = await f.state()
        for (const from of ['payer', 'payee', 'stranger'] as const) {
          await assertRefused(f, { from, body, value: ton('5') }, EXIT.unknownMessage)
          // One that cannot bounce stays, and still no voucher is worth more.
          await f[from].send({ to: f.address, value: ton('0.5'), bounce: false, body: cell(body) })
        }
        assert.deepEqual(await f.state(), before)
        const high = storeClaim(await f.voucher(DEPOSIT + 1n))
        await assertRefused(f, { from: 'payee', body: high }, EXIT.overDeposit)
      })
    }

    it('P56 a fund by another than the payer is no deposit, also where it cannot bounce', async () => {
      const f = await s.at('open')
      const before = await f.state()
      for (const wallet of [f.payee, f.stranger]) {
        await wallet.send({ to: f.address, value: ton('1.1'), bounce: false, body: cell(storeFund(ton('1'))) })
      }
      assert.deepEqual(await f.state(), before)
    })

    it('P56 what strayed in goes to the payer with the next top-up, and to nobody with a claim', async () => {
      const f = await s.at('open')
      await f.stranger.send({ to: f.address, value: ton('2'), bounce: false })
      assert.equal(await f.gain(f.payee, async () => f.send(f.stranger, storeClaim(s.voucher), GAS)), MORE - SETTLED)
      const got = await f.gain(f.payer, async () => f.send(f.payer, storeFund(ton('0.1')), ton('0.1') + GAS))
      assert.ok(got > ton('1.89'), `${got}`)
    })
  })
})
