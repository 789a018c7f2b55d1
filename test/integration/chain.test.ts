import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Chain, ChannelFinder, FeeSource } from '../../src/payments/chain.ts'
import { type ChainTransaction, networkFees } from '../../src/ton/index.ts'
import { ChainFixture, closeOrder, milliTon, type Party, signVoucher, terms, until } from './chain-fixture.ts'

/** An error of this code which promises that nothing was sent. */
const unsent = (code: string) => (err: { code?: string; details?: { sent?: boolean } }) =>
  err.code === code && err.details?.sent === false

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
    const lists = await Promise.all(addresses.map(async address => payer.chain.transactionsOf(address)))
    return lists.flat()
  }

  it('opens, tops up, claims and closes, and every nanoton is a balance or a fee', async () => {
    const wallets = [payer.wallet, payee.wallet]
    const before = (await payer.wallet.balance()) + (await payee.wallet.balance())
    const known = new Set((await history(wallets.map(wallet => wallet.address))).map(tx => tx.hash))

    const { channel, openedLt } = await payer.chain.openChannel(terms(payer, payee), milliTon(1_000))
    // The port that payments declares: the compiler checks it here.
    const port: Chain & FeeSource & ChannelFinder = payee.chain
    assert.equal(channel, port.channelAddress(terms(payer, payee)))
    await payer.chain.topUp(channel, milliTon(200))
    const claim = await payee.chain.claim(channel, signVoucher(payer, channel, openedLt, milliTon(300)))
    const open = await payer.chain.readChannel(channel)
    assert.deepEqual([open.state, open.deposit, open.settled], ['open', milliTon(1_200), milliTon(300)])
    assert.ok(
      (await payer.chain.transactionsOf(channel)).some(tx => tx.hash === claim.transaction && tx.exitCode === 0)
    )

    const total = milliTon(450)
    const payeeBefore = await payee.wallet.balance()
    await payer.chain.coopClose(channel, closeOrder(payee, channel, openedLt, total))
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
    await Promise.all(Array.from({ length: 8 }, async () => payer.wallet.send(payee.wallet.address, milliTon(1))))
    const received = (await payee.chain.transactionsOf(payee.wallet.address)).filter(
      tx => tx.from === payer.wallet.address
    )
    assert.equal(received.length, 8)
    assert.equal(before + milliTon(8) - networkFees(received), await payee.wallet.balance())
  })

  it('tells a close from what the wallet got where the history of a closed channel is gone', async () => {
    await fixture.post('/simnet/faults', { pruned: true })
    const { channel, openedLt } = await payer.chain.openChannel(terms(payer, payee), milliTon(1_000))
    const order = closeOrder(payee, channel, openedLt, milliTon(0))
    const { transaction } = await payer.chain.coopClose(channel, order)
    assert.deepEqual(await payer.chain.transactionsOf(channel), [])
    const received = (await payer.chain.transactionsOf(payer.wallet.address)).find(tx => tx.hash === transaction)
    assert.equal(received?.from, channel)
    assert.ok(received.inValue > milliTon(990))
  })

  it('closes alone after the challenge, and opens the same address again', async () => {
    const own = terms(payer, payee, { challengeSeconds: 1 })
    const { channel, openedLt } = await payer.chain.openChannel(own, milliTon(1_000))
    await payer.chain.startClose(channel)
    const view = await payer.chain.readChannel(channel)
    assert.equal(view.state, 'closing')
    await until(async () => (await payer.chain.tip()).timeMs >= view.closeAtMs)
    await payee.chain.finish(channel)
    assert.equal((await payer.chain.readChannel(channel)).state, 'missing')
    const again = await payer.chain.openChannel(own, milliTon(500))
    assert.equal(again.channel, channel)
    assert.ok(again.openedLt > openedLt)
    // A voucher of the first opening is worth nothing in the second.
    await assert.rejects(payee.chain.claim(channel, signVoucher(payer, channel, openedLt, milliTon(100))), {
      code: 'CHAIN_REFUSED',
      details: { channel, exitCode: 105 }
    })
  })

  it('claims without a coin in the wallet, at about what it was said to cost', async () => {
    const { channel, openedLt } = await payer.chain.openChannel(terms(payer, payee), milliTon(1_000))
    const before = await payee.wallet.balance()
    const { transaction } = await payee.chain.claimExternally(
      channel,
      signVoucher(payer, channel, openedLt, milliTon(300))
    )
    assert.ok((await payee.chain.transactionsOf(channel)).some(tx => tx.hash === transaction && tx.exitCode === 0))
    const cost = milliTon(300) - ((await payee.wallet.balance()) - before)
    const { externalClaim } = await payee.chain.fees()
    assert.ok(cost * 5n >= externalClaim * 4n && cost * 5n <= externalClaim * 6n, `${externalClaim}, ${cost}`)
    await assert.rejects(
      payee.chain.claimExternally(channel, signVoucher(payer, channel, openedLt, milliTon(301))),
      unsent('CLAIM_TOO_SMALL')
    )
  })

  it('P34 finds its channels again with the wallet key alone, behind more transactions than one answer holds', async () => {
    const { channel } = await payer.chain.openChannel(terms(payer, payee), milliTon(1_000))
    for (let n = 0; n < 120; n++) {
      await fixture.post('/simnet/faucet', { address: payer.wallet.address, amount: '1' })
    }
    await until(async () => (await fixture.health()).waiting === 0)
    const fresh = await fixture.party(1)
    assert.deepEqual(await fresh.chain.openedChannels(), [{ channel, terms: terms(payer, payee) }])
  })

  describe('says no before anything is sent', () => {
    it('to a deposit that the wallet does not have', async () => {
      await assert.rejects(payer.chain.openChannel(terms(payer, payee), milliTon(6_000)), unsent('NOT_ENOUGH_BALANCE'))
      await assert.rejects(payer.wallet.send(payee.wallet.address, milliTon(5_000)), unsent('NOT_ENOUGH_BALANCE'))
    })

    it('to terms of another network or payer', async () => {
      await assert.rejects(
        payer.chain.openChannel(terms(payer, payee, { globalId: -239 }), milliTon(1)),
        unsent('CHANNEL_TERMS_INVALID')
      )
      await assert.rejects(payer.chain.openChannel(terms(payee, payer), milliTon(1)), unsent('CHANNEL_TERMS_INVALID'))
    })

    it('to a channel that is missing, open already or paid already', async () => {
      const channel = payer.chain.channelAddress(terms(payer, payee))
      const before = await payer.wallet.balance()
      await assert.rejects(payer.chain.topUp(channel, milliTon(1)), unsent('CHANNEL_MISSING'))
      assert.equal(await payer.wallet.balance(), before)
      const { openedLt } = await payer.chain.openChannel(terms(payer, payee), milliTon(1_000))
      await assert.rejects(payer.chain.openChannel(terms(payer, payee), milliTon(1_000)), unsent('CHANNEL_EXISTS'))
      const voucher = signVoucher(payer, channel, openedLt, milliTon(10))
      await payee.chain.claim(channel, voucher)
      await assert.rejects(payee.chain.claim(channel, voucher), unsent('NOTHING_TO_CLAIM'))
    })

    it('to a transfer that the chain never took', async () => {
      const hasty = await fixture.party(1, { validForSeconds: 1, expiryMarginSeconds: 0 })
      await fixture.post('/simnet/faults', { dropSends: true })
      await assert.rejects(hasty.wallet.send(payee.wallet.address, milliTon(1)), unsent('CHAIN_TIMEOUT'))
      await fixture.post('/simnet/faults', { dropSends: false })
      await hasty.wallet.send(payee.wallet.address, milliTon(1))
    })
  })

  it('names the endpoint when the chain is down, and works on once it is back', async () => {
    await fixture.post('/simnet/faults', { down: true })
    await assert.rejects(
      payer.wallet.balance(),
      (err: { code?: string; details?: { endpoint?: string } }) =>
        err.code === 'CHAIN_UNREACHABLE' && err.details?.endpoint === fixture.server.url
    )
    await fixture.post('/simnet/faults', { down: false })
    assert.ok((await payer.wallet.balance()) > 0n)
  })

  it('gives up with CHAIN_TIMEOUT when blocks stop, and promises nothing', async () => {
    const hasty = await fixture.party(1, { timeoutMs: 400 })
    await fixture.post('/simnet/faults', { stall: true })
    await assert.rejects(
      hasty.wallet.send(payee.wallet.address, milliTon(1)),
      (err: { code?: string; details?: { sent?: boolean } }) =>
        err.code === 'CHAIN_TIMEOUT' && err.details?.sent === undefined
    )
  })

  it('promises that nothing was sent only as long as nothing was', async () => {
    await fixture.post('/simnet/faults', { stall: true })
    const sending = assert.rejects(
      payer.wallet.send(payee.wallet.address, milliTon(1)),
      (err: { code?: string; details?: { sent?: boolean } }) =>
        err.code === 'CHAIN_UNREACHABLE' && err.details?.sent === undefined
    )
    await until(async () => (await fixture.health()).waiting === 1)
    await fixture.server.stop()
    await sending
    await assert.rejects(payer.wallet.send(payee.wallet.address, milliTon(1)), unsent('CHAIN_UNREACHABLE'))
    await assert.rejects(payer.chain.openChannel(terms(payer, payee), milliTon(1)), unsent('CHAIN_UNREACHABLE'))
  })

  it('stops waiting as soon as the caller gives up', async () => {
    await fixture.post('/simnet/faults', { delayMs: 5_000 })
    const started = Date.now()
    await assert.rejects(payer.wallet.balance({ signal: AbortSignal.timeout(50) }), { code: 'CANCELLED' })
    assert.ok(Date.now() - started < 2_000)
  })
})

describe('a chain that is stopped and started again', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-chain-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('has the same balances, channels, history and height', async () => {
    const stateFile = join(folder, 'chain.json')
    const first = new ChainFixture({ stateFile })
    await first.server.start()
    const [payer, payee] = [await first.party(1), await first.party(2)]
    await first.fund(payer.wallet, milliTon(2_000))
    const { channel } = await payer.chain.openChannel(terms(payer, payee), milliTon(1_000))
    const before = {
      balance: await payer.wallet.balance(),
      view: { ...(await payer.chain.readChannel(channel)), asOfMs: 0 },
      history: await payer.chain.transactionsOf(payer.wallet.address)
    }
    const { height } = await payer.chain.tip()
    await first.server.stop()

    const second = new ChainFixture({ stateFile })
    await second.server.start()
    try {
      const again = await second.party(1)
      const after = {
        balance: await again.wallet.balance(),
        view: { ...(await again.chain.readChannel(channel)), asOfMs: 0 },
        history: await again.chain.transactionsOf(again.wallet.address)
      }
      assert.deepEqual(after, before)
      assert.ok((await again.chain.tip()).height >= height)
      await again.chain.topUp(channel, milliTon(100))
      assert.equal((await again.chain.readChannel(channel)).deposit, milliTon(1_100))
    } finally {
      await second.server.stop()
    }
  })

  it('refuses a damaged state file by name', async () => {
    const stateFile = join(folder, 'damaged.json')
    writeFileSync(stateFile, '{"version":1,')
    await assert.rejects(new ChainFixture({ stateFile }).server.start(), { code: 'SIMNET_STATE_INVALID' })
  })

  it('refuses a port that is taken', async () => {
    const first = new ChainFixture()
    await first.server.start()
    await assert.rejects(new ChainFixture({ port: first.server.port }).server.start(), { code: 'PORT_BUSY' })
    await first.server.stop()
  })
})
