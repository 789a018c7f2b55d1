import type { NanoTon } from '../core/nano-ton.ts'

/**
 * How many of the waiting transfers, oldest first, go out together: as many as the balance pays for with their fees.
 * 0 if not even the first one is paid for.
 *
 * @param fee of a message that carries this many transfers
 */
export function batchSize(
  values: readonly NanoTon[],
  balance: NanoTon,
  fee: (transfers: number) => NanoTon,
  limit: number
): number {
  let sum = 0n
  let size = 0
  for (const value of values.slice(0, limit)) {
    sum += value
    if (sum + fee(size + 1) > balance) {
      break
    }
    size++
  }
  return size
}
