import { systemClock } from '../../core/clock.ts'
import { CancelledError, CocoonError } from '../../core/errors.ts'
import { formatTon, formatTonAmount, type NanoTon } from '../../core/nano-ton.ts'
import type { CommandContext } from '../context.ts'
import { lateNote } from '../late-note.ts'
import type { CliAccount, EarningChannel, NextStep, PaidChannel } from '../node-port.ts'
import type { JsonObject } from '../output.ts'
import { describeStep, stepObject } from '../step-text.ts'
import { renderTable } from '../table.ts'
import { withAccount } from '../with-node.ts'

/** Channels of both roles with what happens to them next. */
interface Listing {
  paying: readonly PaidChannel[]
  earning: readonly EarningChannel[]
  /** By role and channel; empty if the chain could not be asked. */
  steps: ReadonlyMap<string, NextStep>
}

/** Sums over channels that are not over, nanotons. */
interface Totals {
  locked: bigint
  pending: bigint
  promised: bigint
  left: bigint
  claimable: bigint
  /** Of `claimable`, what is due to be claimed now. */
  claimableNow: bigint
}

export async function listChannels(context: CommandContext): Promise<void> {
  const { output, signal } = context
  await withAccount(context, async account => {
    const waiting = lateNote(output, 'Asking the chain about the channels…')
    const { listing, problem } = await read(account, signal).finally(waiting.done)
    const { paying, earning } = listing
    if (output.json) {
      show(listing).forEach(object => output.event(object))
    } else if (paying.length + earning.length === 0) {
      output.note('No channels yet: the first paid question opens one.')
    } else {
      output.result({}, () => render(listing, systemClock.nowMs()))
    }
    if (problem !== undefined) {
      output.note(`Next steps are not known: ${problem.code}, ${problem.message}`)
    }
    const { claimableNow } = totalsOf(listing)
    if (claimableNow > 0n) {
      output.note(
        `${formatTon(claimableNow)} can be claimed: a running provider does it, or "cocoon-node channel tend".`
      )
    }
  })
}

async function read(
  { payer, payee, steward }: CliAccount,
  signal: AbortSignal
): Promise<{ listing: Listing; problem: CocoonError | undefined }> {
  await Promise.all([payer.start({ signal }), payee.start({ signal })])
  const steps = new Map<string, NextStep>()
  let problem: CocoonError | undefined
  try {
    for (const { role, channel, step } of await steward.plan({ signal })) {
      steps.set(`${role} ${channel}`, step)
    }
  } catch (err) {
    if (!(err instanceof CocoonError) || err instanceof CancelledError) {
      throw err
    }
    // The books can be shown without the chain.
    problem = err
  }
  return { listing: { paying: payer.list(), earning: payee.list(), steps }, problem }
}

function show(listing: Listing): JsonObject[] {
  const { paying, earning, steps } = listing
  const next = (role: string, channel: string): JsonObject | null => {
    const step = steps.get(`${role} ${channel}`)
    return step === undefined ? null : stepObject(step)
  }
  const { locked, pending, promised, left, claimable } = totalsOf(listing)
  return [
    ...paying.map(c => ({ ...payingObject(c), next: next('payer', c.channel) })),
    ...earning.map(c => ({ ...earningObject(c), next: next('payee', c.channel) })),
    {
      role: 'total',
      channels: paying.length + earning.length,
      depositNano: locked,
      pendingNano: pending,
      promisedNano: promised,
      roomNano: left,
      claimableNano: claimable
    }
  ]
}

export function payingObject(c: PaidChannel): JsonObject {
  return {
    role: 'payer',
    channel: c.channel,
    peerId: c.peerId,
    state: c.state,
    depositNano: c.deposit,
    pendingNano: c.pendingDeposit,
    promisedNano: c.signed,
    usedNano: c.used,
    settledNano: c.settled,
    roomNano: c.room,
    lastUsedAtMs: c.lastUsedAtMs,
    closeAtMs: c.closeAtMs
  }
}

function earningObject(c: EarningChannel): JsonObject {
  return {
    role: 'payee',
    channel: c.channel,
    peerId: c.peerId,
    state: c.state,
    depositNano: c.locked,
    promisedNano: c.promised,
    settledNano: c.settled,
    claimableNano: c.claimable,
    lastUsedAtMs: c.lastUsedAtMs,
    closeAtMs: c.closeAtMs
  }
}

function totalsOf({ paying, earning, steps }: Listing): Totals {
  const live = paying.filter(({ state }) => state !== 'closed')
  const due = earning.filter(({ channel }) => {
    const step = steps.get(`payee ${channel}`)
    return step !== undefined && step.action !== 'none' && (step.atMs ?? 0) <= systemClock.nowMs()
  })
  return {
    locked: sum(live, c => c.deposit),
    pending: sum(live, c => c.pendingDeposit),
    promised: sum(live, c => c.signed),
    left: sum(live, c => c.room),
    claimable: sum(earning, c => c.claimable),
    claimableNow: sum(due, c => c.claimable)
  }
}

function render(listing: Listing, nowMs: number): string {
  const { paying, earning, steps } = listing
  const next = (role: string, channel: string): string => {
    const step = steps.get(`${role} ${channel}`)
    return step === undefined ? '-' : describeStep(step, nowMs)
  }
  const rows = [
    ...paying.map(c => [
      ...nameCells('pays', c),
      c.pendingDeposit > 0n
        ? `${formatTonAmount(c.deposit)}+${formatTonAmount(c.pendingDeposit)}`
        : formatTonAmount(c.deposit),
      ...[c.signed, c.settled, c.room].map(formatTonAmount),
      c.state === 'closed' ? 'closed' : next('payer', c.channel)
    ]),
    ...earning.map(c => [
      ...nameCells('earns', c),
      ...[c.locked, c.promised, c.settled, c.claimable].map(formatTonAmount),
      c.state === 'closed' ? 'closed' : next('payee', c.channel)
    ])
  ]
  const { locked, pending, left, claimable } = totalsOf(listing)
  const coming = pending > 0n ? `, ${formatTon(pending)} on its way` : ''
  return [
    renderTable(
      ['ROLE', 'CHANNEL', 'PEER', 'STATE', 'LOCKED', 'PROMISED', 'SETTLED', 'LEFT/CLAIMABLE', 'NEXT STEP'],
      rows
    ),
    `total: ${formatTon(locked)} locked${coming}, ${formatTon(left)} left; ${formatTon(claimable)} to claim\n`
  ].join('')
}

function nameCells(role: string, { channel, peerId, state }: PaidChannel | EarningChannel): string[] {
  return [role, channel, peerId === '' ? '-' : peerId, state]
}

function sum<T>(channels: readonly T[], amount: (channel: T) => NanoTon): bigint {
  return channels.reduce((total, channel) => total + amount(channel), 0n)
}
