import assert from 'node:assert/strict'
import { Address } from '@ton/core'
import fc from 'fast-check'
import { formatRawAddress } from '../../../src/core/address.ts'
import { nanoTon, parseTon } from '../../../src/core/nano-ton.ts'
import { type ChannelTerms, channelAddress, channelStateInit } from '../../../src/ton/channel-address.ts'
import { loadTerms } from '../../../src/ton/channel-terms.ts'
import { ChainHistoryIncompleteError } from '../../../src/ton/opened-channels.ts'
import { closeOrder, terms } from '../../integration/chain-fixture.ts'
import { type ChainParty, chainParty, WalletChain } from '../../support/wallet-chain.ts'

const NOBODY = `0:${'77'.repeat(32)}`

describe('channels that a wallet opened', () => {
  let chain: WalletChain
  let payer: ChainParty
  let payee: ChainParty

  before(async () => {
    chain = await WalletChain.create()
    payer = await chainParty(chain, 1)
    payee = await chainParty(chain, 2)
  })

  it('P34 are all found again with nothing but the wallet key, closed ones too, behind more than 100 transactions', async () => {
    const own = [1n, 2n, 3n].map(salt => terms(payer, payee, { salt, challengeSeconds: 600 + Number(salt) }))
    const [first, second, third] = own
    assert.ok(first !== undefined && second !== undefined && third !== undefined)
    const { channel, openedLt } = await payer.chain.openChannel(first, parseTon('1'))
    await payer.chain.openChannel(second, parseTon('1'))
    await payer.chain.coopClose(channel, closeOrder(payee, channel, openedLt, parseTon('0')))
    for (let n = 0; n < 130; n++) {
      await chain.fund(payer.wallet.address, 1n)
    }
    await payer.chain.openChannel(third, parseTon('1'))
    assert.ok(chain.transactions(payer.wallet.address, 0n, 1_000).length > 130)

    const found = await payer.chain.openedChannels()
    assert.deepEqual(
      found,
      own.toReversed().map(expected => ({ channel: channelAddress(expected), terms: expected }))
    )
    assert.deepEqual(
      await Promise.all(found.map(async opened => (await payer.chain.readChannel(opened.channel)).state)),
      ['open', 'open', 'missing']
    )
    // The other side of the same channels opened none.
    assert.deepEqual(await payee.chain.openedChannels(), [])
  })

  it('are none but those whose terms give the address and name the wallet', async () => {
    const stranger = await chainParty(chain, 3)
    const foreign = channelStateInit(terms(payer, payee, { salt: 9n }))
    const own = channelStateInit(terms(stranger, payee, { salt: 9n }))
    const address = Address.parseRaw(channelAddress(terms(payer, payee, { salt: 9n })))
    const value = nanoTon(1_000_000n)
    // Terms of another payer; code at an address that is not its own; code of another kind.
    await stranger.wallet.transfer({ to: address, value, bounce: false, init: foreign })
    await stranger.wallet.transfer({ to: Address.parseRaw(NOBODY), value, bounce: false, init: own })
    await stranger.wallet.transfer({ to: address, value, bounce: false, init: { code: own.data, data: own.data } })
    assert.deepEqual(await stranger.chain.openedChannels(), [])
  })

  it('are never a part without a word: where the endpoint keeps no older past, the error holds what it has', async () => {
    const shortSighted = await chainParty(chain, 4)
    const { channel } = await shortSighted.chain.openChannel(terms(shortSighted, payee), parseTon('1'))
    shortSighted.endpoint.oldestLt = chain.transactions(shortSighted.wallet.address).at(-2)?.lt ?? 0n
    await assert.rejects(shortSighted.chain.openedChannels(), err => {
      assert.ok(err instanceof ChainHistoryIncompleteError)
      assert.equal(err.code, 'CHAIN_HISTORY_INCOMPLETE')
      assert.deepEqual(
        err.found.map(opened => opened.channel),
        [channel]
      )
      return true
    })
  })

  it('are none for a wallet that nobody ever used', async () => {
    const fresh = await chainParty(await WalletChain.create(), 5)
    assert.deepEqual(await fresh.chain.openedChannels(), [])
  })

  it('are read with the terms that made them, whatever they are', () => {
    const address = fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map(hash => formatRawAddress({ workchain: 0, hash }))
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
    const anyTerms: fc.Arbitrary<ChannelTerms> = fc.record(
      {
        globalId: fc.constantFrom(-239, -3, -217, 2 ** 31 - 1, -(2 ** 31)),
        payerKey: key,
        payerAddress: address,
        payeeKey: key,
        payeeAddress: address,
        salt: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        challengeSeconds: fc.integer({ min: 1, max: 31_536_000 })
      },
      { noNullPrototype: true }
    )
    fc.assert(fc.property(anyTerms, given => assert.deepEqual(loadTerms(channelStateInit(given).data), given)))
  })
})
