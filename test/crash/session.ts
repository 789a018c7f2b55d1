import { setTimeout as delay } from 'node:timers/promises'
import type { KillPlan } from './kill-points.ts'
import { Pair, type PairParts, ROLES } from './pair.ts'
import { type Operation, SCRIPT, SCRIPTED_DEPOSITS } from './script.ts'
import type { KillRecord, PlannedKill, SessionPlan, SessionResult, TakenSteps } from './session-plan.ts'
import { type Role, SideDied, SideFailed, takeKillNote } from './side.ts'

/** An operation that has not succeeded after so many attempts is stuck. */
const MAX_ATTEMPTS = 6
const KILLED = 'killed'
const OPERATION_LIMIT_MS = 60_000

/** One payer and one payee through the whole script, dying as planned. */
export class Session {
  readonly #parts: PairParts
  readonly #plan: SessionPlan
  readonly #pair: Pair
  readonly #kills: KillRecord[] = []
  readonly #steps: TakenSteps[] = []
  readonly #violations: string[] = []

  constructor(parts: PairParts, plan: SessionPlan) {
    this.#parts = parts
    this.#plan = plan
    this.#pair = new Pair(parts, plan.seed)
  }

  async run(): Promise<SessionResult> {
    const pair = this.#pair
    try {
      await pair.open()
      for (const operation of SCRIPT) {
        await this.#perform(operation)
      }
      await pair.closeBooks(SCRIPTED_DEPOSITS)
    } catch (err) {
      this.#violations.push(`stopped: ${err instanceof Error ? (err.stack ?? err.message) : String(err)}`)
    } finally {
      await pair.stop()
    }
    const violations = [...this.#violations, ...pair.violations, ...pair.oracle.violations]
    return {
      plan: this.#plan,
      kills: this.#kills.map(kill => ({ ...kill, recovered: kill.recovered && violations.length === 0 })),
      violations,
      steps: this.#steps,
      worst: pair.oracle.worst
    }
  }

  /** Does one thing, with its deaths, until it is done. */
  async #perform(operation: Operation): Promise<void> {
    const planned = this.#plan.kills.filter(kill => kill.operation === operation.name)
    const failures: string[] = []
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const kill = planned[attempt]
      const outcome = await this.#attempt(operation, kill)
      await Promise.all(ROLES.map(role => this.#noteSteps(operation, role, planned[attempt - 1])))
      if ((await this.#recover(operation, kill)) === 0 && outcome === undefined) {
        return
      }
      failures.push(outcome ?? 'done')
      if (outcome !== undefined && outcome !== KILLED) {
        // Views of one second of the chain cannot be told apart: whoever tries again comes later.
        await this.#parts.chain.nextSecond()
      }
    }
    throw new Error(`"${operation.name}" did not succeed in ${MAX_ATTEMPTS} attempts: ${failures.join(', ')}`)
  }

  /** @returns why it failed; undefined if it is done */
  async #attempt(operation: Operation, kill: PlannedKill | undefined): Promise<string | undefined> {
    const pair = this.#pair
    const over = new AbortController()
    try {
      if (kill !== undefined) {
        await this.#arm(kill, over.signal)
      }
      const limit = delay(OPERATION_LIMIT_MS, undefined, { signal: over.signal }).then(
        () => Promise.reject(new Error(`"${operation.name}" hangs`)),
        () => undefined
      )
      await Promise.race([operation.run(pair.hands()), limit])
      await Promise.all(ROLES.map(async role => pair.alive(role)?.call('arm')))
      return undefined
    } catch (err) {
      if (err instanceof SideDied) {
        return KILLED
      }
      if (err instanceof SideFailed) {
        return err.code
      }
      throw err
    } finally {
      over.abort()
    }
  }

  async #arm({ role, at, both }: PlannedKill, over: AbortSignal): Promise<void> {
    const side = this.#pair.side(role)
    if ('anywhere' in at) {
      void delay(at.afterMs, undefined, { signal: over }).then(
        () => side.kill(),
        () => undefined
      )
    } else {
      await side.call('arm', at satisfies KillPlan)
    }
    if (both === true) {
      void side.exited.then(() => this.#pair.side(other(role)).kill())
    }
  }

  /** Brings back whoever died. Returns how many had. */
  async #recover(operation: Operation, kill: PlannedKill | undefined): Promise<number> {
    const pair = this.#pair
    const exposure = pair.oracle.exposure
    let again = kill?.again
    let deaths = 0
    for (;;) {
      // A kill from outside that was sent already must have happened by now.
      if (kill?.both === true && pair.alive(kill.role) === undefined) {
        await pair.side(other(kill.role)).kill()
      }
      const dead = ROLES.filter(role => pair.alive(role) === undefined)
      if (dead.length === 0) {
        break
      }
      for (const role of dead) {
        deaths++
        this.#noteKill(operation, role, exposure)
        const plan = role === kill?.againRole ? again : undefined
        again = plan === undefined ? again : undefined
        await pair.start(role, plan === undefined ? {} : { plan })
        await this.#noteSteps(operation, role, kill, true)
      }
    }
    if (deaths > 0) {
      await pair.connect()
      this.#kills.slice(-deaths).forEach(record => {
        record.recovered = true
      })
    }
    return deaths
  }

  #noteKill(operation: Operation, role: Role, exposure: number): void {
    const side = this.#pair.side(role)
    const note = takeKillNote(this.#pair.home(role))
    if (side.ending !== 'SIGKILL') {
      this.#violations.push(`the ${role} ended by itself (${side.ending}) in "${operation.name}": ${side.errors}`)
    }
    const { step, phase } = note ?? { step: 'anywhere', phase: 'from outside' }
    this.#kills.push({ operation: operation.name, role, step, phase, recovered: false, exposure })
  }

  async #noteSteps({ name }: Operation, role: Role, after: PlannedKill | undefined, recovering = false): Promise<void> {
    const taken = await this.#pair
      .alive(role)
      ?.call<Map<string, number>>('steps')
      .catch(() => undefined)
    if (taken !== undefined) {
      this.#steps.push({ operation: name, role, taken, after, recovering })
    }
  }
}

function other(role: Role): Role {
  return role === 'payer' ? 'payee' : 'payer'
}
