import type { Command } from 'commander'
import { systemClock } from '../../core/clock.ts'
import { errorCode } from '../../core/errors.ts'
import { type BatchPlan, planBatch, readJobs } from '../batch/batch-input.ts'
import { type BatchReport, renderReport, reportError, reportObject } from '../batch/batch-report.ts'
import { automaticParallel, MAX_PARALLEL } from '../batch/parallelism.ts'
import { batchProgress } from '../batch/progress.ts'
import { type OpenResults, openResults, requireDifferentFiles } from '../batch/result-file.ts'
import { type BatchTally, runBatch } from '../batch/run-batch.ts'
import { type ClientOptions, clientOverrides } from '../client-overrides.ts'
import type { CommandContext } from '../context.ts'
import { findModel, SEARCH_TIMEOUT_MS } from '../find-model.ts'
import { knownModel } from '../model-choice.ts'
import { newCommand } from '../new-command.ts'
import type { AdvertisedProvider, CliClient } from '../node-port.ts'
import { amount, wholeNumber } from '../option-values.ts'
import { type Sealing, sealingOf, sealingText, withSealingOptions } from '../sealing.ts'
import { withClient } from '../with-node.ts'

interface SubmitOptions extends Pick<ClientOptions, 'maxPrice' | 'privacy' | 'suite'> {
  output: string
  parallel?: number
}

const NOTED_LINES = 20
const NOTHING: BatchTally = { answered: 0, failed: 0, completionTokens: 0, cost: 0n, paid: 0n }

/** `cocoon-node submit` */
export function submitCommand(context: CommandContext): Command {
  const command = newCommand('submit', {
    summary: 'Ask a file of questions, several at once',
    description:
      'Reads lines of an OpenAI batch, asks them over all providers and writes lines of an OpenAI batch output, each\n' +
      'on the disk before the next. Run it again after a cut: what is finished is not asked or paid twice; failed\n' +
      'jobs are tried again. An id counts as finished whatever its line says now.',
    examples: [
      ['cocoon-node submit in.jsonl -o out.jsonl', 'as many at once as there are free slots'],
      ['cocoon-node submit in.jsonl -o out.jsonl --parallel 8', 'eight at once'],
      ['cocoon-node submit in.jsonl -o out.jsonl --json', 'the tally for programs']
    ]
  })
    .argument('<input>', 'lines {"custom_id","method":"POST","url":"/v1/chat/completions","body":{…}}')
    .requiredOption('-o, --output <file>', 'where results go; what it holds already is kept')
    .option('--parallel <n>', 'jobs under way at once', wholeNumber('--parallel', 1, MAX_PARALLEL))
    .option('--max-price <TON>', 'most paid per million tokens, prompt or answer', amount('--max-price'))
  return withSealingOptions(command).action((input: string, options: SubmitOptions) => submit(context, input, options))
}

async function submit(context: CommandContext, input: string, options: SubmitOptions): Promise<void> {
  const { output, signal } = context
  await requireDifferentFiles(input, options.output)
  const plan = await planBatch(input, { signal })
  for (const { message } of plan.invalid.slice(0, NOTED_LINES)) {
    output.note(message)
  }
  const results = await openResults(options.output, customId => plan.ids.has(customId), { signal })
  try {
    noteResume(context, results)
    const todo = [...plan.ids.keys()].filter(customId => !results.finished.has(customId)).length
    const tally = todo === 0 ? NOTHING : await runJobs(context, input, plan, results, todo, options)
    finish(context, { ...tally, output: options.output, skipped: plan.ids.size - todo, invalid: plan.invalid })
  } finally {
    await results.writer.close()
  }
}

function noteResume({ output }: CommandContext, { repaired, retried }: OpenResults): void {
  if (repaired) {
    output.note('The last line of the output was cut short by an earlier end: that job runs again.')
  }
  if (retried > 0) {
    output.note(`${retried} failed job(s) of an earlier run are tried again.`)
  }
}

/** Answers of earlier runs that travelled otherwise stay in the same file, but not without a word. */
function noteOtherSealings({ output }: CommandContext, earlier: OpenResults['sealings'], sealing: Sealing): void {
  const now = sealingText(sealing)
  for (const [text, count] of earlier) {
    if (text !== now) {
      output.note(
        `${count} finished answer(s) of the output came with ${text}, and are not asked again; this run uses ${now}. For one of them only, name another file with -o.`
      )
    }
  }
}

async function runJobs(
  context: CommandContext,
  input: string,
  plan: BatchPlan,
  { finished, sealings, writer }: OpenResults,
  todo: number,
  options: SubmitOptions
): Promise<BatchTally> {
  const { io, output, pause, signal } = context
  return withClient(context, clientOverrides(options), async (client, node) => {
    const sealing = sealingOf(node)
    noteOtherSealings(context, sealings, sealing)
    const parallel = Math.min(
      todo,
      options.parallel ?? automaticParallel(await providersOf(client, plan.models, signal))
    )
    const progress = await batchProgress(io, output, todo)
    let done = 0
    try {
      const jobs = readJobs(input, plan, customId => !finished.has(customId), { signal })
      return await runBatch(
        jobs,
        {
          clock: systemClock,
          sealing,
          ask: (request, withSignal) => client.ask(request, withSignal),
          findModel: (name, withSignal) => findModel(client, name, withSignal.signal),
          append: line => writer.append(line),
          pause,
          onProgress: tally => {
            done = tally.answered + tally.failed
            progress.update(tally)
          }
        },
        { parallel },
        signal
      )
    } catch (err) {
      output.note(`${done} of ${todo} done and kept: run the same command again to go on.`)
      throw err
    } finally {
      progress.stop()
    }
  })
}

/** Everyone who may serve these models. Nobody is no failure here: the jobs say so one by one. */
async function providersOf(
  client: CliClient,
  models: ReadonlySet<string>,
  signal: AbortSignal
): Promise<AdvertisedProvider[]> {
  const digests = new Set([...models].map(name => knownModel(name)?.digestHex))
  const found: AdvertisedProvider[] = []
  for (const modelDigestHex of digests) {
    const query = modelDigestHex === undefined ? {} : { modelDigestHex }
    try {
      for await (const provider of client.providers(query, { signal, timeoutMs: SEARCH_TIMEOUT_MS })) {
        found.push(provider)
      }
    } catch (err) {
      // A provider may publish what it offers only after it met us: the jobs wait for it.
      if (errorCode(err) !== 'NO_PROVIDERS') {
        throw err
      }
    }
  }
  return found
}

function finish({ output }: CommandContext, report: BatchReport): void {
  output.result(reportObject(report), () => renderReport(report))
  const error = reportError(report)
  if (error !== undefined) {
    throw error
  }
}
