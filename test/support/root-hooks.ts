/**
 * Loaded by every test run (`bin/run.js`). mocha passes a test that left an unhandled rejection behind unless
 * somebody rethrows it: here it becomes an uncaught exception, which fails the test under way, or the whole run.
 */
function rethrow(reason: unknown): never {
  throw reason instanceof Error ? reason : new Error(`Unhandled rejection: ${String(reason)}`)
}

/** Rejections are reported a turn of the loop later: one left by a test's last line would fall after the run. */
async function nextTurn(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}

export const mochaHooks = {
  afterEach: nextTurn
}

process.on('unhandledRejection', rethrow)
