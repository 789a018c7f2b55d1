import type { AbortOptions } from '../../core/abort.ts'
import { errorCode, MoneyError, NetworkError } from '../../core/errors.ts'
import { addNano, type NanoTon, nanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { Chain } from '../chain.ts'
import type { StepAction } from '../lifecycle/next-step.ts'
import { nextPayerStep } from '../lifecycle/payer-step.ts'
import type { PayerChannels } from '../payer/payer.ts'
import type { DepositPolicy } from '../payer/payer-deposit.ts'
import type { PayerChannelInfo } from '../payer/payer-types.ts'
import { isNoAgreement } from './steward-failure.ts'
import type { Keeper, KeptStanding, StepOutcome } from './steward-types.ts'

/** What the steward needs of the payer's channels. */
export type KeptPayer = Pick<PayerChannels, 'list' | 'refresh' | 'refill' | 'close' | 'startClose' | 'finish'>

/** Asks the provider over the mesh and closes together with it. */
export type CloseTogether = (channel: string, options: AbortOptions) => Promise<{ closeTransaction: string }>

export interface PayerKeeperComponents {
  payer: KeptPayer
  chain: Pick<Chain, 'readChannel'>
  /** Without it only an agreement that is stored can be used. */
  closeTogether?: CloseTogether
}

/** More than any contract keeps as a reserve: before the real balance is known, and no step is taken without it. */
const RESERVE_GUESS: NanoTon = nanoTon(50_000_000n)

/** Channels we pay through, as a steward manages them: kept filled while in use, closed when idle. */
export class PayerKeeper implements Keeper {
  readonly role = 'payer'
  readonly #components: PayerKeeperComponents
  readonly #deposits: DepositPolicy
  readonly #balances = new Map<string, NanoTon>()

  /** @param deposits how much the user lets a channel lock */
  constructor(components: PayerKeeperComponents, deposits: DepositPolicy) {
    this.#components = components
    this.#deposits = deposits
  }

  list(): KeptStanding[] {
    return this.#components.payer.list().flatMap(info => this.#kept(info) ?? [])
  }

  async refresh(channel: string, options: AbortOptions = {}): Promise<KeptStanding | undefined> {
    const { payer, chain } = this.#components
    const info = await payer.refresh(channel, options)
    if (info.state !== 'closed') {
      this.#balances.set(channel, (await chain.readChannel(channel, options)).balance)
    }
    return this.#kept(info)
  }

  can(channel: string, action: StepAction): boolean {
    if (action !== 'close-together') {
      return action !== 'claim' && action !== 'claim-externally'
    }
    return this.#components.closeTogether !== undefined || this.#hasAgreement(channel)
  }

  async run(channel: string, action: StepAction, options: AbortOptions = {}): Promise<StepOutcome> {
    const { payer } = this.#components
    switch (action) {
      case 'top-up':
        await this.#topUp(channel, options)
        return { action, transaction: '' }
      case 'close-together':
        return { action, transaction: await this.#close(channel, options) }
      case 'start-close':
        return this.#closeAlone(channel, options)
      default:
        return { action, transaction: (await payer.finish(channel, options)).transaction }
    }
  }

  async #topUp(channel: string, options: AbortOptions): Promise<void> {
    const { payer } = this.#components
    const before = payer.list().find(c => c.channel === channel)
    const { deposit } = await payer.refill(channel, this.#deposits, options)
    if (deposit <= (before?.deposit ?? deposit)) {
      throw new MoneyError('DEPOSIT_OVER_LIMIT', `Channel ${channel} runs low, and the limits leave nothing to add`)
    }
  }

  /** With the agreement that is stored, or a new one. */
  async #close(channel: string, options: AbortOptions): Promise<string> {
    const { payer, closeTogether } = this.#components
    if (this.#hasAgreement(channel) || closeTogether === undefined) {
      try {
        return (await payer.close(channel, undefined, options)).transaction
      } catch (err) {
        // It counts for a while only: then it is dropped, or the contract refuses it.
        if (closeTogether === undefined || !['CLOSE_ORDER_MISSING', 'CHAIN_REFUSED'].includes(errorCode(err) ?? '')) {
          throw err
        }
      }
    }
    return (await this.#askToClose(closeTogether, channel, options)).closeTransaction
  }

  /** Asks the provider once more: alone, the money is locked for the challenge period and fees are higher. */
  async #closeAlone(channel: string, options: AbortOptions): Promise<StepOutcome> {
    const { payer, closeTogether } = this.#components
    if (closeTogether !== undefined) {
      const together = await this.#askToClose(closeTogether, channel, options).catch((err: unknown) => {
        if (!isNoAgreement(err)) {
          throw err
        }
      })
      if (together !== undefined) {
        return { action: 'close-together', transaction: together.closeTransaction }
      }
    }
    return { action: 'start-close', transaction: (await payer.startClose(channel, options)).transaction }
  }

  async #askToClose(closeTogether: CloseTogether, channel: string, options: AbortOptions): ReturnType<CloseTogether> {
    if (this.#components.payer.list().some(c => c.channel === channel && c.peerId === '')) {
      throw new NetworkError('PEER_UNREACHABLE', `The provider of the recovered channel ${channel} was not found yet`)
    }
    return closeTogether(channel, options)
  }

  #hasAgreement(channel: string): boolean {
    return this.#components.payer.list().some(c => c.channel === channel && c.closeAgreed)
  }

  #kept(info: PayerChannelInfo): KeptStanding | undefined {
    const { channel, openedLt, peerId, state, deposit, settled, pendingDeposit, ...rest } = info
    if (state === 'closed') {
      this.#balances.delete(channel)
      return undefined
    }
    const known = this.#balances.get(channel)
    const guess = known === undefined ? RESERVE_GUESS : ZERO_NANO_TON
    const balance = known ?? addNano(subNanoFloor(deposit, settled), guess)
    const standing = { ...rest, state, deposit, settled, balance, pendingDeposit: pendingDeposit > 0n }
    return {
      channel,
      openedLt,
      peerId,
      guessed: guess,
      next: ({ outOfReachSinceMs }, { policy, fees, nowMs }) =>
        nextPayerStep({ ...standing, outOfReachSinceMs }, policy, fees, nowMs)
    }
  }
}
