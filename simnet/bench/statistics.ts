/** Median of some numbers; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits))
}

/** Minimum, median and maximum, as they stand in the report. */
export function spread(values: readonly number[], digits = 1): { min: number; median: number; max: number } {
  return {
    min: round(Math.min(...values), digits),
    median: round(median(values), digits),
    max: round(Math.max(...values), digits)
  }
}

/** Median with the values that a quarter lie below and above. */
export function quartiles(values: readonly number[], digits = 1): { lower: number; median: number; upper: number } {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN
  return { lower: round(at(0.25), digits), median: round(median(sorted), digits), upper: round(at(0.75), digits) }
}
