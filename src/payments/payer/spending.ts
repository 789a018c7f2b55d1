import { MoneyError } from '../../core/errors.ts'
import { addNano, type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'

/** What the user lets this node spend. All of it is checked before anything is signed or sent. */
export interface SpendingLimits {
  /**
   * The most one job may cost, nanotons.
   * @default no limit
   */
  maxJobCost?: NanoTon
  /**
   * The most that is signed to providers in one UTC day, over all channels, nanotons.
   * @default no limit
   */
  maxSpendPerDay?: NanoTon
  /**
   * The most that is sent into channels in one UTC day, nanotons.
   * @default no limit
   */
  maxDepositPerDay?: NanoTon
}

/** `signed`: vouchers grew by it, so providers can claim it. `deposited`: it was sent into channels. */
export type SpendingKind = 'signed' | 'deposited'

/** What one UTC day cost. Credit that a job left over was signed once and counts once. */
export interface SpendingDay {
  /** `2026-01-31`. */
  day: string
  signed: NanoTon
  deposited: NanoTon
}

const DAY_MS = 86_400_000

export function emptyDay(day: string): SpendingDay {
  return { day, signed: ZERO_NANO_TON, deposited: ZERO_NANO_TON }
}

/** The UTC day of a Unix time in milliseconds. */
export function utcDay(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10)
}

/** When the UTC day of `nowMs` ends, Unix milliseconds. */
export function utcDayEndMs(nowMs: number): number {
  return (Math.floor(nowMs / DAY_MS) + 1) * DAY_MS
}

/** What a day may still cost; undefined where there is no limit. */
export function leftOfDay(spent: SpendingDay, kind: SpendingKind, limits: SpendingLimits): NanoTon | undefined {
  const limit = dayLimit(kind, limits)
  return limit === undefined ? undefined : subNanoFloor(limit, spent[kind])
}

/**
 * The day with `amount` more.
 *
 * @param resetsAtMs when the day ends, for the message
 * @throws {MoneyError} `SPENDING_DAY_LIMIT` or `DEPOSIT_DAY_LIMIT`, naming the limit, what is left and when it resets
 */
export function spendWithin(
  spent: SpendingDay,
  kind: SpendingKind,
  amount: NanoTon,
  limits: SpendingLimits,
  resetsAtMs: number
): SpendingDay {
  const left = leftOfDay(spent, kind, limits)
  if (left !== undefined && amount > left) {
    const limit = dayLimit(kind, limits) ?? ZERO_NANO_TON
    const [code, what, setting] =
      kind === 'signed'
        ? (['SPENDING_DAY_LIMIT', 'paid', 'client.maxSpendPerDay'] as const)
        : (['DEPOSIT_DAY_LIMIT', 'locked', 'client.maxDepositPerDay'] as const)
    throw new MoneyError(
      code,
      `${amount} nanotons more would have to be ${what} today: ${left} of ${setting}, ${limit}, are left until ${new Date(resetsAtMs).toISOString()}`,
      { details: { needed: amount, left, limit, resetsAtMs } }
    )
  }
  return { ...spent, [kind]: addNano(spent[kind], amount) }
}

/** @throws {MoneyError} `SPENDING_CAP` if a job that may cost so much is not allowed at all */
export function requireJobCost(cost: NanoTon, { maxJobCost }: SpendingLimits): void {
  if (maxJobCost !== undefined && cost > maxJobCost) {
    throw new MoneyError(
      'SPENDING_CAP',
      `The job may cost up to ${cost} nanotons and client.maxJobCost is ${maxJobCost}: ask for fewer tokens, or raise it`,
      { details: { cost, cap: maxJobCost } }
    )
  }
}

function dayLimit(kind: SpendingKind, { maxSpendPerDay, maxDepositPerDay }: SpendingLimits): NanoTon | undefined {
  return kind === 'signed' ? maxSpendPerDay : maxDepositPerDay
}
