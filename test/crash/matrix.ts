import type { KillPhase, KillPlan } from './kill-points.ts'
import { SCRIPT } from './script.ts'
import { pick, seededRandom, shuffle } from './seeded.ts'
import type { KillRecord, PlannedKill, SessionPlan, SessionResult, TakenSteps } from './session-plan.ts'
import type { Role } from './side.ts'

/** A step at which a side has to die once, in one way. */
interface Target {
  operation: string
  role: Role
  step: string
  phase: KillPhase
  /** How often the step was taken: any of these times will do. */
  times: number
  /** The death that made the step necessary: it has to happen first. */
  after: PlannedKill | undefined
  /** Whether the step is taken on the way back from it, and not by the operation after it. */
  recovering: boolean
  /** Whether it was seen where nobody had died, so that it is taken each time: it has to be hit in this operation. */
  always: boolean
  /** Whether it was the first to be hit of its operation: then it does count if it was not. */
  first: boolean
  tries: number
}

/** A step that is not taken every time is given up after so many sessions in which somebody was to die at it. */
const MAX_TRIES = { always: 4, sometimes: 2 }
const KILLS_PER_OPERATION = 3
const EXTRA_SHARE = 0.15
const BOTH_SHARE = 0.12
const AGAIN_SHARE = 0.15
const MAX_DELAY_MS = 300
const PHASES: readonly KillPhase[] = ['before', 'torn', 'after']

/**
 * Decides who dies where: every step that was ever seen, in every way, once at least; then at random. Steps are learned
 * from the sessions, so a new write in the node's code is covered without a word here.
 */
export class Matrix {
  readonly #seed: string
  readonly #random: () => number
  readonly #known = new Set<string>()
  readonly #missed: Target[] = []
  readonly #pending = new Map<string, Target[]>()
  #open: Target[] = []
  #sessions = 0
  #targets = 0

  constructor(seed: string) {
    this.#seed = seed
    this.#random = seededRandom(`${seed}/matrix`)
  }

  /** Targets that were not hit yet. */
  get open(): number {
    return this.#open.length
  }

  get targets(): number {
    return this.#targets
  }

  /** Steps at which nobody died although it was tried: they are not taken each time. */
  get missed(): string[] {
    return this.#missed.map(({ operation, role, step, phase }) => `${operation}: ${role} ${step}, ${phase}`)
  }

  /** A session in which nobody dies, to learn steps from. */
  quiet(): SessionPlan {
    return { seed: `${this.#seed}/quiet`, kills: [] }
  }

  /** The next session. Its targets are off the list until its result is known. */
  next(): SessionPlan {
    const seed = `${this.#seed}/${++this.#sessions}`
    const targets: Target[] = []
    const kills = SCRIPT.flatMap(({ name }) => {
      const planned: PlannedKill[] = []
      // An operation that was killed is done again, and most of its steps are taken again.
      for (let target = this.#take(name); target !== undefined; target = this.#take(name)) {
        target.first = planned.length === 0
        targets.push(target)
        planned.push(...this.#kills(target))
        if (planned.length >= KILLS_PER_OPERATION) {
          return planned
        }
      }
      return planned.length > 0 ? planned : this.#extra(name)
    })
    this.#pending.set(seed, targets)
    return { seed, kills }
  }

  /** Strikes out what was hit, puts back what was not, and learns the steps that were seen. */
  learn({ plan, kills, steps }: SessionResult): void {
    const hit = new Set(kills.flatMap(kill => [placeOf(kill), `${kill.operation}|${placeOf(kill)}`]))
    for (const target of this.#pending.get(plan.seed) ?? []) {
      if (!hit.has(nameOf(target))) {
        target.tries += target.first ? 1 : 0
        // The first time is the likeliest to come again.
        target.times = 1
        ;(target.tries < MAX_TRIES[target.always ? 'always' : 'sometimes'] ? this.#open : this.#missed).push(target)
      }
    }
    this.#pending.delete(plan.seed)
    steps.forEach(taken => this.#learnSteps(taken, plan.kills.length === 0))
    this.#open = shuffle(
      this.#random,
      this.#open.filter(target => target.always || !hit.has(nameOf(target)))
    )
  }

  /** A step has to be hit in each operation that takes it always, and in each way at least once. */
  #learnSteps({ operation, role, taken, after, recovering }: TakenSteps, always: boolean): void {
    for (const [name, times] of shuffle(this.#random, [...taken])) {
      const [step, phase] = name.split('|') as [string, KillPhase]
      const ways = phase === 'after' ? [phase, 'torn' as const] : [phase]
      for (const way of shuffle(this.#random, ways)) {
        const target: Target = {
          operation,
          role,
          step,
          phase: way,
          times,
          after,
          recovering,
          always,
          first: true,
          tries: 0
        }
        const places = [placeOf(target), ...(always ? [`${operation}|${role}|${step}`] : [])]
        if (places.some(place => !this.#known.has(place))) {
          this.#targets++
          this.#open.push(target)
        }
        places.forEach(place => this.#known.add(place))
      }
    }
  }

  #take(name: string): Target | undefined {
    const at = this.#open.findIndex(({ operation }) => operation === name)
    return at < 0 ? undefined : this.#open.splice(at, 1)[0]
  }

  #kills({ operation, role, step, phase, times, after, recovering }: Target): PlannedKill[] {
    const at: KillPlan = { step, phase, nth: 1 + Math.floor(this.#random() * times) }
    if (after === undefined) {
      return [this.#withCompany({ operation, role, at })]
    }
    return recovering ? [{ ...after, again: at, againRole: role }] : [after, { operation, role, at }]
  }

  #extra(operation: string): PlannedKill[] {
    if (this.#random() > EXTRA_SHARE) {
      return []
    }
    const role = pick(this.#random, ['payer', 'payee'] as const)
    const at = { anywhere: true as const, afterMs: Math.floor(this.#random() * MAX_DELAY_MS) }
    return [this.#withCompany({ operation, role, at })]
  }

  /** Sometimes the other side dies too, or the same one again when it comes back. */
  #withCompany(kill: PlannedKill): PlannedKill {
    const again: KillPlan = { step: '*', nth: 1 + Math.floor(this.#random() * 2), phase: pick(this.#random, PHASES) }
    return {
      ...kill,
      ...(this.#random() < BOTH_SHARE ? { both: true } : {}),
      ...(this.#random() < AGAIN_SHARE ? { again, againRole: kill.role } : {})
    }
  }
}

function placeOf({ role, step, phase }: Pick<KillRecord, 'role' | 'step' | 'phase'>): string {
  return `${role}|${step}|${phase}`
}

/** What only happens after another death counts once, wherever it is seen. */
function nameOf(target: Target): string {
  return target.always ? `${target.operation}|${placeOf(target)}` : placeOf(target)
}
