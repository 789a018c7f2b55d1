import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nanoTon } from '../../../../src/core/nano-ton.ts'
import type { ChannelView } from '../../../../src/payments/chain.ts'
import { nextGuardStep } from '../../../../src/payments/lifecycle/guard-step.ts'
import { amount } from '../../../support/payment-pair.ts'

const LT = 7n
const RULES = { claimAbove: undefined, claimNow: false }

function view(changes: Partial<ChannelView> = {}): ChannelView {
  const open = { state: 'open', deposit: amount(1_000), settled: amount(100), closeAtMs: 0, openedLt: LT } as const
  return { ...open, balance: amount(900), asOfMs: 0, ...changes }
}

const step = (
  changes: Partial<ChannelView>,
  cumulative = 400,
  rules: Partial<Parameters<typeof nextGuardStep>[2]> = {}
) => nextGuardStep({ openedLt: LT, cumulative: amount(cumulative) }, view(changes), { ...RULES, ...rules })

describe('guarding a channel with a voucher', () => {
  it('waits while it is open, and claims when it closes, past an amount, or when told to', () => {
    assert.deepEqual(step({}), { kind: 'wait', due: 300n })
    const closing = { kind: 'claim', due: 300n, reason: 'closing', closeAtMs: 5 }
    assert.deepEqual(step({ state: 'closing', closeAtMs: 5 }), closing)
    assert.equal(step({}, 400, { claimAbove: amount(300) }).kind, 'wait')
    assert.deepEqual(step({}, 401, { claimAbove: amount(300) }), {
      kind: 'claim',
      due: 301n,
      reason: 'amount',
      closeAtMs: 0
    })
    assert.equal(step({}, 400, { claimNow: true }).kind, 'claim')
  })

  it('is due no more than the contract holds', () => {
    assert.deepEqual(step({ state: 'closing', balance: amount(20) }), {
      kind: 'claim',
      due: 20n,
      reason: 'closing',
      closeAtMs: 0
    })
    assert.equal(step({ state: 'closing', balance: amount(0) }).kind, 'paid')
  })

  it('tells apart what is paid, too much, over, and not there yet', () => {
    assert.equal(step({ settled: amount(400) }).kind, 'paid')
    assert.equal(step({ state: 'closing' }, 1_001).kind, 'over-deposit')
    assert.equal(step({ state: 'missing' }).kind, 'over')
    assert.equal(step({ openedLt: 8n }).kind, 'over')
    assert.equal(step({ openedLt: 6n }).kind, 'not-there-yet')
  })

  it('claims only what a closing channel of this very opening can pay', () => {
    const small = fc.bigInt({ min: 0n, max: 9n }).map(nanoTon)
    const any = fc.record({
      state: fc.constantFrom('open' as const, 'closing' as const, 'missing' as const),
      deposit: small,
      settled: small,
      balance: small,
      openedLt: fc.constantFrom(6n, 7n, 8n)
    })
    fc.assert(
      fc.property(any, small, (changes, cumulative) => {
        const next = nextGuardStep({ openedLt: LT, cumulative }, view(changes), RULES)
        if (next.kind === 'claim') {
          assert.deepEqual([changes.state, changes.openedLt], ['closing', LT])
          assert.ok(next.due > 0n && next.due <= changes.balance && changes.settled + next.due <= cumulative)
          assert.ok(cumulative <= changes.deposit)
        }
      })
    )
  })
})
