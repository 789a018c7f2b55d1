import { type NanoTon, nanoTon, subNanoFloor, ZERO_NANO_TON } from '../core/nano-ton.ts'
import type { EarningChannel, PaidChannel } from './node-port.ts'

/** A channel's money as its owner's wallet sees it. */
export interface ChannelMoney {
  role: 'payer' | 'payee'
  channel: string
  state: string
  /** In the contract now. */
  locked: NanoTon
  /** Of it, signed to the provider and not collected yet: what a payer has no right to any more. */
  pending: NanoTon
  /** What closing gives back to a payer, and the next claim gives to a payee. */
  claimable: NanoTon
}

/** Money of all channels that hold any. */
export function channelMoney(paying: readonly PaidChannel[], earning: readonly EarningChannel[]): ChannelMoney[] {
  return [
    ...paying.filter(isHere).map(({ channel, state, deposit, settled, used, room }) => ({
      role: 'payer' as const,
      channel,
      state,
      locked: subNanoFloor(deposit, settled),
      pending: subNanoFloor(used, settled),
      claimable: room
    })),
    ...earning.filter(isHere).map(({ channel, state, locked, settled, claimable }) => ({
      role: 'payee' as const,
      channel,
      state,
      locked: subNanoFloor(locked, settled),
      pending: claimable,
      claimable
    }))
  ]
}

/** Sums over channels. */
export function sumMoney(channels: readonly ChannelMoney[]): Pick<ChannelMoney, 'locked' | 'pending' | 'claimable'> {
  return channels.reduce(
    (sum, { locked, pending, claimable }) => ({
      locked: nanoTon(sum.locked + locked),
      pending: nanoTon(sum.pending + pending),
      claimable: nanoTon(sum.claimable + claimable)
    }),
    { locked: ZERO_NANO_TON, pending: ZERO_NANO_TON, claimable: ZERO_NANO_TON }
  )
}

function isHere({ state }: { state: string }): boolean {
  return state !== 'closed'
}
