import { type NanoTon, nanoTon, subNanoFloor, ZERO_NANO_TON } from '../../../../src/core/nano-ton.ts'
import type { ChainFees } from '../../../../src/payments/chain.ts'
import type { NextStep } from '../../../../src/payments/lifecycle/next-step.ts'
import { nextPayeeStep } from '../../../../src/payments/lifecycle/payee-step.ts'
import { nextPayerStep } from '../../../../src/payments/lifecycle/payer-step.ts'
import type { ChannelPolicy } from '../../../../src/payments/lifecycle/policy.ts'
import {
  afterMiss,
  afterNoAnswer,
  beginTry,
  heldBack,
  NO_TRIES,
  type StepTries
} from '../../../../src/payments/lifecycle/tries.ts'
import { HOUR, NOW } from './standings.ts'

export interface ModelInit {
  deposit: bigint
  reserve: bigint
  /** Promised to the payee, of which `paid` is on chain. */
  promised: bigint
  paid: bigint
  fees: ChainFees
  policy: ChannelPolicy
  challengeHours: number
  state: 'open' | 'closing' | 'challenged'
  /** How old the state is. */
  idleHours: number
  /** Whether the provider agrees to close when it is asked. */
  agrees: boolean
  walletPays: boolean
  /** Hours in which each side's process runs; it is off in between. */
  payerUp: (hour: number) => boolean
  payeeUp: (hour: number) => boolean
  /** Hours in which messages cost their fee and fail. */
  fails: (hour: number) => boolean
}

type Side = 'payer' | 'payee'

/** A channel with its chain and both sides as hours pass; every message and fee is booked. */
export class LifecycleModel {
  readonly #init: ModelInit
  #chain: 'open' | 'closing' | 'gone'
  #retired: boolean
  #balance: bigint
  #settled: bigint
  #closeAtMs = 0
  #nowMs = NOW
  readonly spent: Record<Side, bigint> = { payer: 0n, payee: 0n }
  readonly got: Record<Side, bigint> = { payer: 0n, payee: 0n }
  readonly messages: Array<{ side: Side; action: string; failed: boolean }> = []
  readonly #tries: Record<Side, StepTries> = { payer: NO_TRIES, payee: NO_TRIES }

  constructor(init: ModelInit) {
    this.#init = init
    this.#chain = init.state === 'challenged' ? 'closing' : 'open'
    this.#retired = init.state !== 'open'
    this.#settled = init.paid
    this.#balance = init.deposit - init.paid + init.reserve
    if (this.#chain === 'closing') {
      this.#closeAtMs = NOW + init.challengeHours * HOUR
    }
  }

  get state(): string {
    return this.#chain
  }

  /** What is still in the channel for each side, at most. */
  get left(): Record<Side, bigint> {
    const claimable = this.#init.promised - this.#settled
    return this.#chain === 'gone' ? { payer: 0n, payee: 0n } : { payer: this.#balance - claimable, payee: claimable }
  }

  /** The side's next step, as its steward would take it. */
  step(side: Side): NextStep {
    const { fees, policy } = this.#init
    const next = side === 'payer' ? this.#payerStep() : this.#payeeStep()
    if (next.reason === 'nothing-owed' || next.reason === 'closed') {
      this.#tries[side] = NO_TRIES
    }
    assertDefined(next, fees)
    return heldBack(next, 1n, this.#tries[side], policy, this.#nowMs)
  }

  /** Lets one hour pass. */
  hour(hour: number): void {
    const sides: Side[] = hour % 2 === 0 ? ['payee', 'payer'] : ['payer', 'payee']
    for (const side of sides) {
      const up = side === 'payer' ? this.#init.payerUp : this.#init.payeeUp
      const step = this.step(side)
      if (up(hour) && step.action !== 'none' && (step.atMs ?? Infinity) <= this.#nowMs) {
        this.#take(side, step, this.#init.fails(hour))
      }
    }
    this.#nowMs += HOUR
  }

  #take(side: Side, step: NextStep, fails: boolean): void {
    const begun = beginTry(step, 1n, this.#tries[side], this.#nowMs)
    const asks = step.action === 'close-together'
    if (asks && !this.#init.agrees) {
      this.#retired = true
      this.#tries[side] = afterNoAnswer(afterMiss(begun, step.fee, this.#nowMs), this.#nowMs)
      return
    }
    this.messages.push({ side, action: step.action, failed: fails })
    this.spent[side] += this.#price(step)
    if (fails) {
      this.#tries[side] = begun
      return
    }
    this.#tries[side] = NO_TRIES
    this.#apply(step)
  }

  #price({ action }: NextStep): bigint {
    const { fees } = this.#init
    const prices: Record<string, NanoTon> = {
      claim: fees.claim,
      'claim-externally': fees.externalClaim,
      'close-together': fees.coopClose,
      'start-close': fees.startClose,
      finish: fees.finish
    }
    return prices[action] ?? ZERO_NANO_TON
  }

  #apply({ action }: NextStep): void {
    const { promised, challengeHours } = this.#init
    switch (action) {
      case 'claim':
      case 'claim-externally':
        this.#pay(promised)
        return
      case 'close-together':
        this.#pay(promised)
        this.#end()
        return
      case 'start-close':
        this.#chain = 'closing'
        this.#retired = true
        this.#closeAtMs = this.#nowMs + challengeHours * HOUR
        return
      case 'finish':
        this.#end()
        return
      default:
        throw new Error(`The model has no ${action}`)
    }
  }

  #pay(total: bigint): void {
    this.got.payee += total - this.#settled
    this.#balance -= total - this.#settled
    this.#settled = total
  }

  #end(): void {
    this.got.payer += this.#balance
    this.#balance = 0n
    this.#chain = 'gone'
  }

  #payerStep(): NextStep {
    const { deposit, promised, policy, fees, idleHours } = this.#init
    const usedAtMs = NOW - idleHours * HOUR
    return nextPayerStep(
      {
        state: this.#chain === 'gone' ? 'closed' : this.#retired ? 'closing' : 'open',
        deposit: nanoTon(deposit),
        settled: nanoTon(this.#settled),
        signed: nanoTon(promised),
        room: subNanoFloor(nanoTon(deposit), nanoTon(promised)),
        balance: nanoTon(this.#balance),
        closeAtMs: this.#chain === 'closing' ? this.#closeAtMs : 0,
        openedAtMs: usedAtMs,
        lastUsedAtMs: usedAtMs,
        runningJobs: 0,
        pendingDeposit: false,
        outOfReachSinceMs: this.#tries.payer.outOfReachSinceMs
      },
      { ...policy, topUpBelow: ZERO_NANO_TON },
      fees,
      this.#nowMs
    )
  }

  #payeeStep(): NextStep {
    const { promised, policy, fees, idleHours, walletPays } = this.#init
    const usedAtMs = NOW - idleHours * HOUR
    return nextPayeeStep(
      {
        state: this.#chain === 'gone' ? 'closed' : this.#chain,
        claimable: nanoTon(this.#chain === 'gone' ? 0n : promised - this.#settled),
        closeAtMs: this.#chain === 'closing' ? this.#closeAtMs : 0,
        unclaimedSinceMs: usedAtMs,
        lastUsedAtMs: usedAtMs,
        agreedUntilMs: 0,
        walletPays
      },
      policy,
      fees,
      this.#nowMs
    )
  }
}

/** Every state has a next step, or a reason for none. */
function assertDefined(step: NextStep, fees: ChainFees): void {
  if (
    step.action === 'none'
      ? step.atMs !== undefined
      : step.atMs === undefined ||
        step.fee > fees.startClose + fees.finish + fees.coopClose + fees.claim + fees.externalClaim
  ) {
    throw new Error(`An undefined step: ${step.action} ${step.reason} ${step.atMs}`)
  }
}
