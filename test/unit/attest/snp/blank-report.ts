/** A report in which nothing stands but a version, an algorithm and the policy bit that must be set, and what is given. */
export function blankReport(given: Readonly<Record<number, readonly number[]>>): Uint8Array {
  const report = new Uint8Array(0x4a0)
  report[0] = 2
  report[0x34] = 1
  report[0x0a] = 2
  for (const [offset, bytes] of Object.entries(given)) {
    report.set(bytes, Number(offset))
  }
  return report
}

/** `count` times `byte`. */
export function repeated(byte: number, count: number): number[] {
  return Array.from({ length: count }, () => byte)
}
