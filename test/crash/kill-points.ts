import { writeFileSync } from 'node:fs'

/**
 * Where a process dies.
 *
 * - around a write: `before` it, `torn` (it reached the disk in part and was never answered), `after` it reached the
 *   disk and before anybody was told
 * - around a chain message: `before` it is handed in, `sent` but not answered, `confirmed` but not booked
 */
export type KillPhase = 'before' | 'torn' | 'after' | 'sent' | 'confirmed'

/** Dies at the `nth` time that `phase` of `step` is reached; step `*` is any. */
export interface KillPlan {
  step: string
  nth: number
  phase: KillPhase
}

/** Counts the steps a process takes, and ends it with SIGKILL at the planned one. */
export class KillPoints {
  readonly #noteFile: string
  #plan: KillPlan | undefined
  #left = 0
  #taken = new Map<string, number>()

  /** @param noteFile is written with the step's name right before the end */
  constructor(noteFile: string) {
    this.#noteFile = noteFile
  }

  arm(plan: KillPlan | undefined): void {
    this.#plan = plan
    this.#left = plan?.nth ?? 0
  }

  /** How often each step was taken since the last call: `<step>|<phase>`, without `torn`. */
  takeSteps(): Map<string, number> {
    const taken = this.#taken
    this.#taken = new Map()
    return taken
  }

  /** Whether to die at this very point. Each call counts as reaching it. */
  due(step: string, phase: KillPhase): boolean {
    if (phase !== 'torn') {
      const name = `${step}|${phase}`
      this.#taken.set(name, (this.#taken.get(name) ?? 0) + 1)
    }
    if (this.#plan?.phase !== phase || (this.#plan.step !== '*' && this.#plan.step !== step)) {
      return false
    }
    this.#left--
    return this.#left === 0
  }

  reach(step: string, phase: KillPhase): void {
    if (this.due(step, phase)) {
      this.die(step, phase)
    }
  }

  /** Ends the process: not one more line of it runs. */
  die(step: string, phase: KillPhase): never {
    writeFileSync(this.#noteFile, JSON.stringify({ step, phase }))
    process.kill(process.pid, 'SIGKILL')
    for (;;) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000)
    }
  }
}
