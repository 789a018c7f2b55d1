import { commandOptions } from '../../simnet/command-options.ts'
import { attestTarget } from './attest-target.ts'
import { ChannelTarget } from './channel-target.ts'
import { type FuzzTarget, runFuzz } from './run-fuzz.ts'
import { sealTarget } from './seal-target.ts'

const TARGETS: Readonly<Record<string, () => Promise<FuzzTarget>>> = {
  channel: () => ChannelTarget.create(),
  attest: attestTarget,
  seal: sealTarget
}

const USAGE = `npm run fuzz -- <${Object.keys(TARGETS).join('|')}> [--frames 1000000] [--seed 1] [--from 0]`

process.exitCode = await main()

async function main(): Promise<number> {
  const { positionals, whole, refuse } = commandOptions(USAGE, {
    allowPositionals: true,
    options: {
      frames: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '1' },
      from: { type: 'string', default: '0' }
    }
  })
  const [name = ''] = positionals
  const create = TARGETS[name]
  if (create === undefined || positionals.length > 1) {
    return refuse(`There is nothing to fuzz named "${positionals.join(' ')}"`)
  }
  const init = { frames: whole('frames', 1), seed: whole('seed', 0), from: whole('from', 0) }
  try {
    const target = await create()
    const report = await runFuzz(target, {
      ...init,
      onProgress: done => console.log(`${name}: ${done} of ${init.frames} messages (seed ${init.seed})`)
    })
    const { elapsedMs } = report
    const perSecond = ((report.frames / elapsedMs) * 1000).toFixed(0)
    console.log(`\n${report.frames} messages in ${(elapsedMs / 1000).toFixed(0)} s, ${perSecond} a second`)
    for (const [surface, { frames, elapsedMs: tookMs, slowestMs }] of report.surfaces) {
      const mean = (tookMs / frames).toFixed(2)
      console.log(`${String(frames).padStart(9)}  ${surface}: ${mean} ms each, ${slowestMs.toFixed(0)} ms the slowest`)
    }
    for (const [outcome, count] of [...report.outcomes].toSorted(([, a], [, b]) => b - a)) {
      console.log(`${String(count).padStart(9)}  ${outcome}`)
    }
    console.log(`live heap ${mib(report.heapWarm)} MiB once warm, ${mib(report.heapEnd)} MiB at the end`)
    const words = [...report.outcomes.keys()].flatMap(outcome => outcome.split(' '))
    const never = target.codes?.filter(code => !words.includes(code)) ?? []
    if (never.length > 0) {
      console.log(`never reached: ${never.join(', ')}`)
    }
    console.log('nothing crashed, hung, grew, held that should not, or changed what it may not')
    return 0
  } catch (err) {
    console.error(err instanceof Error ? err.message : err)
    return 1
  }
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
