import { UsageError } from './errors.ts'

declare const brand: unique symbol

/** An amount of TON in nanotons (1 TON = 10⁹). Never a `number`, never negative. */
export type NanoTon = bigint & { readonly [brand]: 'NanoTon' }

/** The symbol shown to people. The one place that names it. */
export const COIN_SYMBOL = 'TON'

/** Largest amount a `Coins` field (VarUInteger 16) can carry. */
export const MAX_NANO_TON = (1n << 120n) - 1n

const DECIMALS = 9
const NANO = 10n ** BigInt(DECIMALS)

export const ZERO_NANO_TON: NanoTon = 0n as NanoTon

/**
 * Brands a bigint as an amount.
 *
 * @throws {UsageError} `AMOUNT_OUT_OF_RANGE` if it is negative or does not fit `Coins`
 */
export function nanoTon(value: bigint): NanoTon {
  if (value < 0n || value > MAX_NANO_TON) {
    throw new UsageError('AMOUNT_OUT_OF_RANGE', `Amount ${value} is out of range: expected 0 to 2^120-1 nanotons`)
  }
  return value as NanoTon
}

export function addNano(a: NanoTon, b: NanoTon): NanoTon {
  return nanoTon(a + b)
}

/** `a - b`, or zero if `b` is larger. */
export function subNanoFloor(a: NanoTon, b: NanoTon): NanoTon {
  return (a > b ? a - b : 0n) as NanoTon
}

export function maxNano(a: NanoTon, b: NanoTon): NanoTon {
  return a > b ? a : b
}

export function minNano(a: NanoTon, b: NanoTon): NanoTon {
  return a < b ? a : b
}

/**
 * Parses a decimal amount of whole coins, e.g. `"0.25"`, to nanotons.
 *
 * @throws {UsageError} `AMOUNT_INVALID` if it is not a plain decimal with at most 9 places, `AMOUNT_OUT_OF_RANGE`
 */
export function parseTon(text: string): NanoTon {
  const match = /^(\d{1,28})(?:\.(\d{1,9}))?$/.exec(text.trim())
  if (match?.[1] === undefined) {
    throw new UsageError(
      'AMOUNT_INVALID',
      `"${text}" is not an amount: expected ${COIN_SYMBOL} with at most 9 decimals, like 0.25`
    )
  }
  return nanoTon(BigInt(match[1]) * NANO + BigInt((match[2] ?? '').padEnd(DECIMALS, '0')))
}

/** Exact decimal text of whole coins without the symbol, e.g. `0.25`. Accepts differences below zero. */
export function formatTonAmount(amount: bigint): string {
  const sign = amount < 0n ? '-' : ''
  const abs = amount < 0n ? -amount : amount
  const fraction = (abs % NANO).toString().padStart(DECIMALS, '0').replace(/0+$/, '')
  return `${sign}${abs / NANO}${fraction === '' ? '' : `.${fraction}`}`
}

/** `0.25 TON`. */
export function formatTon(amount: bigint): string {
  return `${formatTonAmount(amount)} ${COIN_SYMBOL}`
}
