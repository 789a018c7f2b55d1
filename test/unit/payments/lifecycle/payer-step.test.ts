import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nanoTon } from '../../../../src/core/nano-ton.ts'
import { nextPayerStep } from '../../../../src/payments/lifecycle/payer-step.ts'
import { amount } from '../../../support/payment-pair.ts'
import { FEES, HOUR, NOW, POLICY, payer } from './standings.ts'

const next = (changes: Parameters<typeof payer>[0]) => nextPayerStep(payer(changes), POLICY, FEES, NOW)
const money = (max: bigint) => fc.bigInt({ min: 0n, max }).map(nanoTon)

describe('the payer’s next step', () => {
  it('closes an idle channel together with the provider', () => {
    const { action, reason, atMs, fee, gain } = next({})
    assert.deepEqual([action, reason, atMs], ['close-together', 'idle', NOW + 166 * HOUR])
    assert.deepEqual([fee, gain], [FEES.coopClose, 620n])
    assert.equal(next({ lastUsedAtMs: NOW - 200 * HOUR }).atMs, NOW)
    // Never used: idle since it was opened.
    assert.equal(next({ lastUsedAtMs: 0, openedAtMs: NOW }).atMs, NOW + 168 * HOUR)
  })

  it('touches no channel that jobs run on, or that money is on its way to', () => {
    const idle = { lastUsedAtMs: NOW - 200 * HOUR }
    assert.equal(next({ ...idle, runningJobs: 1 }).reason, 'in-use')
    assert.equal(next({ ...idle, pendingDeposit: true }).reason, 'not-funded')
    assert.equal(next({ state: 'opening' }).reason, 'not-funded')
  })

  it('closes nothing that would cost more than what comes back', () => {
    const spent = { lastUsedAtMs: NOW - 200 * HOUR, signed: amount(1_000) }
    assert.equal(next({ ...spent, balance: amount(1_014) }).action, 'close-together')
    assert.deepEqual([next({ ...spent, balance: amount(1_013) }).reason], ['not-worth-closing'])
  })

  it('closes alone once the provider has not agreed for long, and says when before', () => {
    const idle = { lastUsedAtMs: NOW - 200 * HOUR }
    const waiting = next({ ...idle, outOfReachSinceMs: NOW - 71 * HOUR })
    assert.deepEqual([waiting.action, waiting.atMs, waiting.aloneAtMs], ['close-together', NOW, NOW + HOUR])
    const gone = next({ ...idle, outOfReachSinceMs: NOW - 72 * HOUR })
    assert.deepEqual([gone.action, gone.reason, gone.fee], ['start-close', 'provider-gone', 15n])
    // Used again meanwhile: not idle any more, and not gone.
    assert.equal(next({ outOfReachSinceMs: NOW - 72 * HOUR }).action, 'close-together')
    const again = next({ state: 'closing', outOfReachSinceMs: NOW - 72 * HOUR, lastUsedAtMs: NOW - HOUR })
    assert.deepEqual([again.action, again.aloneAtMs], ['close-together', NOW + 71 * HOUR])
  })

  it('closes alone at once where that is all that pays', () => {
    const dear = { ...FEES, coopClose: amount(700) }
    const step = nextPayerStep(payer({ lastUsedAtMs: NOW - 200 * HOUR }), POLICY, dear, NOW)
    assert.deepEqual([step.action, step.reason, step.fee], ['start-close', 'idle', 15n])
  })

  it('ends a close that was begun, and finishes one alone once the challenge is over', () => {
    assert.deepEqual([next({ state: 'closing' }).action, next({ state: 'closing' }).atMs], ['close-together', NOW])
    const challenged = next({ state: 'closing', closeAtMs: NOW + HOUR })
    assert.deepEqual([challenged.action, challenged.atMs], ['finish', NOW + HOUR + 15_000])
    assert.equal(next({ state: 'closing', closeAtMs: NOW - HOUR }).atMs, NOW)
    assert.equal(next({ state: 'closing', closeAtMs: NOW, balance: amount(7) }).reason, 'not-worth-closing')
  })

  it('tops up a channel in use before it runs out, within the limit', () => {
    const low = { signed: amount(901), lastUsedAtMs: NOW - HOUR / 2 }
    assert.deepEqual([next(low).action, next(low).reason], ['top-up', 'running-low'])
    assert.equal(next({ ...low, lastUsedAtMs: NOW - 2 * HOUR, runningJobs: 1 }).action, 'top-up')
    assert.equal(next({ ...low, lastUsedAtMs: NOW - 2 * HOUR }).action, 'close-together')
    assert.equal(next({ ...low, pendingDeposit: true }).reason, 'not-funded')
    assert.equal(next({ ...low, signed: amount(900) }).action, 'close-together')
    const tight = { ...POLICY, maxDeposit: amount(598) }
    assert.equal(nextPayerStep(payer(low), tight, FEES, NOW).action, 'close-together')
    const dear = { ...FEES, topUp: amount(26) }
    assert.equal(nextPayerStep(payer(low), POLICY, dear, NOW).action, 'close-together')
  })

  it('never costs more than what surely comes back, whatever the prices', () => {
    const standing = fc
      .record({
        state: fc.constantFrom('opening', 'open', 'closing', 'closed' as const),
        deposit: money(1_000n),
        used: fc.nat(100),
        paid: fc.nat(100),
        reserve: money(50n),
        closeAtMs: fc.constantFrom(0, NOW - HOUR, NOW + HOUR),
        lastUsedAtMs: fc.integer({ min: NOW - 400 * HOUR, max: NOW }),
        runningJobs: fc.constantFrom(0, 0, 1),
        outOfReachSinceMs: fc.constantFrom(0, NOW - HOUR, NOW - 100 * HOUR)
      })
      .map(({ used, paid, reserve, deposit, ...rest }) => {
        const signed = nanoTon((deposit * BigInt(used)) / 100n)
        const settled = nanoTon((signed * BigInt(paid)) / 100n)
        return payer({ ...rest, deposit, signed, settled, balance: nanoTon(deposit - settled + reserve) })
      })
    const fees = fc.record({ topUp: money(99n), coopClose: money(99n), startClose: money(99n), finish: money(99n) })
    fc.assert(
      fc.property(standing, fees, (c, prices) => {
        const step = nextPayerStep(c, POLICY, prices, NOW)
        if (step.action === 'none') {
          return
        }
        assert.ok((step.atMs ?? 0) >= NOW)
        if (step.action === 'top-up') {
          assert.ok(step.fee * 100n <= POLICY.topUpAmount * BigInt(POLICY.maxFeePercent))
          return
        }
        assert.ok(step.fee < step.gain)
        // What comes back even if the payee takes all it was promised. After the challenge it is all that is left.
        const sure = c.closeAtMs > 0 && c.state === 'closing' ? c.balance : c.balance - (c.signed - c.settled)
        assert.equal(step.gain, sure)
      }),
      { numRuns: 2_000 }
    )
  })
})
