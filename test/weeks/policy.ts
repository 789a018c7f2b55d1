import { parseTon, ZERO_NANO_TON } from '../../src/core/nano-ton.ts'
import type { ChannelPolicy } from '../../src/payments/lifecycle/policy.ts'

const HOUR_MS = 3_600_000

/** Of both roles: days instead of weeks, so that a month holds many of them. */
export const CHANNEL_POLICY: ChannelPolicy = {
  claimAbove: parseTon('0.3'),
  claimAfterMs: 24 * HOUR_MS,
  maxFeePercent: 10,
  closeIdleMs: 48 * HOUR_MS,
  forceCloseAfterMs: 24 * HOUR_MS,
  topUpBelow: ZERO_NANO_TON,
  topUpAmount: parseTon('0.5'),
  maxDeposit: parseTon('2'),
  inUseMs: HOUR_MS,
  maxTries: 8
}
