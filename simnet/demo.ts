import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRunning } from '../src/config/process-identity.ts'
import { bringUp } from './bring-up.ts'
import { folderError } from './claim-folder.ts'
import type { SimnetContext } from './context.ts'
import { demoQuestion } from './demo-question.ts'
import { DemoReport } from './demo-report.ts'
import { DemoRun } from './demo-run.ts'
import { ExitGuard } from './exit-guard.ts'
import { readJournal } from './journal.ts'
import { Phases } from './phases.ts'
import { Screen, usesColour } from './screen.ts'
import { tearDown } from './tear-down.ts'
import { checkModel } from './up.ts'

const FOLDER_PREFIX = 'cocoon-demo-'

/**
 * `simnet demo`: a network of its own in a temporary folder, one question answered and paid for, every nanoton accounted
 * for, and nothing left behind.
 *
 * @throws the errors of `bringUp` and of the client it runs
 * @throws {CocoonError} `SIMNET_SHEET_MISMATCH`, `SIMNET_TRANSACTION_MISSING`
 */
export async function demo(
  words: string[],
  options: { providers: number; model?: string },
  context: SimnetContext
): Promise<void> {
  const { env, output, signal } = context
  const modelPath = await checkModel(options.model)
  const folder = await makeFolder()
  const guard = new ExitGuard()
  guard.watchFolder(folder)
  const phases = new Phases()
  const screen = new Screen(
    output.json ? () => undefined : text => output.stream(text),
    usesColour(process.stdout, env)
  )
  const report = new DemoReport(screen, options.providers)
  try {
    report.begin()
    const network = await bringUp(
      { folder, providers: options.providers, outlivesOwner: false, ...(modelPath === undefined ? {} : { modelPath }) },
      { guard, phases, onProgress: what => (output.json ? output.note(what) : screen.lines(what)) },
      { signal }
    )
    const result = await new DemoRun(network, phases, report, signal).run(demoQuestion(words))
    await phases.time('down', () => tearDown(folder))
    report.end(phases.totalMs)
    if (output.json) {
      output.event({ ...result, phasesMs: phases.durations, totalMs: phases.totalMs })
    }
  } finally {
    await tearDown(folder, { graceMs: 2_000 })
    await rm(folder, { recursive: true, force: true })
    guard.dispose()
  }
}

async function makeFolder(): Promise<string> {
  try {
    await sweepCrashedDemos()
    return await mkdtemp(join(tmpdir(), FOLDER_PREFIX))
  } catch (err) {
    throw folderError(tmpdir(), err)
  }
}

/** What demos left that were killed: a demo that cannot clean up after itself has no owner any more. */
async function sweepCrashedDemos(): Promise<void> {
  const names = (await readdir(tmpdir())).filter(name => name.startsWith(FOLDER_PREFIX))
  for (const name of names) {
    const folder = join(tmpdir(), name)
    // Another user's, or not one of ours: none of our business.
    const journal = await readJournal(folder).catch(() => undefined)
    if (journal?.outlivesOwner === false && !(await isRunning(journal.owner))) {
      await tearDown(folder)
      await rm(folder, { recursive: true, force: true })
    }
  }
}
