import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ChainTransaction, networkFees } from '../../src/ton/index.ts'
import { ChainFixture, milliTon, type Party, signClose, signVoucher, terms } from './chain-fixture.ts'

describe('channels over a chain server', () => {
  let fixture: ChainFixture
  let payer: Party
  let payee: Party

  beforeEach(async () => {
    fixture = new ChainFixture()
    await fixture.server.start()
    payer = await fixture.party(1, { timeoutMs: 10_000 })
    payee = await fixture.party(2, { timeoutMs: 10_000 })
    await fixture.fund(payer.wallet, milliTon(5_000))
    await fixture.fund(payee.wallet, milliTon(500))
  })

  afterEach(async () => {
    await fixture.server.stop()
  })

  async function history(addresses: string[]): Promise<ChainTransaction[]> {
    const lists = await Promise.all(addresses.map(async address => await payer.chain.transactionsOf(address)))
    return lists.flat()
  }

  it('opens, tops up, claims and closes, and every nanoton is a balance or a fee', async () => {
    const wallets = [payer.wallet, payee.wallet]
    const before = (await payer.wallet.balance()) + (await payee.wallet.balance())
    const known = new Set((await history(wallets.map(wallet => wallet.address))).map(tx => tx.hash))

    const { channel, openedLt } = await payer.chain.openChannel(terms(payer, payee), milliTon(1_000))
    assert.equal(channel, payee.chain.channelAddress(terms(payer, payee)))
    await payer.chain.topUp(channel, milliTon(200))
    const claim = await payee.chain.claim(channel, signVoucher(payer, channel, openedLt, milliTon(300)))
    const open = await payer.chain.readChannel(channel)
    assert.deepEqual([open.state, open.deposit, open.settled], ['open', milliTon(1_200), milliTon(300)])
    assert.ok((await payer.chain.transactionsOf(channel)).some(tx => tx.hash === claim.transaction && tx.exitCode === 0))

    const total = milliTon(450)
    const payeeBefore = await payee.wallet.balance()
    await payer.chain.coopClose(channel, {
      openedLt,
      cumulative: total,
      payeeSignature: signClose(payee, channel, openedLt, total),
      voucher: signVoucher(payer, channel, openedLt, total)
    })
    assert.deepEqual(
      [(await payer.chain.readChannel(channel)).state, (await payer.chain.readChannel(channel)).balance],
      ['missing', 0n]
    )
    // The wallet pays a little gas to receive.
    const got = (await payee.wallet.balance()) - payeeBefore
    assert.ok(got <= milliTon(150) && got > milliTon(149), `got ${got}`)

    const after = (await payer.wallet.balance()) + (await payee.wallet.balance())
    const made = (await history([...wallets.map(wallet => wallet.address), channel])).filter(tx => !known.has(tx.hash))
    assert.equal(before - after, networkFees(made))
  })

  it('sends eight transfers at once, each exactly once', async () => {
    const before = await payee.wallet.balance()
    await Promise.all(Array.from({ length: 8 }, async () => await payer.wallet.send(payee.wallet.address, milliTon(1))))
    const received = (await payee.chain.transactionsOf(payee.wallet.address)).filter(tx => tx.from === payer.wallet.address)
    assert.equal(received.length, 8)
    assert.equal(before + milliTon(8) - networkFees(received), await payee.wallet.balance())
  })
})
