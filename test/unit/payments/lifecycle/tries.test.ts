import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type NanoTon, nanoTon, ZERO_NANO_TON } from '../../../../src/core/nano-ton.ts'
import type { NextStep } from '../../../../src/payments/lifecycle/next-step.ts'
import {
  afterMiss,
  afterNoAnswer,
  beginTry,
  heldBack,
  NO_TRIES,
  type StepTries,
  stepKey
} from '../../../../src/payments/lifecycle/tries.ts'
import { amount } from '../../../support/payment-pair.ts'
import { HOUR, NOW, POLICY } from './standings.ts'

const LT = 7n
const CLAIM: NextStep = {
  action: 'claim',
  reason: 'amount',
  atMs: NOW,
  fee: amount(10),
  gain: amount(10_000),
  final: false
}
const LAST: NextStep = { ...CLAIM, reason: 'closing', gain: amount(25), final: true, deadlineMs: NOW + HOUR }

/** Tries a step as often as it is allowed to; every try costs its fee and fails. */
function failUntilHeld(
  step: NextStep,
  before: StepTries,
  limit = 50
): { tries: StepTries; count: number; lastMs: number } {
  let tries = before
  let nowMs = NOW
  for (let count = 0; count < limit; count++) {
    const held = heldBack({ ...step, atMs: nowMs }, LT, tries, POLICY, nowMs)
    if (held.action === 'none') {
      return { tries, count, lastMs: nowMs }
    }
    nowMs = Math.max(nowMs, held.atMs ?? 0)
    tries = beginTry(step, LT, tries, nowMs)
  }
  return { tries, count: limit, lastMs: nowMs }
}

describe('a step that fails', () => {
  it('P37 is tried a few times with growing pauses, and then given up', () => {
    const { count, lastMs } = failUntilHeld(CLAIM, NO_TRIES)
    assert.equal(count, POLICY.maxTries)
    assert.equal(lastMs - NOW, 30_000 * (1 + 2 + 4 + 8))
  })

  it('P37 is not tried again sooner after a restart: what it cost is known', () => {
    const begun = beginTry(CLAIM, LT, NO_TRIES, NOW)
    assert.deepEqual([begun.tries, begun.spent], [1, 10n])
    const { action, atMs, reason } = heldBack(CLAIM, LT, begun, POLICY, NOW)
    assert.deepEqual([action, atMs, reason], ['claim', NOW + 30_000, 'retry'])
  })

  it('P37 leaves the last chance its own tries', () => {
    const { tries } = failUntilHeld({ ...CLAIM, gain: amount(1_000_000) }, NO_TRIES)
    const last = heldBack({ ...LAST, gain: amount(1_000) }, LT, tries, POLICY, NOW + HOUR)
    assert.equal(last.action, 'claim')
  })

  it('P37 burns no more than what it can bring', () => {
    assert.equal(failUntilHeld(LAST, NO_TRIES).count, 2)
    assert.equal(failUntilHeld({ ...CLAIM, gain: amount(400) }, NO_TRIES).count, 2)
  })

  it('counts no try that surely cost nothing, but waits longer each time', () => {
    let tries = NO_TRIES
    for (const pauseMs of [30_000, 60_000, 120_000]) {
      tries = afterMiss(beginTry(CLAIM, LT, tries, NOW), CLAIM.fee, NOW)
      assert.equal(heldBack(CLAIM, LT, tries, POLICY, NOW).atMs, NOW + pauseMs)
    }
    assert.deepEqual([tries.tries, tries.misses, tries.spent], [0, 3, ZERO_NANO_TON])
    for (let n = 0; n < 40; n++) {
      tries = afterMiss(beginTry(CLAIM, LT, tries, NOW), CLAIM.fee, NOW)
    }
    assert.equal(heldBack(CLAIM, LT, tries, POLICY, NOW).atMs, NOW + HOUR)
  })

  it('is tried in time where there is a deadline', () => {
    let tries = NO_TRIES
    for (let n = 0; n < 20; n++) {
      tries = afterMiss(beginTry(LAST, LT, tries, NOW), LAST.fee, NOW)
    }
    assert.equal(heldBack(LAST, LT, tries, POLICY, NOW).atMs, NOW + HOUR / 8)
    assert.equal(heldBack({ ...LAST, deadlineMs: NOW - 1 }, LT, tries, POLICY, NOW).atMs, NOW + 2_000)
  })

  it('is not held for ever by a clock that was set back', () => {
    const begun = beginTry(CLAIM, LT, NO_TRIES, NOW + 1_000 * HOUR)
    assert.equal(heldBack(CLAIM, LT, begun, POLICY, NOW).atMs, NOW + 30_000)
  })

  it('starts anew as another step or in another opening, with what was burnt remembered', () => {
    const { tries } = failUntilHeld(CLAIM, NO_TRIES)
    const { tries: count, spent, key } = beginTry(CLAIM, 8n, tries, NOW)
    assert.deepEqual([count, spent, key], [1, 60n, stepKey(CLAIM, 8n)])
    assert.equal(stepKey(CLAIM, LT), stepKey({ ...CLAIM, action: 'claim-externally' }, LT))
  })

  it('of a close is forgotten once the chain shows that it began', () => {
    const close: NextStep = { ...LAST, action: 'start-close', fee: amount(15) }
    const finish: NextStep = { ...LAST, action: 'finish', fee: amount(11), gain: amount(12) }
    const begun = beginTry(close, LT, NO_TRIES, NOW)
    assert.equal(heldBack(finish, LT, begun, POLICY, NOW).action, 'finish')
    assert.equal(heldBack({ ...LAST, gain: amount(24) }, LT, begun, POLICY, NOW).action, 'none')
  })

  it('remembers since when the other side does not agree', () => {
    const begun = beginTry({ ...LAST, action: 'close-together' }, LT, NO_TRIES, NOW)
    const first = afterNoAnswer(afterMiss(begun, LAST.fee, NOW), NOW)
    const second = afterNoAnswer(afterMiss(first, LAST.fee, NOW + HOUR), NOW + HOUR)
    assert.equal(second.outOfReachSinceMs, NOW)
  })

  it('P37 never burns more than its share, or than it brings, however prices move', () => {
    const price = fc.bigInt({ min: 1n, max: 400n })
    fc.assert(
      fc.property(fc.array(price, { minLength: 1, maxLength: 30 }), fc.boolean(), (prices, final) => {
        const gain: NanoTon = amount(2_000)
        let tries = NO_TRIES
        let burnt = 0n
        let nowMs = NOW
        for (const fee of prices) {
          const fits = final ? fee < gain : fee * 100n <= gain * BigInt(POLICY.maxFeePercent)
          const step: NextStep = { ...CLAIM, fee: nanoTon(fee), gain, final, atMs: nowMs }
          const held = heldBack(step, LT, tries, POLICY, nowMs)
          if (fits && held.action !== 'none') {
            nowMs = Math.max(nowMs, held.atMs ?? 0)
            tries = beginTry(step, LT, tries, nowMs)
            burnt += fee
          }
        }
        assert.equal(tries.spent, burnt)
        assert.ok(final ? burnt < gain : burnt * 100n <= gain * BigInt(POLICY.maxFeePercent), `${burnt}`)
        assert.ok(tries.tries <= POLICY.maxTries)
      })
    )
  })
})
