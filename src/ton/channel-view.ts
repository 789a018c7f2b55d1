import { MoneyError } from '../core/errors.ts'
import { type NanoTon, ZERO_NANO_TON } from '../core/nano-ton.ts'
import type { AccountView } from './chain-rpc.ts'
import { channelCode } from './channel-address.ts'
import { loadChannelState } from './channel-contract.ts'

/** A channel as the chain has it. Amounts are zero and `openedLt` is 0 when it is missing. */
export interface ChannelView {
  state: 'open' | 'closing' | 'missing'
  deposit: NanoTon
  settled: NanoTon
  /** When a started close may be finished, Unix milliseconds; 0 unless closing. */
  closeAtMs: number
  openedLt: bigint
  /** Nanotons the contract holds now. */
  balance: NanoTon
  /** Chain time of the block this was read from, Unix milliseconds. */
  asOfMs: number
}

const NO_CHANNEL: Omit<ChannelView, 'asOfMs' | 'balance'> = {
  state: 'missing',
  deposit: ZERO_NANO_TON,
  settled: ZERO_NANO_TON,
  closeAtMs: 0,
  openedLt: 0n
}

/** @throws {MoneyError} `CHANNEL_FOREIGN` if another contract lives at the address */
export function channelView(channel: string, account: AccountView): ChannelView {
  const { balance } = account
  const asOfMs = account.chainTime * 1000
  if (!account.active || account.code === undefined || account.data === undefined) {
    return { ...NO_CHANNEL, balance, asOfMs }
  }
  if (!account.code.equals(channelCode())) {
    throw new MoneyError('CHANNEL_FOREIGN', `The contract at ${channel} is not a channel of this version`, {
      details: { channel, sent: false }
    })
  }
  const { state, deposit, settled, closeAt, openedLt } = loadChannelState(account.data.beginParse())
  if (state === 'new') {
    return { ...NO_CHANNEL, balance, asOfMs }
  }
  return { state, deposit, settled, closeAtMs: closeAt * 1000, openedLt, balance, asOfMs }
}
