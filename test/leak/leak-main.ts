import { commandOptions } from '../../simnet/command-options.ts'
import { defaultModelPath, openLlamaEngine } from '../../src/inference/index.ts'
import { PRIVACY_MODES } from '../../src/wire/job-request.ts'
import { type Accuracy, classify } from './classify.ts'
import { traceNetwork } from './network.ts'
import { PROMPT_CLASSES } from './prompts.ts'
import { type Recording, recordAnswers } from './record.ts'
import { MODES, replay } from './replay.ts'
import type { Trace } from './trace.ts'

// How well a classifier tells which of 24 questions was asked from sizes and times of what passes between enclave and
// client. `--network` asks over a mesh of the whole product as well, which takes some minutes.

const USAGE =
  'npm run leak -- [--samples 20] [--max-tokens 200] [--speed 50] [--seed 1] [--json] [--network [--network-samples 12] [--network-max-tokens 100]]'

const { values, whole } = commandOptions(USAGE, {
  options: {
    samples: { type: 'string', default: '20' },
    'max-tokens': { type: 'string', default: '200' },
    speed: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    network: { type: 'boolean', default: false },
    'network-samples': { type: 'string', default: '12' },
    'network-max-tokens': { type: 'string', default: '100' },
    json: { type: 'boolean', default: false }
  }
})
const seed = whole('seed', 0)
const samples = whole('samples', 5, 1_000)
const maxTokens = whole('max-tokens', 1, 4_096)
const tokensPerSecond = whole('speed', 1, 100_000)
const networkSamples = whole('network-samples', 5, 1_000)
const networkMaxTokens = whole('network-max-tokens', 1, 4_096)

interface Row {
  where: string
  mode: string
  accuracy: Accuracy[]
  distinct: number
  /** Of one answer, on average. */
  seconds: number
  kilobytes: number
}

const rows: Row[] = []
await measureReplay()
if (values.network) {
  await measureNetwork()
}
if (values.json) {
  console.log(JSON.stringify({ classes: PROMPT_CLASSES.length, chance: 1 / PROMPT_CLASSES.length, rows }, null, 2))
}

/** Answers recorded once, at the pace they would have on a larger model, through each mode's writer. */
async function measureReplay(): Promise<void> {
  const engine = await openLlamaEngine({ modelPath: defaultModelPath(), threads: 1, slots: 1 })
  let recordings: Recording[]
  try {
    recordings = await recordAnswers(engine, PROMPT_CLASSES, { samples, maxTokens, seed })
  } finally {
    await engine.close()
  }
  headline('Replayed', recordings.length, `answers of at most ${maxTokens} tokens, ${tokensPerSecond} a second`)
  for (const mode of MODES) {
    const init = { maxTokens, tokensPerSecond, middleGapMs: middleGap(recordings) }
    const traces = await Promise.all(recordings.map(recording => replay(recording, mode, init)))
    report('replay', mode, traces)
  }
}

async function measureNetwork(): Promise<void> {
  const init = { samples: networkSamples, maxTokens: networkMaxTokens, seed }
  headline(
    'Network',
    networkSamples * PROMPT_CLASSES.length,
    `answers of at most ${networkMaxTokens} tokens, both directions`
  )
  for (const privacy of PRIVACY_MODES) {
    report('network', privacy, await traceNetwork(PROMPT_CLASSES, { ...init, privacy }))
  }
}

function headline(what: string, count: number, detail: string): void {
  if (!values.json) {
    console.log(
      `${what}: ${count} ${detail}; ${PROMPT_CLASSES.length} classes, chance ${percent(1 / PROMPT_CLASSES.length)}`
    )
  }
}

function report(where: string, mode: string, traces: readonly Trace[]): void {
  const accuracy = classify(traces, seed)
  const distinct = new Set(traces.map(({ seen }) => JSON.stringify(seen.map(({ ms, bytes, up }) => [ms, bytes, up]))))
  const row = {
    where,
    mode,
    accuracy,
    distinct: distinct.size,
    seconds: average(traces.map(({ seen }) => (seen.at(-1)?.ms ?? 0) / 1_000)),
    kilobytes: average(traces.map(({ seen }) => seen.reduce((total, { bytes }) => total + bytes, 0) / 1_000))
  }
  rows.push(row)
  if (!values.json) {
    const found = accuracy.map(
      ({ classifier, right, of, low, high }) =>
        `${classifier} ${percent(right / of)} (${percent(low)} to ${percent(high)})`
    )
    const cost = `${row.seconds.toFixed(1)} s, ${row.kilobytes.toFixed(1)} kB`
    console.log(`  ${mode.padEnd(9)} ${found.join('   ')}   ${cost} an answer   ${distinct.size} distinct traces`)
  }
}

function middleGap(recordings: readonly Recording[]): number {
  const gaps = recordings.flatMap(({ tokens }) => tokens.slice(1).map(({ gapMs }) => gapMs))
  return gaps.toSorted((a, b) => a - b)[gaps.length >> 1] ?? 1
}

function average(numbers: readonly number[]): number {
  return numbers.reduce((total, value) => total + value, 0) / numbers.length
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
