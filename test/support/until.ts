/**
 * Waits until a condition holds, looking again every few milliseconds.
 *
 * @throws {Error} if it does not hold within `limitMs`
 */
export async function until(holds: () => boolean | Promise<boolean>, limitMs = 5_000): Promise<void> {
  const deadlineMs = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > deadlineMs) {
      throw new Error(`The condition did not hold within ${limitMs} ms: ${holds.toString()}`)
    }
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
