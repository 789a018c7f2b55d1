import Mocha from 'mocha'

/** How long after the last test the process may take to end by itself, in milliseconds. */
const LINGER_MS = 10_000

/**
 * mocha's `spec` output, closed by one line for machines: `12 passed, 0 failed, 1 skipped`.
 *
 * mocha does not end a process in which a test left a server, a timer or a child behind: such a run is failed
 * with the kinds of what is still open instead of hanging.
 */
export default class SummaryReporter extends Mocha.reporters.Spec {
  override epilogue(): void {
    super.epilogue()
    const { passes, failures, pending } = this.stats
    Mocha.reporters.Base.consoleLog(`${passes} passed, ${failures} failed, ${pending} skipped`)
    const linger = setTimeout(() => {
      const open = process.getActiveResourcesInfo().filter(kind => !/^(TTYWrap|PipeWrap|FSReqCallback)$/.test(kind))
      console.error(`The tests left something open: ${[...new Set(open)].join(', ')}`)
      // mocha sets the exit code once more while the process exits: this listener comes after its own.
      process.on('exit', () => {
        process.exitCode = 1
      })
      process.exit()
    }, LINGER_MS)
    linger.unref()
  }
}
