import { writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'

const { index, limitMs, seed } = workerData as { index: BigInt64Array; limitMs: number; seed: number }
const STEP_MS = 500

let seen = -1n
let sinceMs = performance.now()
setInterval(() => {
  const now = Atomics.load(index, 0)
  if (now !== seen) {
    seen = now
    sinceMs = performance.now()
  } else if (performance.now() - sinceMs > limitMs) {
    writeSync(2, `message ${now} of seed ${seed} hangs: not done after ${limitMs} ms\n`)
    process.kill(process.pid, 'SIGKILL')
  }
}, STEP_MS)
