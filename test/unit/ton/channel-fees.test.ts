import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Transaction } from '@ton/core'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { CHANNEL_GAS, STORAGE_RESERVE } from '../../../src/ton/channel-gas.ts'
import { findUp } from '../../contracts/find-up.ts'
import { closeOrder, signVoucher, terms } from '../../integration/chain-fixture.ts'
import { type ChainParty, chainParty, WalletChain } from '../../support/wallet-chain.ts'

/** Within this much of what the sandbox charges, in percent. */
const TOLERANCE = 20n

const TON = 1_000_000_000n

describe('fees of channels', () => {
  let chain: WalletChain
  let payer: ChainParty
  let payee: ChainParty

  beforeEach(async () => {
    chain = await WalletChain.create()
    payer = await chainParty(chain, 1)
    payee = await chainParty(chain, 2)
  })

  /** What `act` took from a wallet beyond `paid`; below 0 where it gets something. */
  async function costOf(who: ChainParty, paid: bigint, act: () => Promise<unknown>): Promise<bigint> {
    const before = await who.wallet.balance()
    await act()
    await chain.pass(1_000)
    return before - (await who.wallet.balance()) - paid
  }

  /** Does everything that a channel can do; what each message really cost. */
  async function measure(): Promise<Record<keyof typeof CHANNEL_GAS, bigint>> {
    const [first, second] = [1n, 2n].map(salt => terms(payer, payee, { salt }))
    assert.ok(first !== undefined && second !== undefined)
    const channel = payer.chain.channelAddress(first)
    const withReserve = await costOf(payer, 2n * TON, () => payer.chain.openChannel(first, nanoTon(2n * TON)))
    const { openedLt, balance } = await payer.chain.readChannel(channel)
    const topUp = await costOf(payer, TON, () => payer.chain.topUp(channel, nanoTon(TON)))
    const voucher = (total: bigint) => signVoucher(payer, channel, openedLt, nanoTon(total))
    const claim = await costOf(payee, 0n - TON / 2n, () => payee.chain.claim(channel, voucher(TON / 2n)))
    const external = await costOf(payee, 0n - TON / 2n, () => payee.chain.claimExternally(channel, voucher(TON)))
    const startClose = await costOf(payer, 0n, () => payer.chain.startClose(channel))
    const left = (await payer.chain.readChannel(channel)).balance
    const order = closeOrder(payee, channel, openedLt, nanoTon(TON + TON / 2n))
    const coopClose = await costOf(payer, TON / 2n - left, () => payer.chain.coopClose(channel, order))

    const { channel: other } = await payer.chain.openChannel(second, nanoTon(2n * TON))
    await payer.chain.startClose(other)
    await chain.pass(700_000)
    const rest = (await payer.chain.readChannel(other)).balance
    const finish = await costOf(payer, 0n - rest, () => payer.chain.finish(other))
    const open = withReserve - (balance - 2n * TON)
    return { open, topUp, claim, coopClose, startClose, finish, externalClaim: external }
  }

  function assertClose(estimates: Readonly<Record<string, bigint>>, real: Readonly<Record<string, bigint>>): void {
    for (const [message, cost] of Object.entries(real)) {
      const estimate = estimates[message] ?? 0n
      const off = ((estimate - cost) * 100n) / cost
      assert.ok(off >= -TOLERANCE && off <= TOLERANCE, `${message}: estimated ${estimate}, charged ${cost} (${off} %)`)
    }
    assert.equal(Object.keys(real).length, Object.keys(estimates).length)
  }

  it('are estimated within a fifth of what the chain charges', async () => {
    assertClose(await payer.chain.fees(), await measure())
  })

  it('are estimated, and attached, as well when prices are six times as high', async () => {
    const before = await payer.chain.fees()
    chain.raisePrices(6n)
    await chain.pass(3_600_000)
    const real = await measure()
    assertClose(await payer.chain.fees(), real)
    assert.ok(real.claim > before.claim * 5n)
  })

  it('are attached anew when prices rose since they were read: the refused message comes back', async () => {
    const { channel, openedLt } = await payer.chain.openChannel(terms(payer, payee), nanoTon(2n * TON))
    await payee.chain.fees()
    chain.raisePrices(6n)
    await payee.chain.claim(channel, signVoucher(payer, channel, openedLt, nanoTon(TON)))
    const { settled } = await payee.chain.readChannel(channel)
    assert.equal(settled, nanoTon(TON))
    const refused = chain
      .transactions(channel)
      .filter(({ description }) => description.type === 'generic' && description.aborted)
    assert.equal(refused.length, 1)
  })

  it('are asked of the chain once an hour', async () => {
    const low = await payer.chain.fees()
    chain.raisePrices(6n)
    await chain.pass(59 * 60_000)
    assert.deepEqual(await payer.chain.fees(), low)
    await chain.pass(2 * 60_000)
    assert.ok((await payer.chain.fees()).claim > low.claim * 5n)
  })

  it('P41 every message brings its gas, and after a close nothing is left in the contract', async () => {
    await measure()
    for (const salt of [1n, 2n]) {
      const channel = payer.chain.channelAddress(terms(payer, payee, { salt }))
      assert.equal((await payer.chain.readChannel(channel)).balance, 0n)
      assert.deepEqual(chain.transactions(channel).filter(isUndone), [])
    }
  })

  it('use the bounds and sizes that the contract charges for', () => {
    const bounds = {
      open: 'FUND',
      topUp: 'FUND',
      claim: 'CLAIM',
      coopClose: 'COOP_CLOSE',
      startClose: 'START_CLOSE',
      finish: 'FINISH',
      externalClaim: 'EXTERNAL_CLAIM'
    }
    for (const [message, name] of Object.entries(bounds)) {
      assert.equal(CHANNEL_GAS[message as keyof typeof bounds].gasBound, contractConstant(`GAS_${name}`), message)
    }
    assert.deepEqual(STORAGE_RESERVE.size, {
      bits: contractConstant('ACCOUNT_BITS'),
      cells: contractConstant('ACCOUNT_CELLS')
    })
    assert.equal(
      STORAGE_RESERVE.seconds,
      contractConstant('RESERVE_SECONDS') + contractConstant('MAX_CHALLENGE_SECONDS')
    )
  })
})

function isUndone({ description }: Transaction): boolean {
  return description.type === 'generic' && description.aborted
}

/** A constant of the contract's source: a number, or a product of two. */
function contractConstant(name: string): bigint {
  const source = readFileSync(findUp('contracts/channel.tolk'), 'utf8')
  const [, first, second] = new RegExp(`^const ${name} = (\\d+)(?: \\* (\\d+))?$`, 'm').exec(source) ?? []
  return BigInt(first ?? assert.fail(`no constant ${name}`)) * BigInt(second ?? 1)
}
