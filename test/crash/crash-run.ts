import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Breakage } from './breakage.ts'
import { ChainProcess } from './chain-process.ts'
import { Matrix } from './matrix.ts'
import { Session } from './session.ts'
import type { SessionPlan, SessionResult } from './session-plan.ts'
import { SparePool } from './side.ts'

export interface CrashRunInit {
  seed: string
  /** At least so many deaths. */
  kills: number
  /** Sessions at once. */
  lanes: number
  /** Whether to go on until every step that was seen was hit in every way. */
  complete: boolean
  /** Only this session. */
  plan?: SessionPlan
  breakage?: Breakage
  onSession?: (result: SessionResult, open: number) => void
}

export interface CrashRunResult {
  results: SessionResult[]
  /** Steps and ways to die at them that were seen. */
  targets: number
  open: number
  missed: string[]
}

/** Runs sessions until enough processes died at enough places, or one of them broke a promise. */
export async function crashRun(init: CrashRunInit): Promise<CrashRunResult> {
  const folder = await mkdtemp(join(tmpdir(), 'cocoon-crash-'))
  const chain = await ChainProcess.start()
  const spares = new SparePool(init.plan === undefined ? init.lanes : 1)
  const matrix = new Matrix(init.seed)
  const results: SessionResult[] = []
  let sessions = 0
  const run = async (plan: SessionPlan): Promise<void> => {
    const parts = { chain, spares, folder: join(folder, String(++sessions)) }
    const result = await new Session(
      init.breakage === undefined ? parts : { ...parts, breakage: init.breakage },
      plan
    ).run()
    results.push(result)
    matrix.learn(result)
    init.onSession?.(result, matrix.open)
  }
  const isOver = (): boolean =>
    results.some(({ violations }) => violations.length > 0) ||
    (countKills(results) >= init.kills && (!init.complete || matrix.open === 0))
  const work = async (): Promise<void> => {
    while (!isOver()) {
      await run(matrix.next())
    }
  }
  try {
    await run(init.plan ?? matrix.quiet())
    if (init.plan === undefined) {
      await Promise.all(Array.from({ length: init.lanes }, work))
    }
    return { results, targets: matrix.targets, open: matrix.open, missed: matrix.missed }
  } finally {
    await spares.close()
    await chain.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

export function countKills(results: readonly SessionResult[]): number {
  return results.reduce((sum, { kills }) => sum + kills.length, 0)
}
