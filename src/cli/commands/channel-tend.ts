import { systemClock } from '../../core/clock.ts'
import type { CommandContext } from '../context.ts'
import { lateNote } from '../late-note.ts'
import type { PlannedStep, StepAction, StepReport } from '../node-port.ts'
import type { Output } from '../output.ts'
import { describeLost, describeReport, reportObject } from '../step-text.ts'
import { withAccount, withClient } from '../with-node.ts'

export interface TendOptions {
  watch?: boolean
  retry?: boolean
}

/** Steps that need no provider on the mesh. */
const CHAIN_STEPS: readonly StepAction[] = ['claim', 'claim-externally', 'finish']

/** Takes the steps that are due, now; with `--watch` also those that become due. */
export async function tendChannels(context: CommandContext, { watch, retry }: TendOptions): Promise<void> {
  const tell = (report: StepReport): void => context.output.result(reportObject(report), () => describeReport(report))
  const reports: StepReport[] = []
  if (watch === true) {
    await tendOnMesh(context, { again: retry === true, stay: true }, tell)
    return
  }
  const left = await tendOnChain(context, retry === true, report => {
    reports.push(report)
    tell(report)
  })
  if (left.some(({ step }) => step.action !== 'none' && (step.atMs ?? 0) <= systemClock.nowMs())) {
    await tendOnMesh(context, { again: false, stay: false }, report => {
      reports.push(report)
      tell(report)
    })
  }
  if (reports.length === 0) {
    context.output.note('Nothing is due: "cocoon-node channel list" tells what comes next.')
  }
  if (reports.some(({ failure }) => failure !== undefined)) {
    context.exitCode = 7
  }
}

/** @returns what is to be done next after it */
async function tendOnChain(
  context: CommandContext,
  again: boolean,
  tell: (report: StepReport) => void
): Promise<PlannedStep[]> {
  const { output, signal } = context
  return withAccount(context, async ({ payer, payee, steward }) => {
    const waiting = lateNote(output, 'Waiting for the chain…')
    try {
      await Promise.all([payer.start({ signal }), payee.start({ signal })])
      if (again) {
        await steward.forgetFailures()
      }
      const reports = await steward.tend({ signal, only: CHAIN_STEPS })
      reports.forEach(tell)
      return await steward.plan({ signal })
    } finally {
      waiting.done()
    }
  })
}

/** Closing together takes the provider. */
async function tendOnMesh(
  context: CommandContext,
  { again, stay }: { again: boolean; stay: boolean },
  tell: (report: StepReport) => void
): Promise<void> {
  const { output, signal } = context
  await withClient(
    context,
    config => config,
    async (_client, { care }) => {
      const waiting = lateNote(output, 'Waiting for providers and the chain…')
      await care.tend({ signal, again }).finally(waiting.done)
      if (stay) {
        output.note('Looking after the channels until Ctrl-C.')
        await untilAborted(signal)
      }
    },
    { onStep: tell, onLost: lost => tellLost(output, lost) }
  )
}

function tellLost(output: Output, lost: Parameters<typeof describeLost>[0]): void {
  output.result({ event: 'lost', channel: lost.channel, lostNano: lost.lost }, () => describeLost(lost))
}

/** Ctrl-C is how it is ended: that is no failure. */
function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise(end => {
    if (signal.aborted) {
      end()
    } else {
      signal.addEventListener('abort', () => end(), { once: true })
    }
  })
}
