import type { AbortOptions } from '../../core/abort.ts'
import { ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { StepAction } from '../lifecycle/next-step.ts'
import { nextPayeeStep } from '../lifecycle/payee-step.ts'
import type { PayeeChannels } from '../payee/payee.ts'
import type { PayeeChannelInfo } from '../payee/payee-types.ts'
import type { Keeper, KeptStanding, StepOutcome } from './steward-types.ts'

/** What the steward needs of the payee's channels. */
export type KeptPayee = Pick<PayeeChannels, 'list' | 'refresh' | 'claim'>

/** Channels that pay us, as a steward manages them: what is owed is claimed. */
export class PayeeKeeper implements Keeper {
  readonly role = 'payee'
  readonly #payee: KeptPayee

  constructor(payee: KeptPayee) {
    this.#payee = payee
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
    const { channel, openedLt, peerId, state, unclaimedSinceMs = 0, ...rest } = info
    return state === 'closed'
      ? undefined
      : {
          channel,
          openedLt,
          peerId,
          guessed: ZERO_NANO_TON,
          next: (_tries, { policy, fees, walletPays, nowMs }) =>
            nextPayeeStep({ ...rest, state, unclaimedSinceMs, walletPays }, policy, fees, nowMs)
        }
  }
}
