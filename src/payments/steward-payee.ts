import type { AbortOptions } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import type { StepAction } from './lifecycle/next-step.ts'
import { nextPayeeStep } from './lifecycle/payee-step.ts'
import type { PayeeChannels } from './payee.ts'
import type { PayeeChannelInfo } from './payee-types.ts'
import type { Keeper, KeptStanding, StepOutcome } from './steward-types.ts'

/** What the steward needs of the payee's channels. */
export type KeptPayee = Pick<PayeeChannels, 'list' | 'refresh' | 'claim'>

/** Channels that pay us, as a steward manages them: what is owed is claimed. */
export class PayeeKeeper implements Keeper {
  readonly role = 'payee'
  readonly #payee: KeptPayee
  readonly #clock: Clock
  /** When a channel was first seen agreed to be closed: nothing else tells since when the payer may end it. */
  readonly #agreedAtMs = new Map<string, number>()

  constructor(payee: KeptPayee, clock: Clock) {
    this.#payee = payee
    this.#clock = clock
  }

  list(): KeptStanding[] {
    return this.#payee.list().flatMap(info => this.#kept(info) ?? [])
  }

  async refresh(channel: string, options: AbortOptions = {}): Promise<KeptStanding | undefined> {
    return this.#kept(await this.#payee.refresh(channel, options))
  }

  can(_channel: string, action: StepAction): boolean {
    return action === 'claim' || action === 'claim-externally'
  }

  async run(channel: string, action: StepAction, options: AbortOptions = {}): Promise<StepOutcome> {
    const receipt = await this.#payee.claim(channel, { ...options, externally: action === 'claim-externally' })
    return { action, transaction: receipt?.transaction ?? '' }
  }

  #kept(info: PayeeChannelInfo): KeptStanding | undefined {
    const { channel, openedLt, peerId, state, claimable, closeAtMs, lastUsedAtMs } = info
    if (state === 'closed') {
      this.#agreedAtMs.delete(channel)
      return undefined
    }
    const agreedAtMs = state === 'closing' && closeAtMs === 0 ? this.#agreedSince(channel) : 0
    const unclaimedSinceMs = info.unclaimedSinceMs ?? 0
    return {
      channel,
      openedLt,
      peerId,
      next: (_tries, { policy, fees, walletPays, nowMs }) =>
        nextPayeeStep(
          { state, claimable, closeAtMs, unclaimedSinceMs, lastUsedAtMs, agreedAtMs, walletPays },
          policy,
          fees,
          nowMs
        )
    }
  }

  #agreedSince(channel: string): number {
    const known = this.#agreedAtMs.get(channel) ?? this.#clock.nowMs()
    this.#agreedAtMs.set(channel, known)
    return known
  }
}
