import { formatTon } from '../../core/nano-ton.ts'
import type { CliIo } from '../io.ts'
import type { Output } from '../output.ts'
import type { BatchTally } from './run-batch.ts'

/** Shows how far a batch is. */
export interface BatchProgress {
  update(tally: Readonly<BatchTally>): void
  stop(): void
}

/** A bar on a terminal, a line every tenth part elsewhere. */
export async function batchProgress(io: Pick<CliIo, 'stderr'>, output: Output, total: number): Promise<BatchProgress> {
  return io.stderr.isTTY === true && !output.json ? progressBar(io, total) : progressLines(output, total)
}

async function progressBar({ stderr }: Pick<CliIo, 'stderr'>, total: number): Promise<BatchProgress> {
  const { default: progress } = await import('cli-progress')
  const bar = new progress.SingleBar(
    {
      format: '{bar} {value}/{total}, {failed} failed, {price}, {eta_formatted} left',
      stream: stderr,
      hideCursor: true,
      // Ctrl-C is handled in one place.
      gracefulExit: false
    },
    progress.Presets.shades_classic
  )
  bar.start(total, 0, { failed: 0, price: formatTon(0n) })
  return {
    update: tally => bar.update(doneOf(tally), { failed: tally.failed, price: formatTon(tally.cost) }),
    stop: () => bar.stop()
  }
}

/** One line each time another tenth of the jobs is done. */
export function progressLines(output: Pick<Output, 'note'>, total: number): BatchProgress {
  let said = 0
  return {
    update(tally) {
      const tenth = Math.floor((doneOf(tally) * 10) / total)
      if (tenth > said) {
        said = tenth
        output.note(`${doneOf(tally)} of ${total} done, ${tally.failed} failed, ${formatTon(tally.cost)}`)
      }
    },
    stop: () => undefined
  }
}

function doneOf({ answered, failed }: Readonly<BatchTally>): number {
  return answered + failed
}
