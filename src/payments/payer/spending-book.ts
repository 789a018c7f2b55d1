import type { Clock } from '../../core/clock.ts'
import { addNano, type NanoTon, subNanoFloor } from '../../core/nano-ton.ts'
import type { LedgerWrite } from '../ledger/ledger.ts'
import {
  emptyDay,
  leftOfDay,
  requireJobCost,
  type SpendingDay,
  type SpendingKind,
  type SpendingLimits,
  spendWithin,
  utcDay,
  utcDayEndMs
} from './spending.ts'

/** An amount that counts against its day already. */
export interface SpendingGrant {
  /**
   * Makes it durable: commit it together with what it pays for. To be called right before that commit, so that days reach
   * the disk in the order they grew.
   */
  write: () => LedgerWrite
  /** What it was for did not happen. On disk it counts until the day's next change: too much, never too little. */
  cancel: () => void
}

/** What a day has seen and may still see. */
export interface SpendingToday extends SpendingDay {
  /** Undefined where there is no limit. */
  leftToSign: NanoTon | undefined
  leftToDeposit: NanoTon | undefined
  /** Unix milliseconds. */
  resetsAtMs: number
}

/**
 * Counts what all channels cost, by UTC day. Synchronous, so that channels whose turns run side by side can never pass a
 * limit together.
 */
export class SpendingBook {
  readonly #clock: Clock
  readonly #limits: SpendingLimits
  readonly #days = new Map<string, SpendingDay>()

  constructor(clock: Clock, limits: SpendingLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** Takes over days as they are on disk. */
  load(days: Iterable<SpendingDay>): void {
    for (const day of days) {
      this.#days.set(day.day, day)
    }
  }

  /**
   * Counts `amount` against today, if today has room for it.
   *
   * @throws {MoneyError} `SPENDING_DAY_LIMIT`, `DEPOSIT_DAY_LIMIT`
   */
  take(kind: SpendingKind, amount: NanoTon): SpendingGrant {
    const nowMs = this.#clock.nowMs()
    const day = this.#day(utcDay(nowMs))
    this.#set(spendWithin(day, kind, amount, this.#limits, utcDayEndMs(nowMs)))
    return { write: () => this.#write(day.day), cancel: () => void this.giveBack(kind, amount, nowMs) }
  }

  /** Counts what was signed by an earlier process that this ledger does not know of, limit or not. Commit it at once. */
  add(kind: SpendingKind, amount: NanoTon): LedgerWrite {
    const day = this.#day(utcDay(this.#clock.nowMs()))
    this.#set({ ...day, [kind]: addNano(day[kind], amount) })
    return this.#write(day.day)
  }

  /** Takes an amount off the day that it was counted on. Commit it at once. */
  giveBack(kind: SpendingKind, amount: NanoTon, atMs: number): LedgerWrite {
    const day = this.#day(utcDay(atMs))
    this.#set({ ...day, [kind]: subNanoFloor(day[kind], amount) })
    return this.#write(day.day)
  }

  /**
   * Checks whether a job that costs at most `cost` may begin now.
   *
   * @throws {MoneyError} `SPENDING_CAP`, `SPENDING_DAY_LIMIT`
   */
  requireJob(cost: NanoTon): void {
    requireJobCost(cost, this.#limits)
    const nowMs = this.#clock.nowMs()
    spendWithin(this.#day(utcDay(nowMs)), 'signed', cost, this.#limits, utcDayEndMs(nowMs))
  }

  /** @throws {MoneyError} `SPENDING_CAP` if no job may cost so much */
  requireCap(cost: NanoTon): void {
    requireJobCost(cost, this.#limits)
  }

  today(): SpendingToday {
    const nowMs = this.#clock.nowMs()
    const day = this.#day(utcDay(nowMs))
    return {
      ...day,
      leftToSign: leftOfDay(day, 'signed', this.#limits),
      leftToDeposit: leftOfDay(day, 'deposited', this.#limits),
      resetsAtMs: utcDayEndMs(nowMs)
    }
  }

  #day(day: string): SpendingDay {
    return this.#days.get(day) ?? emptyDay(day)
  }

  #set(day: SpendingDay): void {
    this.#days.set(day.day, day)
  }

  #write(day: string): LedgerWrite {
    return { kind: 'spending', record: this.#day(day) }
  }
}
