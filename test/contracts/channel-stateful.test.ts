import fc from 'fast-check'
import { ChannelFixture } from './channel-fixture.ts'
import { BareChain } from './channel-stateful-chain.ts'
import { ChannelModel } from './channel-stateful-model.ts'
import { ChainPrices } from './channel-stateful-prices.ts'
import { ScheduleRun } from './channel-stateful-run.ts'
import { schedule } from './channel-stateful-steps.ts'
import { Tally } from './channel-stateful-tally.ts'

/** Messages that are sent at least. `npm run mutants -- --property` sends more. */
const OPERATIONS = Number(process.env['COCOON_TEST_OPERATIONS'] ?? 2_500)
/** A seed that a failed run has printed, to see it fail again. */
const SEED = process.env['COCOON_TEST_SEED']
/** Code that is wrong on purpose needs no shortest example, and few messages may do. */
const MUTANT = process.env['COCOON_TEST_CHANNEL_CODE'] !== undefined

const SCHEDULES_PER_SEED = 10
const STORAGE_DEBT_SEED = 96369107

describe('channel under any schedule', () => {
  it('does what the specification says and keeps the invariants, whoever sends what and when', async function () {
    // Milliseconds for each message, tenfold for a busy machine; and a failing schedule is played again many times.
    this.timeout(120_000 + OPERATIONS * 50)
    const fixture = await ChannelFixture.create()
    const masterchain = (await fixture.chain.treasury('stranger', { workchain: -1 })).address
    const { payer, payee, stranger } = fixture
    const addresses = { payer: payer.address, payee: payee.address, stranger: stranger.address, masterchain }
    const prices = new ChainPrices(fixture.chain.config)
    const setting = { fixture, prices, model: new ChannelModel(prices, fixture.terms) }
    const tally = new Tally()
    const play = fc.asyncProperty(schedule, async steps => {
      const run = new ScheduleRun(setting, new BareChain(fixture, addresses))
      for (const step of steps) {
        tally.add(await run.play(step))
      }
    })
    if (!MUTANT) {
      // Thirteen years of storage debt, which a message without a bounce flag pays.
      await fc.assert(play, { seed: STORAGE_DEBT_SEED, numRuns: SCHEDULES_PER_SEED })
    }
    const seed = SEED === undefined ? Date.now() | 0 : Number(SEED)
    for (let batch = 0; tally.messages < OPERATIONS; batch++) {
      await fc.assert(play, { seed: seed + batch, numRuns: SCHEDULES_PER_SEED, endOnFailure: MUTANT })
    }
    if (process.env['COCOON_TEST_OPERATIONS'] !== undefined) {
      console.log(tally.toString())
    }
    if (!MUTANT) {
      tally.check()
    }
  })
})
