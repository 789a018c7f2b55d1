import { formatTon, type NanoTon } from '../core/nano-ton.ts'
import type { NextStep, StepAction, StepReport } from './node-port.ts'
import type { JsonObject } from './output.ts'
import { safeLine } from './terminal-text.ts'

const WILL: Readonly<Record<StepAction, string>> = {
  claim: 'claims',
  'claim-externally': 'claims out of the payout',
  'top-up': 'tops up',
  'close-together': 'closes',
  'start-close': 'closes alone',
  finish: 'gets the rest back'
}

const DID: Readonly<Record<StepAction, string>> = {
  claim: 'Claimed from',
  'claim-externally': 'Claimed, with gas out of the payout, from',
  'top-up': 'Topped up',
  'close-together': 'Closed together with the provider:',
  'start-close': 'Started to close without the provider:',
  finish: 'Got the rest back from'
}

/** Words for why a step is taken, or why there is none. */
const WHY: Readonly<Record<string, string>> = {
  amount: 'amount',
  age: 'age',
  closing: 'the client is closing',
  'close-agreed': 'the client did not close as agreed',
  idle: 'idle',
  'close-begun': 'a close was begun',
  'provider-gone': 'provider gone',
  'challenge-over': 'challenge over',
  'running-low': 'running low',
  retry: 'again, it failed before',
  closed: 'closed',
  'nothing-owed': 'nothing to claim',
  dust: 'too little to claim yet',
  'not-worth-closing': 'not worth closing',
  'in-use': 'in use',
  'not-funded': 'waits for its deposit',
  'gave-up': 'given up: it failed too often'
}

const UNITS: ReadonlyArray<readonly [name: string, ms: number]> = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000]
]

/** A span of time in its largest unit that fits, e.g. `3 h`; `now` if it is over. */
export function spanText(ms: number): string {
  if (ms <= 0) {
    return 'now'
  }
  const [name, unitMs] = UNITS.find(([, size]) => ms >= size * 1.5) ?? ['s', 1_000]
  return `${Math.ceil(ms / unitMs)} ${name}`
}

/** The next step in a few words: `claims in 3 h (age)`, `not worth closing (fee 0.004 TON)`. */
export function describeStep({ action, reason, atMs, aloneAtMs, fee, gain }: NextStep, nowMs: number): string {
  const why = WHY[reason] ?? reason
  if (action === 'none') {
    return fee > 0n ? `${why} (${formatTon(gain)}, fee ${formatTon(fee)})` : why
  }
  const when = spanText((atMs ?? nowMs) - nowMs)
  const alone = aloneAtMs === undefined ? '' : `; alone in ${spanText(aloneAtMs - nowMs)}`
  return `${WILL[action]} ${when === 'now' ? when : `in ${when}`} (${why})${alone}`
}

/** What was done, and why; or why it failed. */
export function describeReport({ action, channel, reason, gain, fee, transaction, failure }: StepReport): string {
  const why = WHY[reason] ?? reason
  if (failure !== undefined) {
    return `Not done: ${WILL[action]}, channel ${channel} (${why}): ${failure.code}, ${safeLine(failure.message, 300)}`
  }
  const money = gain > 0n ? `, ${formatTon(gain)} for a fee of ${formatTon(fee)}` : ''
  return `${DID[action]} ${channel} (${why})${money}${transaction === '' ? '' : `, transaction ${transaction}`}`
}

/** What a provider hears when it was too late. */
export function describeLost({ channel, lost }: { channel: string; lost: NanoTon }): string {
  return `LOST ${formatTon(lost)}: channel ${channel} was closed by its client before its last voucher was claimed`
}

/** The same for programs; `null` where there is no time. */
export function stepObject({ action, reason, atMs, deadlineMs, aloneAtMs, fee, gain }: NextStep): JsonObject {
  return {
    action,
    reason,
    atMs: atMs ?? null,
    deadlineMs: deadlineMs ?? null,
    aloneAtMs: aloneAtMs ?? null,
    feeNano: fee,
    gainNano: gain
  }
}

export function reportObject(report: StepReport): JsonObject {
  const { role, channel, action, reason, fee, gain, transaction, failure } = report
  return { role, channel, action, reason, feeNano: fee, gainNano: gain, transaction, failure: failure ?? null }
}
