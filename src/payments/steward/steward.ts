import { setMaxListeners } from 'node:events'
import { setTimeout as timeout } from 'node:timers/promises'
import { type AbortOptions, throwIfAborted } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { type NanoTon, nanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import { SharedRuns } from '../../core/shared-runs.ts'
import type { ChainFees, FeeSource } from '../chain.ts'
import type { JobRole } from '../ledger/job-line.ts'
import type { StepAction } from '../lifecycle/next-step.ts'
import type { ChannelPolicy } from '../lifecycle/policy.ts'
import { afterMiss, afterNoAnswer, beginTry, heldBack, type StepTries } from '../lifecycle/tries.ts'
import { FactDesk } from './steward-facts.ts'
import { costNothing, isNoAgreement } from './steward-failure.ts'
import type { StewardJournal } from './steward-journal.ts'
import type { Keeper, KeptStanding, PlannedStep, StepReport, StewardFacts } from './steward-types.ts'

export interface StewardComponents {
  keepers: readonly Keeper[]
  fees: FeeSource
  wallet: { balance(options?: AbortOptions): Promise<NanoTon> }
  journal: StewardJournal
  clock: Clock
  logger: Logger
  /** Waits between looks; injected so that tests own time. */
  delay?: (ms: number, signal?: AbortSignal) => Promise<void>
}

export interface StewardInit {
  policy: ChannelPolicy
  /**
   * What the wallet must hold to be asked to send a message: more than is attached to one.
   * @default 60_000_000 (0.06 TON)
   */
  walletNeeds?: NanoTon
  /**
   * Longest pause between two looks at the books, milliseconds. A look asks nobody anything unless a step is due.
   * @default 30_000
   */
  lookEveryMs?: number
  /**
   * How long the chain's prices and the wallet's balance are believed, milliseconds.
   * @default 300_000
   */
  factsMaxAgeMs?: number
  /**
   * How long `stop` waits for steps that were begun, milliseconds. What they cost is on disk either way.
   * @default 5_000
   */
  stopMs?: number
  /** Told of every step that was taken or failed. */
  onStep?: (report: StepReport) => void
}

export interface TendOptions extends AbortOptions {
  /** Only these steps. */
  only?: readonly StepAction[]
}

const NO_FEES: ChainFees = {
  open: ZERO_NANO_TON,
  topUp: ZERO_NANO_TON,
  claim: ZERO_NANO_TON,
  externalClaim: ZERO_NANO_TON,
  coopClose: ZERO_NANO_TON,
  startClose: ZERO_NANO_TON,
  finish: ZERO_NANO_TON
}

const PARALLEL_STEPS = 16
const LONGEST_FAILURE_PAUSE_MS = 300_000

/**
 * Takes every channel's next step when it is due: claims, closes, finishes, tops up. One step a channel at a time, however
 * many ask for it; a step that fails never stops the others or the node.
 */
export class Steward {
  readonly #components: StewardComponents
  readonly #init: Required<Omit<StewardInit, 'onStep'>> & Pick<StewardInit, 'onStep'>
  readonly #delay: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly #steps = new SharedRuns<StepReport | undefined>()
  readonly #running = new Set<Promise<unknown>>()
  readonly #stopped = new AbortController()
  readonly #facts: FactDesk

  constructor(components: StewardComponents, init: StewardInit) {
    // Steps of many channels at once are no leak to warn of.
    setMaxListeners(0, this.#stopped.signal)
    this.#components = components
    this.#init = {
      walletNeeds: nanoTon(60_000_000n),
      lookEveryMs: 30_000,
      factsMaxAgeMs: 300_000,
      stopMs: 5_000,
      ...init
    }
    this.#facts = new FactDesk(components, this.#init)
    this.#delay =
      components.delay ?? (async (ms, signal) => timeout(ms, undefined, { ref: false, ...(signal && { signal }) }))
  }

  /**
   * Looks at the books again and again until `stop`.
   *
   * @param firstOnly steps that may be taken in the first `firstMs`: others could cross what a short command is about
   */
  start(firstOnly?: { only: readonly StepAction[]; firstMs: number }): void {
    void this.#loop(firstOnly)
  }

  /** Begins no further step, and waits a while for those that were begun. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    if (this.#running.size > 0) {
      const ended = new AbortController()
      const enough = this.#delay(this.#init.stopMs, ended.signal).catch(() => undefined)
      await Promise.race([Promise.allSettled(this.#running), enough])
      ended.abort()
    }
  }

  /**
   * Every channel's next step, soonest first.
   *
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`: without prices nothing can be weighed
   */
  async plan(options: AbortOptions = {}): Promise<PlannedStep[]> {
    await this.#components.journal.load()
    const all = this.#all()
    if (all.length === 0) {
      return []
    }
    const facts = await this.#facts.current(options)
    return all
      .map(({ keeper, kept }) => withoutGuess(this.#planned(keeper, kept, facts), kept.guessed))
      .toSorted(bySoonest)
  }

  /**
   * Takes all steps that are due, and says what became of them. Asks nobody anything where none can be.
   *
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   */
  async tend({ only, ...options }: TendOptions = {}): Promise<StepReport[]> {
    await this.#components.journal.load()
    const nowMs = this.#components.clock.nowMs()
    const free = { policy: this.#init.policy, fees: NO_FEES, walletPays: true, nowMs }
    const landed: PlannedStep[] = []
    const possible = this.#all().filter(({ keeper, kept }) => {
      const planned = this.#planned(keeper, kept, free)
      const { action, atMs, reason } = planned.step
      if (reason === 'nothing-owed') {
        landed.push(planned)
      }
      return action !== 'none' && isDue(atMs, nowMs) && isWanted(action, only) && keeper.can(kept.channel, action)
    })
    for (const { role, channel } of landed) {
      // What was tried landed after all, or somebody else did it.
      await this.#components.journal.forget(role, channel)
    }
    if (possible.length === 0) {
      return []
    }
    const facts = await this.#facts.current(options)
    const steps = possible
      .map(({ keeper, kept }) => this.#planned(keeper, kept, facts))
      .filter(({ step }) => step.action !== 'none' && isDue(step.atMs, facts.nowMs))
      .toSorted(bySoonest)
    return this.#inParallel(steps, only, options)
  }

  /**
   * Takes the step of one channel if it is due. Whoever asks while it is being taken gets the same report.
   *
   * @returns undefined if there was nothing to do
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE` before anything was tried
   */
  tendOne(role: JobRole, channel: string, { only, ...options }: TendOptions = {}): Promise<StepReport | undefined> {
    const keeper = this.#components.keepers.find(one => one.role === role)
    if (keeper === undefined || this.#stopped.signal.aborted) {
      return Promise.resolve(undefined)
    }
    return this.#steps.run(
      `${role}/${channel}`,
      async () => {
        const step = this.#takeStep(keeper, channel, only)
        this.#running.add(step)
        return step.finally(() => this.#running.delete(step))
      },
      options
    )
  }

  /** Forgets earlier failures, so that steps that were given up are tried again. */
  async forgetFailures(): Promise<void> {
    await this.#components.journal.load()
    for (const { keeper, kept } of this.#all()) {
      await this.#components.journal.forget(keeper.role, kept.channel)
    }
  }

  async #loop(first?: { only: readonly StepAction[]; firstMs: number }): Promise<void> {
    const { clock, logger } = this.#components
    const { signal } = this.#stopped
    const startedAtMs = clock.nowMs()
    for (let failures = 0; !signal.aborted; ) {
      try {
        const young = first !== undefined && clock.nowMs() - startedAtMs < first.firstMs
        await this.tend({ signal, ...(young ? { only: first.only } : {}) })
        failures = 0
      } catch (err) {
        if (!signal.aborted) {
          failures++
          logger.warn('channels not looked at', { code: errorCode(err) })
        }
      }
      const { lookEveryMs } = this.#init
      const pauseMs = failures === 0 ? lookEveryMs : Math.min(LONGEST_FAILURE_PAUSE_MS, lookEveryMs * 2 ** failures)
      await this.#delay(pauseMs, signal).catch(() => undefined)
    }
  }

  async #inParallel(
    steps: readonly PlannedStep[],
    only: readonly StepAction[] | undefined,
    options: AbortOptions
  ): Promise<StepReport[]> {
    const reports: StepReport[] = []
    const waiting = [...steps]
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const report = await this.tendOne(next.role, next.channel, { ...options, ...(only && { only }) })
        reports.push(...(report === undefined ? [] : [report]))
      }
    }
    const workers = await Promise.allSettled(Array.from({ length: Math.min(PARALLEL_STEPS, steps.length) }, work))
    throwIfAborted(options.signal)
    const failed = workers.find(worker => worker.status === 'rejected')
    if (failed !== undefined && reports.length === 0) {
      throw failed.reason
    }
    return reports
  }

  async #takeStep(
    keeper: Keeper,
    channel: string,
    only: readonly StepAction[] | undefined
  ): Promise<StepReport | undefined> {
    const { journal, clock } = this.#components
    const { signal } = this.#stopped
    await journal.load()
    const kept = await keeper.refresh(channel, { signal })
    if (kept === undefined) {
      await journal.forget(keeper.role, channel)
      return undefined
    }
    const facts = await this.#facts.current({ signal })
    const { step } = this.#planned(keeper, kept, facts)
    const { action } = step
    const due = action !== 'none' && isDue(step.atMs, clock.nowMs()) && isWanted(action, only)
    if (!due || !keeper.can(channel, action) || signal.aborted) {
      return undefined
    }
    const begun = beginTry(step, kept.openedLt, journal.get(keeper.role, channel), clock.nowMs())
    await journal.put(keeper.role, channel, begun)
    const { openedLt, peerId } = kept
    const report = { role: keeper.role, channel, openedLt, peerId, reason: step.reason, fee: step.fee, gain: step.gain }
    try {
      const outcome = await keeper.run(channel, action)
      await journal.forget(keeper.role, channel)
      return this.#tell({ ...report, ...outcome })
    } catch (err) {
      await journal.put(keeper.role, channel, this.#afterFailure(begun, action, err, step.fee))
      const failure = { code: errorCode(err) ?? 'INTERNAL', message: errorMessage(err) }
      return this.#tell({ ...report, action, transaction: '', failure })
    }
  }

  #afterFailure(begun: StepTries, action: StepAction, err: unknown, fee: NanoTon): StepTries {
    const nowMs = this.#components.clock.nowMs()
    // Prices or the balance may be why.
    this.#facts.forget()
    if (action === 'close-together' && isNoAgreement(err)) {
      return afterNoAnswer(afterMiss(begun, fee, nowMs), nowMs)
    }
    return costNothing(err) ? afterMiss(begun, fee, nowMs) : { ...begun, lastAtMs: nowMs }
  }

  #tell(report: StepReport): StepReport {
    const { channel, action, reason, fee, gain, transaction, failure } = report
    const fields = { channel, action, reason, fee, gain }
    if (failure === undefined) {
      this.#components.logger.info('channel step taken', { ...fields, transaction })
    } else {
      this.#components.logger.warn('channel step failed', { ...fields, code: failure.code })
    }
    this.#init.onStep?.(report)
    return report
  }

  #all(): Array<{ keeper: Keeper; kept: KeptStanding }> {
    return this.#components.keepers.flatMap(keeper => keeper.list().map(kept => ({ keeper, kept })))
  }

  #planned(keeper: Keeper, kept: KeptStanding, facts: StewardFacts): PlannedStep {
    const { channel, openedLt, peerId } = kept
    const tries = this.#components.journal.get(keeper.role, channel)
    const step = heldBack(kept.next(tries, facts), openedLt, tries, facts.policy, facts.nowMs)
    return { role: keeper.role, channel, openedLt, peerId, step }
  }
}

function isDue(atMs: number | undefined, nowMs: number): boolean {
  return atMs !== undefined && atMs <= nowMs
}

function isWanted(action: StepAction, only: readonly StepAction[] | undefined): boolean {
  return only === undefined || only.includes(action)
}

/** What is shown to people is what surely comes. */
function withoutGuess(planned: PlannedStep, guessed: NanoTon): PlannedStep {
  return { ...planned, step: { ...planned.step, gain: subNanoFloor(planned.step.gain, guessed) } }
}

function bySoonest(a: PlannedStep, b: PlannedStep): number {
  return dueMs(a) - dueMs(b)
}

function dueMs({ step }: PlannedStep): number {
  return step.deadlineMs ?? step.atMs ?? Number.MAX_SAFE_INTEGER
}
