import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseRawAddress } from '../../src/core/address.ts'
import { sha256 } from '../../src/core/bytes.ts'
import { ed25519FromSeed, ed25519PublicKey, ed25519Verify } from '../../src/core/ed25519.ts'
import { voucherHash } from '../../src/payments/voucher-hash.ts'
import { GLOBAL_IDS, walletAddress } from '../../src/ton/index.ts'
import { until } from '../support/until.ts'
import type { Breakage } from './breakage.ts'
import { ChainBookkeeper, type ChannelStory, type WalletStart } from './chain-books.ts'
import type { ChainProcess } from './chain-process.ts'
import type { ChannelFacts } from './channel-facts.ts'
import type { KillPlan } from './kill-points.ts'
import { Oracle } from './oracle.ts'
import { Relay } from './relay.ts'
import { type Operation, SCRIPT, SCRIPTED_DEPOSITS, type Sides } from './script.ts'
import { seededRandom } from './seeded.ts'
import type { KillRecord, PlannedKill, SessionPlan, SessionResult, TakenSteps } from './session-plan.ts'
import { type Role, type Side, SideDied, SideFailed, type SparePool, takeKillNote } from './side.ts'
import { readBooks } from './side-books.ts'
import type { SideInit } from './side-setup.ts'

export interface SessionParts {
  chain: ChainProcess
  spares: SparePool
  /** Empty, for the homes of both sides. */
  folder: string
  breakage?: Breakage
}

const ROLES: readonly Role[] = ['payer', 'payee']
const START_BALANCE = { payer: 20_000_000_000n, payee: 2_000_000_000n }
/** An operation that has not succeeded after so many attempts is stuck. */
const MAX_ATTEMPTS = 6
const KILLED = 'killed'
const OPERATION_LIMIT_MS = 60_000

/** One payer and one payee through the whole script, dying as planned. */
export class Session {
  readonly #parts: SessionParts
  readonly #plan: SessionPlan
  readonly #random: () => number
  readonly #oracle: Oracle
  readonly #relay: Relay
  readonly #sides = new Map<Role, Side>()
  readonly #kills: KillRecord[] = []
  readonly #steps: TakenSteps[] = []
  readonly #violations: string[] = []
  #payeeAddress = ''

  constructor(parts: SessionParts, plan: SessionPlan) {
    this.#parts = parts
    this.#plan = plan
    this.#random = seededRandom(`${plan.seed}/work`)
    const payerKey = ed25519PublicKey(this.#key('payer', 'channel').publicKey)
    this.#oracle = new Oracle(voucher =>
      ed25519Verify(
        payerKey,
        voucherHash({ ...voucher, globalId: GLOBAL_IDS.simnet, channel: parseRawAddress(voucher.channel) }),
        voucher.signature
      )
    )
    this.#relay = new Relay(this.#oracle)
  }

  async run(): Promise<SessionResult> {
    try {
      await this.#relay.start()
      const starts = await this.#fundWallets()
      await Promise.all(ROLES.map(role => this.#start(role)))
      await this.#connect()
      for (const operation of SCRIPT) {
        await this.#perform(operation)
      }
      await this.#closeBooks(starts)
    } catch (err) {
      this.#violations.push(`stopped: ${err instanceof Error ? (err.stack ?? err.message) : String(err)}`)
    } finally {
      await Promise.all([...this.#sides.values()].map(side => side.kill()))
      await this.#relay.stop()
    }
    const violations = [...this.#violations, ...this.#oracle.violations]
    return {
      plan: this.#plan,
      kills: this.#kills.map(kill => ({ ...kill, recovered: kill.recovered && violations.length === 0 })),
      violations,
      steps: this.#steps,
      worst: this.#oracle.worst
    }
  }

  async #fundWallets(): Promise<Record<Role, WalletStart>> {
    const { chain } = this.#parts
    const books = new ChainBookkeeper(chain.endpoint)
    const starts = await Promise.all(
      ROLES.map(async role => {
        const address = await walletAddress(this.#key(role, 'wallet').publicKey, GLOBAL_IDS.simnet)
        await chain.give(address, START_BALANCE[role])
        await until(async () => (await books.start(role, address)).balance > 0n)
        return books.start(role, address)
      })
    )
    const [payer, payee] = starts as [WalletStart, WalletStart]
    this.#payeeAddress = payee.address
    return { payer, payee }
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
    const over = new AbortController()
    try {
      if (kill !== undefined) {
        await this.#arm(kill, over.signal)
      }
      const limit = delay(OPERATION_LIMIT_MS, undefined, { signal: over.signal }).then(
        () => Promise.reject(new Error(`"${operation.name}" hangs`)),
        () => undefined
      )
      await Promise.race([operation.run(this.#hands()), limit])
      await Promise.all(ROLES.map(async role => this.#alive(role)?.call('arm')))
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
    const side = this.#sides.get(role)
    if ('anywhere' in at) {
      void delay(at.afterMs, undefined, { signal: over }).then(
        () => side?.kill(),
        () => undefined
      )
    } else {
      await side?.call('arm', at satisfies KillPlan)
    }
    if (both === true) {
      void side?.exited.then(() => this.#sides.get(other(role))?.kill())
    }
  }

  /** Brings back whoever died. Returns how many had. */
  async #recover(operation: Operation, kill: PlannedKill | undefined): Promise<number> {
    const exposure = this.#oracle.exposure
    let again = kill?.again
    let deaths = 0
    for (;;) {
      // A kill from outside that was sent already must have happened by now.
      if (kill?.both === true && this.#sides.get(kill.role)?.ending !== undefined) {
        await this.#sides.get(other(kill.role))?.kill()
      }
      const dead = ROLES.filter(role => this.#alive(role) === undefined)
      if (dead.length === 0) {
        break
      }
      for (const role of dead) {
        deaths++
        this.#noteKill(operation, role, exposure)
        await this.#start(role, role === kill?.againRole ? again : undefined)
        await this.#noteSteps(operation, role, kill, true)
        again = role === kill?.againRole ? undefined : again
      }
    }
    if (deaths > 0) {
      this.#relay.cut()
      await this.#connect()
      this.#kills.slice(-deaths).forEach(record => {
        record.recovered = true
      })
    }
    return deaths
  }

  #noteKill(operation: Operation, role: Role, exposure: number): void {
    const side = this.#sides.get(role)
    const note = takeKillNote(this.#home(role))
    if (side?.ending !== 'SIGKILL') {
      this.#violations.push(`the ${role} ended by itself (${side?.ending}) in "${operation.name}": ${side?.errors}`)
    }
    const { step, phase } = note ?? { step: 'anywhere', phase: 'from outside' }
    this.#kills.push({ operation: operation.name, role, step, phase, recovered: false, exposure })
  }

  /** Starts a process on this role's home. It may die on the way, as planned. */
  async #start(role: Role, plan?: KillPlan): Promise<void> {
    const side = this.#parts.spares.take(role)
    this.#sides.set(role, side)
    mkdirSync(this.#home(role), { recursive: true })
    try {
      await side.call('open', { ...this.#init(role), ...(plan === undefined ? {} : { plan }) })
      await side.call('arm')
      this.#oracle.restarted(role, await side.call<ChannelFacts[]>('facts'))
    } catch (err) {
      if (!(err instanceof SideDied)) {
        throw err
      }
    }
  }

  async #connect(): Promise<void> {
    await Promise.all(ROLES.map(async role => this.#sides.get(role)?.call('connect', this.#relay.port)))
    await this.#relay.connected()
  }

  async #noteSteps({ name }: Operation, role: Role, after: PlannedKill | undefined, recovering = false): Promise<void> {
    const taken = await this.#alive(role)
      ?.call<Map<string, number>>('steps')
      .catch(() => undefined)
    if (taken !== undefined) {
      this.#steps.push({ operation: name, role, taken, after, recovering })
    }
  }

  /** Both processes end; what their disks say must be what the chain says, to the nanoton. */
  async #closeBooks(starts: Record<Role, WalletStart>): Promise<void> {
    await Promise.all([...this.#sides.values()].map(side => side.kill()))
    await this.#parts.chain.settled()
    const facts = await Promise.all(ROLES.map(role => readBooks(role, this.#init(role))))
    ROLES.forEach((role, at) => this.#oracle.restarted(role, facts[at] ?? []))
    const books = await new ChainBookkeeper(this.#parts.chain.endpoint).close(starts.payer, starts.payee)
    const stories = books.channels.toSorted((a, b) => (a.openedLt < b.openedLt ? -1 : 1))
    this.#expect(
      'deposits',
      stories.map(story => story.deposits),
      SCRIPTED_DEPOSITS
    )
    let total = 0n
    for (const story of stories) {
      total += story.settled
      this.#oracle.settled(story)
      this.#compare(story, facts[0] ?? [], facts[1] ?? [])
    }
    this.#expect('what the payer paid', books.payerLoss, total)
    this.#expect('what the payee got', books.payeeGain, total)
  }

  #compare({ channel, deposits, settled, agreed }: ChannelStory, payer: ChannelFacts[], payee: ChannelFacts[]): void {
    const paid = payer.find(c => c.channel === channel)
    const got = payee.find(c => c.channel === channel)
    const name = channel.slice(0, 10)
    this.#expect(`${name}… state`, [paid?.state, got?.state], ['closed', 'closed'])
    this.#expect(`${name}… settled in the payer's books`, paid?.settled, settled)
    if (!agreed) {
      this.#expect(`${name}… accepted in the payee's books`, got?.promised, settled)
    }
    this.#expect(
      `${name}… deposit in the payer's books`,
      paid?.deposit,
      deposits.reduce((sum, amount) => sum + amount, 0n)
    )
  }

  #expect(what: string, actual: unknown, expected: unknown): void {
    const [is, should] = [show(actual), show(expected)]
    if (is !== should) {
      this.#violations.push(`${what}: ${is} and not ${should}`)
    }
  }

  #hands(): Sides {
    const payeeKey = this.#key('payee', 'channel').publicKey
    return {
      side: role => this.#sides.get(role) as Side,
      funding: { payeeKey, payeeAddress: this.#payeeAddress },
      random: this.#random,
      onJobs: count => {
        this.#oracle.jobsAtOnce = count
      }
    }
  }

  #init(role: Role): SideInit {
    const { chain, breakage } = this.#parts
    return {
      home: this.#home(role),
      endpoint: chain.endpoint,
      walletSeed: this.#seed(role, 'wallet'),
      channelSeed: this.#seed(role, 'channel'),
      ...(breakage === undefined ? {} : { breakage })
    }
  }

  #alive(role: Role): Side | undefined {
    const side = this.#sides.get(role)
    return side?.ending === undefined ? side : undefined
  }

  #home(role: Role): string {
    return join(this.#parts.folder, role)
  }

  #seed(role: Role, use: string): Uint8Array {
    return sha256(`${this.#plan.seed}/${role}/${use}`)
  }

  #key(role: Role, use: string) {
    return ed25519FromSeed(this.#seed(role, use))
  }
}

function other(role: Role): Role {
  return role === 'payer' ? 'payee' : 'payer'
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}` : part)) ?? 'nothing'
}
