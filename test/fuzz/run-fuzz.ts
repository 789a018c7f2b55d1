import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { FuzzRandom } from './random.ts'
import { Watchdog } from './watchdog.ts'

/** Something that takes hostile messages. */
export interface FuzzTarget {
  /** Feeds one message made of `random`'s choices and returns what came of it: an error's code, or a word. */
  feed(random: FuzzRandom): Promise<string>
  /** All that no hostile message may change, as text. */
  fingerprint(): string
  /** Codes that a long run should reach; it says which it did not. */
  readonly codes?: readonly string[]
  /**
   * The longest that one message may take, milliseconds.
   *
   * @default 10_000
   */
  readonly limitMs?: number
}

export interface FuzzInit {
  seed: number
  /** Index of the first message: a run that was cut goes on from here. */
  from: number
  frames: number
  /**
   * Told now and then.
   * @default silent
   */
  onProgress?: (done: number) => void
}

export interface FuzzReport {
  frames: number
  /** What came of the messages, and how often. */
  outcomes: Map<string, number>
  /** By surface, the first word of an outcome. */
  surfaces: Map<string, SurfaceReport>
  /** Heap and buffers in use after a collection, bytes: once warm, and at the end. */
  heapWarm: number
  heapEnd: number
  elapsedMs: number
}

export interface SurfaceReport {
  frames: number
  elapsedMs: number
  slowestMs: number
}

/** Growth of the live heap from a tenth of the run to its end that is still noise, bytes. */
const HEAP_SLACK = 4 * 1024 * 1024

/** One message may not take longer: it would hang a node. */
const HANG_MS = 10_000

/** What a watchdog adds for a machine that does other things too, milliseconds. */
const SLACK_MS = 20_000

/**
 * Feeds messages and compares the fingerprint after each.
 *
 * @throws {AssertionError} naming seed and index if a message changed what it may not, was answered by an error that is
 *   not ours, hung, or if memory grew
 */
export async function runFuzz(target: FuzzTarget, init: FuzzInit): Promise<FuzzReport> {
  const { limitMs = HANG_MS } = target
  const watchdog = new Watchdog(limitMs + SLACK_MS, init.seed)
  try {
    return await feedAll(target, init, limitMs, watchdog)
  } finally {
    await watchdog.stop()
  }
}

async function feedAll(target: FuzzTarget, init: FuzzInit, limitMs: number, watchdog: Watchdog): Promise<FuzzReport> {
  const { seed, from, frames, onProgress } = init
  const outcomes = new Map<string, number>()
  const surfaces = new Map<string, SurfaceReport>()
  const before = target.fingerprint()
  const warmAt = from + Math.floor(frames / 10)
  const step = Math.max(1, Math.floor(frames / 20))
  const startMs = performance.now()
  let heapWarm = 0
  for (let index = from; index < from + frames; index++) {
    const at = `message ${index} of seed ${seed}`
    watchdog.begins(index)
    const fedMs = performance.now()
    const outcome = await withinLimit(target.feed(new FuzzRandom(seed, index)), at, limitMs).catch((err: unknown) => {
      throw new assert.AssertionError({
        message: `${at}: ${err instanceof Error ? (err.stack ?? err.message) : String(err)}`
      })
    })
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    const tookMs = performance.now() - fedMs
    assert.ok(tookMs < limitMs, `${at} took ${tookMs.toFixed(0)} ms (${outcome})`)
    addTo(surfaces, outcome.split(' ', 1)[0] ?? '', tookMs)
    assert.equal(target.fingerprint(), before, `${at} changed something (${outcome})`)
    if (index === warmAt) {
      heapWarm = await liveHeap()
    }
    if ((index - from) % step === 0) {
      onProgress?.(index - from)
    }
  }
  const heapEnd = await liveHeap()
  assert.ok(heapEnd - heapWarm < HEAP_SLACK, `the heap grew from ${heapWarm} to ${heapEnd} bytes, seed ${seed}`)
  return { frames, outcomes, surfaces, heapWarm, heapEnd, elapsedMs: performance.now() - startMs }
}

function addTo(surfaces: Map<string, SurfaceReport>, surface: string, tookMs: number): void {
  const { frames, elapsedMs, slowestMs } = surfaces.get(surface) ?? { frames: 0, elapsedMs: 0, slowestMs: 0 }
  surfaces.set(surface, {
    frames: frames + 1,
    elapsedMs: elapsedMs + tookMs,
    slowestMs: Math.max(slowestMs, tookMs)
  })
}

/** What is alive after a collection. */
async function liveHeap(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // Finalizers run between turns of the event loop.
  collect()
  await new Promise(setImmediate)
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function withinLimit<T>(task: Promise<T>, at: string, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const hang = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${at} was not answered within ${limitMs} ms`)), limitMs)
  })
  try {
    return await Promise.race([task, hang])
  } finally {
    clearTimeout(timer)
  }
}
