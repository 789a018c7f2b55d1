import assert from 'node:assert/strict'
import { Address, beginCell } from '@ton/core'
import { nanoTon, parseTon } from '../../../src/core/nano-ton.ts'
import type { Chain, ChannelFinder, FeeSource } from '../../../src/payments/chain.ts'
import { PRICE_PARAMS, parsePrices } from '../../../src/ton/chain-prices.ts'
import { channelStateInit } from '../../../src/ton/channel-address.ts'
import { sentTransfers } from '../../../src/ton/wallet-fate.ts'
import { walletFee } from '../../../src/ton/wallet-fees.ts'
import { type Transfer, WalletSigner } from '../../../src/ton/wallet-message.ts'
import { closeOrder, terms } from '../../integration/chain-fixture.ts'
import { type ChainParty, chainParty, WalletChain } from '../../support/wallet-chain.ts'

describe('channels and their wallet', function () {
  this.timeout(60_000)
  let chain: WalletChain
  let payer: ChainParty
  let payee: ChainParty

  beforeEach(async () => {
    chain = await WalletChain.create()
    payer = await chainParty(chain, 1)
    payee = await chainParty(chain, 2)
  })

  it('P50 20 channels opened at once are each opened once, with one message of the wallet', async () => {
    const port: Chain & FeeSource & ChannelFinder = payer.chain
    const sentBefore = payer.endpoint.sent
    const opened = await Promise.all(
      Array.from({ length: 20 }, (_, n) => port.openChannel(terms(payer, payee, { salt: BigInt(n) }), parseTon('1')))
    )
    assert.equal(payer.endpoint.sent - sentBefore, 1)
    assert.equal(new Set(opened.map(({ channel }) => channel)).size, 20)
    for (const { channel, openedLt } of opened) {
      const view = await port.readChannel(channel)
      assert.deepEqual([view.state, view.deposit, view.openedLt], ['open', parseTon('1'), openedLt])
      assert.equal(chain.transactions(channel).length, 1)
    }
    // And as many closes at once.
    await Promise.all(
      opened.map(({ channel, openedLt }) =>
        port.coopClose(channel, closeOrder(payee, channel, openedLt, parseTon('0.1')))
      )
    )
    for (const { channel } of opened) {
      assert.equal((await port.readChannel(channel)).state, 'missing')
      assert.equal(chain.transactions(channel).length, 2)
    }
  })

  it('P50 opens what the balance pays for, one after the other, and refuses the rest', async () => {
    const poor = await chainParty(chain, 3, parseTon('2.5'))
    const results = await Promise.allSettled(
      [1n, 2n, 3n].map(salt => poor.chain.openChannel(terms(poor, payee, { salt }), parseTon('1')))
    )
    assert.deepEqual(
      results.map(result => (result.status === 'fulfilled' ? 'open' : (result.reason as { code: string }).code)),
      ['open', 'open', 'NOT_ENOUGH_BALANCE']
    )
  })

  it('P56 take no notice from anybody but the channel itself for what became of it', async () => {
    const stranger = await chainParty(chain, 4)
    const { channel, openedLt } = await payer.chain.openChannel(terms(payer, payee), parseTon('1'))
    // The endpoint shows no history of the channel: what comes back to the wallet has to tell.
    payer.endpoint.hidden = channel
    const to = Address.parseRaw(payer.wallet.address)
    const body = beginCell().storeUint(0xffffffff, 32).storeUint(0xc0c00005, 32).endCell()
    let forged = false
    payer.endpoint.tick = async what => {
      // After the channel has answered, and before anybody looked.
      if (what === 'transactions' && !forged && (await chain.account(channel)).balance === 0n) {
        forged = true
        await stranger.wallet.transfer({ to, value: parseTon('0.9'), bounce: false, body })
      }
    }
    const order = closeOrder(payee, channel, openedLt, parseTon('0.1'))
    const { transaction } = await payer.chain.coopClose(channel, order)
    assert.ok(forged)
    const told = chain.transactions(payer.wallet.address).find(tx => tx.hash().toString('hex') === transaction)
    const info = told?.inMessage?.info
    assert.ok(info?.type === 'internal' && info.src.toRawString() === channel)
  })

  describe('fees of the wallet', () => {
    const value = nanoTon(1_000_000n)

    async function prices() {
      const [gas, forward, storage] = await Promise.all(
        Object.values(PRICE_PARAMS).map(id => payer.endpoint.configParam(id))
      )
      assert.ok(gas !== undefined && forward !== undefined && storage !== undefined)
      return parsePrices({ gas, forward, storage }, chain.nowMs / 1000)
    }

    const plain = (n: number): Transfer => ({
      to: Address.parseRaw(payee.wallet.address),
      value: nanoTon(value + BigInt(n)),
      bounce: false
    })
    const opening = (n: number): Transfer => {
      const own = terms(payer, payee, { salt: BigInt(n) })
      return { to: Address.parseRaw(payer.chain.channelAddress(own)), value, bounce: true, init: channelStateInit(own) }
    }

    for (const [what, make, count] of [
      ['one transfer', plain, 1],
      ['one opening', opening, 1],
      ['many transfers', plain, 32],
      ['many openings', opening, 32]
    ] as const) {
      it(`are never more than reckoned, and hardly less, for ${what}`, async () => {
        const transfers = Array.from({ length: count }, (_, n) => make(n))
        const fee = walletFee(await prices(), transfers, true)
        const before = await payer.wallet.balance()
        const results = Promise.all(transfers.map(transfer => payer.wallet.transfer(transfer)))
        const [first] = await results
        const sent = chain
          .transactions(payer.wallet.address)
          .find(tx => tx.hash().toString('hex') === first?.transaction)
        assert.equal(sent?.outMessages.size, count)
        const out = sent?.outMessages
          .values()
          .reduce((sum, { info }) => sum + (info.type === 'internal' ? info.value.coins + info.forwardFee : 0n), 0n)
        const charged =
          (sent?.totalFees.coins ?? 0n) + (out ?? 0n) - transfers.reduce((sum, one) => sum + one.value, 0n)
        assert.ok(before > 0n && fee >= charged && fee * 2n <= charged * 3n, `reckoned ${fee}, charged ${charged}`)
      })
    }

    it('are never more than reckoned for the first message of a wallet', async () => {
      const key = payer.key
      const fresh = new WalletSigner(key, -3)
      await chain.fund(fresh.address, parseTon('1'))
      const account = await chain.account(fresh.address)
      const message = await fresh.sign([plain(0)], account, account.chainTime + 60)
      await chain.chain.sendExternal(message.boc)
      await chain.pass(0)
      const [sent] = chain.transactions(fresh.address)
      const charged = parseTon('1') - (await chain.account(fresh.address)).balance - plain(0).value
      const fee = walletFee(await prices(), [plain(0)], false)
      assert.equal(sent?.outMessages.size, 1)
      assert.ok(fee >= charged && fee * 2n <= charged * 3n, `reckoned ${fee}, charged ${charged}`)
    })
  })

  it('tell each transfer of a message from the others, where the wallet dropped some of them', async () => {
    const signer = new WalletSigner(payer.key, -239)
    await chain.fund(signer.address, parseTon('1'))
    const account = await chain.account(signer.address)
    const to = Address.parseRaw(payee.wallet.address)
    const body = beginCell().storeUint(7, 32).endCell()
    const transfers: Transfer[] = [
      { to, value: parseTon('0.3'), bounce: false },
      { to, value: parseTon('0.8'), bounce: false },
      { to, value: parseTon('0.3'), bounce: false, body },
      { to, value: parseTon('0.3'), bounce: false },
      { to, value: parseTon('0.3'), bounce: false }
    ]
    const message = await signer.sign(transfers, account, account.chainTime + 60)
    await chain.chain.sendExternal(message.boc)
    await chain.pass(0)
    const [transaction] = chain.transactions(signer.address)
    assert.ok(transaction !== undefined)
    const sent = sentTransfers(transaction, transfers)
    assert.deepEqual(
      sent.map(lt => lt !== undefined),
      [true, false, true, true, false]
    )
    assert.equal(new Set(sent.filter(lt => lt !== undefined)).size, 3)
  })
})
