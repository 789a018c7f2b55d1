import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type NanoTon, nanoTon } from '../../../../src/core/nano-ton.ts'
import { nextPayeeStep } from '../../../../src/payments/lifecycle/payee-step.ts'
import { amount } from '../../../support/payment-pair.ts'
import { FEES, HOUR, NOW, POLICY, payee } from './standings.ts'

const next = (changes: Parameters<typeof payee>[0]) => nextPayeeStep(payee(changes), POLICY, FEES, NOW)
const money = (max: bigint) => fc.bigInt({ min: 0n, max }).map(nanoTon)

describe('the payee’s next step', () => {
  it('claims past an amount at once, and past an age when it comes', () => {
    const { action, reason, atMs, fee, gain } = next({ claimable: amount(1_001) })
    assert.deepEqual([action, reason, atMs, fee, gain], ['claim', 'amount', NOW, FEES.claim, 1_001n])
    const aged = next({ claimable: amount(1_000) })
    assert.deepEqual([aged.action, aged.reason, aged.atMs], ['claim', 'age', NOW + 23 * HOUR])
    assert.equal(next({ unclaimedSinceMs: NOW - 25 * HOUR }).atMs, NOW)
  })

  it('P37 skips dust: never a fee above its share of what it brings', () => {
    assert.equal(next({ claimable: amount(200) }).reason, 'age')
    const dust = next({ claimable: amount(199) })
    assert.deepEqual([dust.reason, dust.final], ['idle', true])
    assert.equal(dust.atMs, NOW - HOUR + 168 * HOUR + 24 * HOUR)
    assert.deepEqual([next({ claimable: amount(10) }).action, next({ claimable: amount(10) }).reason], ['none', 'dust'])
  })

  it('P37 never claims for a fee of as much, whatever share is allowed', () => {
    const all = { ...POLICY, maxFeePercent: 100 }
    assert.equal(nextPayeeStep(payee({ claimable: amount(10) }), all, FEES, NOW).reason, 'dust')
    assert.equal(nextPayeeStep(payee({ claimable: amount(11) }), all, FEES, NOW).reason, 'age')
  })

  it('P37 settles dust too in the end, if it is more than the fee', () => {
    const closeAtMs = NOW + HOUR
    const closing = next({ state: 'closing', claimable: amount(11), closeAtMs })
    assert.deepEqual([closing.action, closing.reason, closing.atMs], ['claim', 'closing', NOW])
    assert.deepEqual([closing.deadlineMs, closing.final], [closeAtMs, true])
    assert.equal(next({ state: 'closing', claimable: amount(10), closeAtMs }).action, 'none')
  })

  it('P07 still claims after the deadline: only the end of the close makes it too late', () => {
    const late = next({ state: 'closing', closeAtMs: NOW - HOUR })
    assert.deepEqual([late.action, late.atMs, late.deadlineMs], ['claim', NOW, NOW - HOUR])
  })

  it('leaves a close that it agreed to with the payer for as long as it can come', () => {
    const agreed = next({ state: 'closing', agreedUntilMs: NOW + HOUR })
    assert.deepEqual([agreed.action, agreed.reason, agreed.atMs], ['claim', 'close-agreed', NOW + HOUR + 60_000])
    assert.equal(next({ state: 'closing' }).atMs, NOW)
  })

  it('lets the payout pay where the wallet cannot', () => {
    assert.equal(next({ claimable: amount(1_001), walletPays: false }).action, 'claim-externally')
    const dust = next({ claimable: amount(12), walletPays: false, state: 'closing', closeAtMs: NOW })
    assert.equal(dust.action, 'none')
  })

  it('has nothing to do where nothing is owed', () => {
    assert.equal(next({ claimable: amount(0) }).reason, 'nothing-owed')
    assert.equal(next({ state: 'closed' }).reason, 'closed')
  })

  it('P37 never costs more than it brings, whatever the prices', () => {
    const standing = fc.record({
      state: fc.constantFrom('open', 'closing', 'closed' as const),
      claimable: money(2_000n),
      closeAtMs: fc.constantFrom(0, NOW - HOUR, NOW + HOUR),
      unclaimedSinceMs: fc.integer({ min: NOW - 400 * HOUR, max: NOW }),
      lastUsedAtMs: fc.integer({ min: NOW - 400 * HOUR, max: NOW }),
      agreedUntilMs: fc.constantFrom(0, NOW - HOUR, NOW + HOUR),
      walletPays: fc.boolean()
    })
    const prices = fc.record({ claim: money(300n), externalClaim: money(300n) })
    fc.assert(
      fc.property(standing, prices, fc.nat(100), (c, fees, maxFeePercent) => {
        const step = nextPayeeStep(c, { ...POLICY, maxFeePercent }, fees, NOW)
        if (step.action === 'none') {
          // What is left undone for good is never worth its fee.
          const least: NanoTon = c.walletPays && fees.claim < fees.externalClaim ? fees.claim : fees.externalClaim
          assert.ok(c.state === 'closed' || c.claimable <= least, `${c.claimable} left behind`)
          return
        }
        assert.ok((step.atMs ?? 0) >= NOW)
        assert.equal(step.fee, step.action === 'claim' ? fees.claim : fees.externalClaim)
        assert.ok(step.action === 'claim-externally' || c.walletPays)
        assert.ok(step.final ? step.fee < step.gain : step.fee * 100n <= step.gain * BigInt(maxFeePercent))
        assert.equal(step.gain, c.claimable)
      }),
      { numRuns: 2_000 }
    )
  })
})
