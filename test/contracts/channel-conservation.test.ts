import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ChannelModel } from './channel-stateful-model.ts'
import { ChainPrices } from './channel-stateful-prices.ts'
import { ScheduleRun } from './channel-stateful-run.ts'
import { schedule, withoutForgery } from './channel-stateful-steps.ts'
import { WalletChain } from './channel-stateful-wallets.ts'

describe('channel conservation', () => {
  it('keeps wallets, channel and fees together constant, whatever anybody does', async function () {
    // The real TVM runs hundreds of transactions here.
    this.timeout(120_000)
    const chain = await WalletChain.create()
    const prices = new ChainPrices(chain.fixture.chain.config)
    const setting = { fixture: chain.fixture, prices, model: new ChannelModel(prices, chain.fixture.terms) }
    let [messages, closed] = [0, 0]
    await fc.assert(
      fc.asyncProperty(schedule.map(withoutForgery), async steps => {
        await chain.restart()
        const before = await chain.total()
        const run = new ScheduleRun(setting, chain)
        for (const step of steps) {
          const event = await run.play(step)
          messages += event === undefined ? 0 : 1
          closed += event?.before.state !== 'new' && event?.outcome.channel.account === 'missing' ? 1 : 0
          assert.equal(await chain.total(), before, 'every nanoton is in a wallet, in the channel or a fee')
        }
      }),
      { numRuns: 12 }
    )
    assert.ok(messages > 100 && closed > 0, `${messages} messages closed ${closed} channels`)
  })
})
