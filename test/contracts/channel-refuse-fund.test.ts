import assert from 'node:assert/strict'
import { beginCell } from '@ton/core'
import { MAX_NANO_TON, nanoTon } from '../../src/core/nano-ton.ts'
import { MAX_CHALLENGE_SECONDS } from '../../src/ton/channel-address.ts'
import { CHANNEL_EXIT_CODES as EXIT, storeFund } from '../../src/ton/channel-contract.ts'
import { CHALLENGE_SECONDS, ChannelFixture, GAS, ton } from './channel-fixture.ts'
import { addressOf, type RawData, rawData } from './channel-raw-data.ts'
import { type Attempt, assertNotRun, assertRefused, cut } from './channel-refusal.ts'
import { ChannelStages, type Stage } from './channel-stages.ts'
import { leastValue, storageReserve } from './contract-source.ts'

const MALFORMED = 9
const AMOUNT = ton('1')
const VALUE = AMOUNT + GAS
const LEAST = AMOUNT + storageReserve(CHALLENGE_SECONDS) + leastValue('GAS_FUND', 1n)

const opening = (from: Attempt['from'], amount = AMOUNT, value: bigint = VALUE): Attempt => ({
  from,
  body: storeFund(amount),
  value,
  deploy: true
})
const topUp = (from: Attempt['from'], amount = AMOUNT, value: bigint = VALUE): Attempt => ({
  ...opening(from, amount, value),
  deploy: false
})
const broken = (bits: number, deploy = false): Attempt => ({
  from: 'payer',
  body: cut(storeFund(AMOUNT), bits),
  deploy
})

const refusals: Array<[string, Stage, Attempt, number]> = [
  ['an opening by a stranger', 'missing', opening('stranger'), EXIT.notPayer],
  ['an opening by the payee', 'missing', opening('payee'), EXIT.notPayer],
  ['an opening by a stranger where the code is already', 'new', topUp('stranger'), EXIT.notPayer],
  ['a top-up by a stranger', 'open', topUp('stranger'), EXIT.notPayer],
  ['a top-up by the payee', 'open', topUp('payee'), EXIT.notPayer],
  ['a top-up by a stranger while closing', 'closing', topUp('stranger'), EXIT.notPayer],
  ['a top-up while closing', 'closing', topUp('payer'), EXIT.alreadyClosing],
  ['a top-up while closing, with StateInit', 'closing', opening('payer'), EXIT.alreadyClosing],
  ['a top-up when the closing may be finished', 'late', topUp('payer'), EXIT.alreadyClosing],
  ['an opening with nothing', 'missing', opening('payer', ton('0'), GAS), EXIT.zeroDeposit],
  ['a top-up with nothing', 'open', topUp('payer', ton('0'), GAS), EXIT.zeroDeposit],
  ['an opening one nanoton short', 'missing', opening('payer', AMOUNT, LEAST - 1n), EXIT.notEnoughValue],
  ['an opening without reserve', 'missing', opening('payer', AMOUNT, AMOUNT), EXIT.notEnoughValue],
  ['a top-up that the deposit is to pay for', 'open', topUp('payer', ton('0.5'), GAS), EXIT.notEnoughValue],
  ['an opening with the largest amount', 'missing', opening('payer', nanoTon(MAX_NANO_TON)), EXIT.notEnoughValue],
  ['a top-up with the largest amount', 'open', topUp('payer', nanoTon(MAX_NANO_TON)), EXIT.notEnoughValue],
  ['a fund without amount', 'open', broken(32), MALFORMED],
  ['a fund with half a length', 'open', broken(34), MALFORMED],
  ['a fund whose amount is cut off', 'open', broken(60), MALFORMED],
  ['an opening whose amount is cut off', 'missing', broken(60, true), MALFORMED]
]

const badTerms: Array<[string, (f: ChannelFixture) => Promise<RawData>, number]> = [
  [
    'a payee in the masterchain',
    async f => ({ payee: addressOf((await f.chain.treasury('mc', { workchain: -1 })).address) }),
    EXIT.badTerms
  ],
  ['a challenge period of a year and a second', async () => ({ challenge: MAX_CHALLENGE_SECONDS + 1 }), EXIT.badTerms],
  ['a challenge period beyond the end of time', async () => ({ challenge: 0xffff_ffff }), EXIT.badTerms],
  ['no payee', async () => ({ payee: builder => builder.storeUint(0, 2) }), MALFORMED],
  [
    'a payee outside the chain',
    async () => ({ payee: builder => builder.storeUint(0b01, 2).storeUint(8, 9).storeUint(1, 8) }),
    MALFORMED
  ],
  [
    'a payee with anycast',
    async f => ({
      payee: builder =>
        builder.storeUint(0b101, 3).storeUint(1, 5).storeBit(1).storeInt(0, 8).storeBuffer(f.payee.address.hash)
    }),
    MALFORMED
  ],
  ['no payer', async () => ({ payer: builder => builder.storeUint(0, 2) }), MALFORMED],
  ['parties that are empty', async () => ({ parties: beginCell().endCell() }), MALFORMED],
  [
    'parties in a library that nobody published',
    async () => ({ parties: beginCell().storeUint(2, 8).storeUint(5, 256).endCell({ exotic: true }) }),
    MALFORMED
  ]
]

describe('channel, being funded, refuses', () => {
  let stages: ChannelStages

  before(async () => {
    stages = await ChannelStages.create()
  })

  for (const [title, stage, attempt, code] of refusals) {
    it(`${title} (${code})`, async () => {
      await assertRefused(await stages.at(stage), attempt, code)
    })
  }

  for (const [title, changes, code] of badTerms) {
    it(`an opening with ${title} (${code})`, async () => {
      const f = await stages.at('missing')
      await assertRefused(f.sibling({}, rawData(f, await changes(f))), opening('payer'), code)
    })
  }

  for (const globalId of [-239, -3, 0]) {
    it(`an opening on another network than its terms name, ${globalId} (${EXIT.wrongNetwork})`, async () => {
      const f = await stages.at('missing')
      await assertRefused(f.sibling({ globalId }), opening('payer'), EXIT.wrongNetwork)
    })
  }

  it(`a top-up one nanoton short, where the reserve counts only once (${EXIT.notEnoughValue})`, async () => {
    const f = await stages.at('open')
    const { deposit, settled } = await f.state()
    const held = deposit + AMOUNT - settled + storageReserve(CHALLENGE_SECONDS)
    const least = held + leastValue('GAS_FUND', 1n) - (await f.balance())
    await assertRefused(f, topUp('payer', AMOUNT, least - 1n), EXIT.notEnoughValue)
    await f.send(f.payer, storeFund(AMOUNT), least)
    assert.equal((await f.state()).deposit, deposit + AMOUNT)
  })

  it('no opening with exactly what it asks for', async () => {
    const f = await stages.at('missing')
    await f.send(f.payer, storeFund(AMOUNT), LEAST, true)
    assert.deepEqual(
      [(await f.state()).deposit, await f.balance()],
      [AMOUNT, AMOUNT + storageReserve(CHALLENGE_SECONDS)]
    )
  })

  it('no challenge period of a year', async () => {
    const f = (await stages.at('missing')).sibling({ challengeSeconds: MAX_CHALLENGE_SECONDS })
    await f.open()
    assert.equal((await f.state()).deposit, ton('1'))
  })

  it('a top-up of a channel that is gone: no code runs, nothing is opened again', async () => {
    const f = await stages.at('gone')
    await assertNotRun(f, topUp('payer'), 'no-state')
    assert.equal(await f.exists(), false)
  })
})
