import type { SimnetContext } from './context.ts'
import { readJournal } from './journal.ts'
import { simnetFolder } from './network-file.ts'
import { notRunning } from './not-running.ts'
import { stopProcess } from './process/stop.ts'
import { tearDown } from './tear-down.ts'

/**
 * `simnet down`: stops what runs, removes what it wrote.
 *
 * @throws {EnvironmentError} `SIMNET_NOT_RUNNING`, `SIMNET_STOP_FAILED`, `SIMNET_FILE_INVALID`
 */
export async function down(options: { dir?: string; keep?: boolean }, { output }: SimnetContext): Promise<void> {
  const folder = simnetFolder(options.dir)
  const journal = await readJournal(folder)
  if (journal === undefined) {
    throw notRunning(folder)
  }
  if (!journal.outlivesOwner) {
    // Still being started: whoever does so cleans up when told to end.
    await stopProcess(journal.owner)
  }
  const keep = options.keep === true
  const stopped = await tearDown(folder, { keep })
  output.result({ folder, kept: keep, stopped: stopped.map(process => ({ ...process })) }, () =>
    [
      ...stopped.map(({ name, pid, outcome }) => `${name} (process ${pid}) ${OUTCOMES[outcome]}`),
      keep ? `Files are kept in ${folder}` : `Removed ${folder}`
    ].join('\n')
  )
}

const OUTCOMES = {
  stopped: 'stopped',
  killed: 'did not stop and was killed',
  gone: 'had ended before'
} as const
