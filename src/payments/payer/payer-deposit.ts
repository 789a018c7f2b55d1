import { MoneyError } from '../../core/errors.ts'
import { addNano, maxNano, minNano, type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import { channelRoom, type PayerChannel } from './payer-channel.ts'

/** The side to be paid, as its capacity record names it. */
export interface PaidProvider {
  /** libp2p peer id. */
  peerId: string
  /** Ed25519, 32 bytes. */
  payeeKey: Uint8Array
  /** Raw address. */
  payeeAddress: string
  /** Nanotons it wants to see locked before it serves. */
  minimumDeposit: NanoTon
}

/** How much the user lets a channel lock. */
export interface DepositPolicy {
  /** What the next job may cost at most: the channel must have this much left. */
  room: NanoTon
  /** What a new channel gets, and a top-up adds, if nothing asks for more. */
  deposit: NanoTon
  /** The most locked with one provider at any time, over all channels to it; what was spent is not locked any more. */
  maxDeposit: NanoTon
  /** Time for claims after a lone close. The provider refuses one that is too short. */
  challengeSeconds: number
  /**
   * A channel with less than this share of `deposit` left is topped up in the background, percent.
   * @default 0: only when the next job does not fit
   */
  topUpBelowPercent?: number
}

/** What of a provider's channels decides how much more may be locked. */
export interface DepositRoom {
  /** Locked with the provider now, over all its channels. */
  locked: NanoTon
  /** What may still be deposited today; undefined without a limit. */
  leftToday: NanoTon | undefined
}

/** What a channel keeps locked: deposits that were sent, less what was used of them or is paid out. */
export function lockedIn(c: PayerChannel): NanoTon {
  if (c.state === 'closed') {
    return ZERO_NANO_TON
  }
  const deposited = addNano(c.deposit, c.pending?.amount ?? ZERO_NANO_TON)
  return subNanoFloor(deposited, maxNano(c.settled, c.spent))
}

/** What must be added before the provider and the next job are both content. */
export function shortfall(
  c: PayerChannel,
  provider: Pick<PaidProvider, 'minimumDeposit'>,
  policy: Pick<DepositPolicy, 'room'>
): NanoTon {
  return maxNano(subNanoFloor(policy.room, channelRoom(c)), subNanoFloor(provider.minimumDeposit, c.deposit))
}

/**
 * What to send where `needed` is missing: the usual deposit, or what is needed if that is more, or what the limits leave if
 * that is less and still enough.
 *
 * @throws {MoneyError} `DEPOSIT_OVER_LIMIT` if more than `policy.maxDeposit` would be locked with the provider
 */
export function depositFor(needed: NanoTon, policy: DepositPolicy, { locked, leftToday }: DepositRoom): NanoTon {
  const left = subNanoFloor(policy.maxDeposit, locked)
  if (needed > left) {
    const deposit = addNano(locked, needed)
    throw new MoneyError(
      'DEPOSIT_OVER_LIMIT',
      `${deposit} nanotons would have to be locked with this provider, ${locked} are: client.maxDeposit is ${policy.maxDeposit}, raise it, close its other channels or choose a cheaper provider`,
      { details: { deposit, locked, limit: policy.maxDeposit } }
    )
  }
  return maxNano(needed, minNano(policy.deposit, minNano(left, leftToday ?? left)))
}

/** Below this much left, a channel is topped up before it is needed. */
export function lowWater({ deposit, topUpBelowPercent = 0 }: DepositPolicy): NanoTon {
  return ((deposit * BigInt(topUpBelowPercent)) / 100n) as NanoTon
}

/**
 * What to add in the background to a channel that runs low.
 *
 * @returns zero while it does not run low, a deposit is under way, or the limits leave too little to be worth a message
 */
export function refillAmount(c: PayerChannel, policy: DepositPolicy, { locked, leftToday }: DepositRoom): NanoTon {
  const low = lowWater(policy)
  if (c.state !== 'open' || c.pending !== undefined || channelRoom(c) >= low) {
    return ZERO_NANO_TON
  }
  const left = subNanoFloor(policy.maxDeposit, locked)
  const amount = minNano(policy.deposit, minNano(left, leftToday ?? left))
  return amount < low ? ZERO_NANO_TON : amount
}
