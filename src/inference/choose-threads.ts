/** More threads must be this much faster to be worth their cores. */
const WORTHWHILE = 1.05
/** More never helped one answer in what was measured, and starves the rest of the machine. */
const MOST_THREADS = 8

/**
 * Tries one thread, two and so on, and stops at the first count that is not worth it. llama.cpp's threads
 * spin: on a machine with few or busy cores a second one can make it twenty times slower, so no rule of
 * thumb replaces measuring.
 *
 * @param cores processors of this machine
 * @param measure tokens per second with this many threads
 */
export async function chooseThreads(cores: number, measure: (threads: number) => Promise<number>): Promise<number> {
  let best = 1
  let bestSpeed = await measure(1)
  for (let threads = 2; threads <= Math.min(cores, MOST_THREADS); threads++) {
    const speed = await measure(threads)
    if (speed < bestSpeed * WORTHWHILE) {
      break
    }
    best = threads
    bestSpeed = speed
  }
  return best
}
