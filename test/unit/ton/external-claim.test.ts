import assert from 'node:assert/strict'
import type { ErrorDetails } from '../../../src/core/errors.ts'
import { parseTon } from '../../../src/core/nano-ton.ts'
import { closeOrder, signVoucher, terms } from '../../integration/chain-fixture.ts'
import { type ChainParty, chainParty, type SendFault, WalletChain } from '../../support/wallet-chain.ts'

describe('an external claim', () => {
  let chain: WalletChain
  let payer: ChainParty
  let payee: ChainParty
  let channel: string
  let openedLt: bigint

  before(async () => {
    chain = await WalletChain.create()
  })

  let seed = 0

  beforeEach(async () => {
    seed += 2
    payer = await chainParty(chain, seed)
    payee = await chainParty(chain, seed + 1, parseTon('0.02'))
    ;({ channel, openedLt } = await payer.chain.openChannel(terms(payer, payee), parseTon('1')))
  })

  const voucher = (coins: string) => signVoucher(payer, channel, openedLt, parseTon(coins))

  it('needs no coin in the wallet, and resolves once the channel has paid', async () => {
    // Whatever the wallet has left is too little for a message.
    assert.ok((await payee.wallet.balance()) < parseTon('0.01'))
    await assert.rejects(payee.chain.claim(channel, voucher('0.5')), { code: 'NOT_ENOUGH_BALANCE' })
    const before = await payee.wallet.balance()
    const { transaction } = await payee.chain.claimExternally(channel, voucher('0.5'))
    assert.equal((await payee.chain.readChannel(channel)).settled, parseTon('0.5'))
    const { externalClaim } = await payee.chain.fees()
    const got = (await payee.wallet.balance()) - before
    assert.ok(got > parseTon('0.5') - (externalClaim * 12n) / 10n && got < parseTon('0.5'), `got ${got}`)
    assert.ok(chain.transactions(channel).some(tx => tx.hash().toString('hex') === transaction))
  })

  it('says CLAIM_TOO_SMALL before anything is sent, and exactly where the contract would refuse', async () => {
    const sentBefore = payee.endpoint.sent
    const fails = await payee.chain.claimExternally(channel, voucher('0.001')).catch((err: unknown) => err)
    const { code, details } = fails as { code: string; details: ErrorDetails }
    assert.deepEqual([code, details['sent'], payee.endpoint.sent - sentBefore], ['CLAIM_TOO_SMALL', false, 0])
    const above = details['above'] as bigint
    assert.ok(above > 0n)
    await assert.rejects(payee.chain.claimExternally(channel, signVoucher(payer, channel, openedLt, above as never)), {
      code: 'CLAIM_TOO_SMALL'
    })
    await payee.chain.claimExternally(channel, signVoucher(payer, channel, openedLt, (above + 1n) as never))
    assert.equal((await payee.chain.readChannel(channel)).settled, above + 1n)
  })

  for (const fault of [
    'lands, then duplicate',
    'lost answer',
    'forgotten',
    'never arrived',
    'lost, yet duplicate'
  ] satisfies SendFault[]) {
    it(`P49 pays once where the endpoint's answer is "${fault}"`, async () => {
      payee.endpoint.sendFaults = [fault]
      await payee.chain.claimExternally(channel, voucher('0.5'))
      const { settled, deposit } = await payee.chain.readChannel(channel)
      assert.deepEqual([settled, deposit], [parseTon('0.5'), parseTon('1')])
    })
  }

  it('is done when somebody else claimed as much meanwhile', async () => {
    payee.endpoint.sendFaults = ['forgotten']
    const [mine, other] = await Promise.all([
      payee.chain.claimExternally(channel, voucher('0.5')),
      payer.chain.claim(channel, voucher('0.6'))
    ])
    assert.equal(mine.transaction, other.transaction)
  })

  it('says so when the channel is closed before it lands', async () => {
    payee.endpoint.sendFaults = Array.from({ length: 50 }, () => 'forgotten')
    const claiming = assert.rejects(payee.chain.claimExternally(channel, voucher('0.5')), { code: 'CHANNEL_CLOSED' })
    await payer.chain.coopClose(channel, closeOrder(payee, channel, openedLt, parseTon('0')))
    await claiming
  })

  it('is refused for good where a voucher is worth nothing, or the channel is gone or paid', async () => {
    const forged = { ...voucher('0.5'), signature: new Uint8Array(64) }
    await assert.rejects(payee.chain.claimExternally(channel, forged), { code: 'CHAIN_REFUSED' })
    await payee.chain.claimExternally(channel, voucher('0.5'))
    await assert.rejects(payee.chain.claimExternally(channel, voucher('0.5')), { code: 'NOTHING_TO_CLAIM' })
    await payer.chain.coopClose(channel, closeOrder(payee, channel, openedLt, parseTon('0.5')))
    await assert.rejects(payee.chain.claimExternally(channel, voucher('0.6')), { code: 'CHANNEL_MISSING' })
  })
})
