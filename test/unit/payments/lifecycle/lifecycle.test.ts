import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type NanoTon, nanoTon, ZERO_NANO_TON } from '../../../../src/core/nano-ton.ts'
import { LifecycleModel, type ModelInit } from './lifecycle-model.ts'
import { POLICY } from './standings.ts'

/** Weeks, so that idle, force and claim times all pass, with time for tries between outages. */
const HOURS = 24 * 70
/** Outages, and messages that fail, end by then. */
const TROUBLE_HOURS = 24 * 14

const price = fc.bigInt({ min: 1n, max: 60n }).map(nanoTon)
/** Off for one stretch of hours. */
const upTime = fc.record({ from: fc.nat(TROUBLE_HOURS), hours: fc.nat(TROUBLE_HOURS) }).map(
  ({ from, hours }) =>
    (hour: number) =>
      hour < from || hour >= Math.min(from + hours, TROUBLE_HOURS)
)

const init: fc.Arbitrary<ModelInit> = fc
  .record({
    deposit: fc.bigInt({ min: 1n, max: 5_000n }),
    reserve: fc.bigInt({ min: 0n, max: 100n }),
    promisedPercent: fc.bigInt({ min: 0n, max: 100n }),
    paidPercent: fc.bigInt({ min: 0n, max: 100n }),
    fees: fc.record({
      claim: price,
      externalClaim: price,
      coopClose: price,
      startClose: price,
      finish: price
    }),
    maxFeePercent: fc.integer({ min: 1, max: 100 }),
    challengeHours: fc.integer({ min: 1, max: 48 }),
    state: fc.constantFrom('open' as const, 'closing' as const, 'challenged' as const),
    idleHours: fc.nat(400),
    agrees: fc.boolean(),
    walletPays: fc.boolean(),
    payerUp: upTime,
    payeeUp: upTime,
    failures: fc.array(fc.nat(TROUBLE_HOURS), { maxLength: 4 })
  })
  .map(({ promisedPercent, paidPercent, fees, maxFeePercent, failures, ...rest }) => {
    const promised = (rest.deposit * promisedPercent) / 100n
    return {
      ...rest,
      promised,
      paid: (promised * paidPercent) / 100n,
      fees: { ...fees, open: ZERO_NANO_TON, topUp: ZERO_NANO_TON },
      policy: { ...POLICY, maxFeePercent },
      fails: (hour: number) => failures.includes(hour)
    }
  })

describe('a channel left to itself', () => {
  const run = (given: ModelInit): LifecycleModel => {
    const model = new LifecycleModel(given)
    for (let hour = 0; hour < HOURS; hour++) {
      model.hour(hour)
    }
    return model
  }

  it('P37 nobody pays more in fees than they collect', () => {
    fc.assert(
      fc.property(init, given => {
        const { spent, got } = run({ ...given, fails: () => false })
        for (const side of ['payee', 'payer'] as const) {
          assert.ok(spent[side] === 0n || spent[side] < got[side], `${side}: ${spent[side]} for ${got[side]}`)
        }
      }),
      { numRuns: 300 }
    )
  })

  it('P37 nor burn more, where messages fail, than there is for them to collect', () => {
    fc.assert(
      fc.property(init, fc.boolean(), (given, always) => {
        const { payer, payee } = new LifecycleModel(given).left
        const { spent } = run(always ? { ...given, fails: () => true } : given)
        assert.ok(spent.payee === 0n || spent.payee < payee, `payee: ${spent.payee} for ${payee}`)
        // What the payee never claims comes back too. A start that succeeded does not count against the finish.
        const bound = payer + payee + given.fees.startClose
        assert.ok(spent.payer === 0n || spent.payer < bound, `payer: ${spent.payer} for ${bound}`)
      }),
      { numRuns: 300 }
    )
  })

  it('ends, from any state: nothing worth its fee is left in it', () => {
    fc.assert(
      fc.property(init, given => {
        const quiet = { ...given, fails: () => false }
        const model = run(quiet)
        const { fees, walletPays } = quiet
        if (model.state === 'gone') {
          return
        }
        const claim: NanoTon = walletPays && fees.claim < fees.externalClaim ? fees.claim : fees.externalClaim
        assert.ok(model.left.payee <= claim, `${model.left.payee} left for the payee in ${model.state}`)
        const alone = model.state === 'closing' ? fees.finish : fees.startClose + fees.finish
        const cheapest = quiet.agrees && model.state === 'open' ? fees.coopClose : alone
        assert.ok(model.left.payer <= cheapest, `${model.left.payer} left for the payer in ${model.state}`)
      }),
      { numRuns: 300 }
    )
  })

  it('sends few messages: one for each step that is needed', () => {
    fc.assert(
      fc.property(init, given => {
        const { messages } = run(given)
        const done = messages.filter(({ failed }) => !failed)
        for (const side of ['payer', 'payee'] as const) {
          const own = done.filter(one => one.side === side).map(({ action }) => action)
          assert.equal(new Set(own).size, own.length, own.join())
        }
        assert.ok(messages.length <= 3 + 4)
      }),
      { numRuns: 200 }
    )
  })

  it('pays the payee before a close ends, if its process runs at all in the challenge period', () => {
    fc.assert(
      fc.property(init, given => {
        const model = run({ ...given, agrees: false, fails: () => false, payeeUp: () => true, state: 'challenged' })
        const owed = given.promised - given.paid
        const { claim, externalClaim } = given.fees
        const fee = given.walletPays && claim < externalClaim ? claim : externalClaim
        assert.equal(model.got.payee, owed > fee ? owed : 0n)
      }),
      { numRuns: 200 }
    )
  })
})
