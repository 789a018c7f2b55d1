/**
 * How many of the waiting transfers, oldest first, go out together: as many as the balance pays for with their fees.
 * 0 if not even the first one is paid for.
 *
 * @param needOf what a message with these transfers takes from the wallet; more for more
 */
export function batchSize<T>(
  waiting: readonly T[],
  balance: bigint,
  needOf: (transfers: readonly T[]) => bigint
): number {
  let [fits, tooMany] = [0, waiting.length + 1]
  while (tooMany - fits > 1) {
    const size = Math.floor((fits + tooMany) / 2)
    if (needOf(waiting.slice(0, size)) <= balance) {
      fits = size
    } else {
      tooMany = size
    }
  }
  return fits
}
