import { errorCode } from '../../src/core/errors.ts'
import { parseTon, ZERO_NANO_TON } from '../../src/core/nano-ton.ts'
import { tokenCost } from '../../src/core/price.ts'
import type { StepReport } from '../../src/payments/steward/steward-types.ts'
import { networkFees } from '../../src/ton/transactions.ts'
import { FuzzRandom } from '../fuzz/random.ts'
import { ClientActor } from './client-actor.ts'
import { copyDisks, type Disks, emptyDisks, type Incarnation } from './incarnation.ts'
import { playJob } from './play-job.ts'
import { PRICES, ProviderActor, WINDOW_TOKENS } from './provider-actor.ts'
import { VirtualTime } from './virtual-time.ts'
import { WeeksChain } from './weeks-chain.ts'

export interface VillageInit {
  seed: number
  days: number
  onDay?: (day: number, village: Village) => void
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const START_MS = 1_800_000_000_000
const FUNDS = parseTon('50')
const CLIENTS = 3
const PROVIDERS = 3
/** Longest time after the last job until every channel is closed: idle, asked, forced, challenged, with pauses between. */
const WIND_DOWN_DAYS = 12
/** A window of tokens, and a prompt that was paid for before the cut. */
const JOB_EXPOSURE = tokenCost(PRICES, { promptTokens: 220, cachedPromptTokens: 0, completionTokens: WINDOW_TOKENS })
/** What claiming may cost a channel's provider, or what it may leave because that is too dear. */
const CLAIM_COSTS = parseTon('0.03')

/** Clients and providers that live for weeks of virtual time on one chain, with all that goes wrong. */
export class Village {
  readonly time = new VirtualTime(START_MS)
  readonly random: FuzzRandom & { bytes(length: number): Uint8Array }
  chain!: WeeksChain
  readonly clients: ClientActor[] = []
  readonly providers: ProviderActor[] = []
  /** How jobs ended, and how often. */
  readonly jobs = new Map<string, number>()
  /** Steps of the stewards: who, what, why. */
  readonly steps = new Map<string, number>()
  readonly events = new Map<string, number>()
  tokens = 0
  readonly #init: VillageInit
  /** The provider that leaves for good, and the client whose machine burns. */
  readonly #leaver = PROVIDERS - 1
  readonly #burnt = CLIENTS - 1
  #jobCount = 0
  #endMs = 0

  constructor(init: VillageInit) {
    this.#init = init
    this.random = new FuzzRandom(init.seed, 0)
  }

  noteStep(who: string, { action, reason, failure }: StepReport): void {
    const role = who.replace(/-\d+$/, '')
    count(this.steps, `${role} ${action} (${reason})${failure === undefined ? '' : ` failed: ${failure.code}`}`)
  }

  /** Lives all days, winds down, and checks every account. */
  run(): Promise<VillageReport> {
    return this.time.run(this.#live())
  }

  async #live(): Promise<VillageReport> {
    const { days } = this.#init
    this.#endMs = START_MS + days * DAY_MS
    this.chain = await this.time.working(async () => WeeksChain.create(this.time, this.random))
    for (let index = 0; index < PROVIDERS; index++) {
      this.providers.push(new ProviderActor(this, index))
    }
    for (let index = 0; index < CLIENTS; index++) {
      this.clients.push(new ClientActor(this, index))
    }
    const all = [...this.providers, ...this.clients]
    for (const actor of all) {
      await actor.start()
      await this.chain.fund(actor.address, FUNDS)
    }
    await Promise.all([
      this.#weather(),
      this.#calendar(),
      ...this.clients.map((client, index) => this.#asks(client, index)),
      ...this.providers.map((provider, index) => this.#comesAndGoes(provider, index))
    ])
    return this.#windDown()
  }

  /** A client asks now and then, sleeps at night, and once is away for days. */
  async #asks(client: ClientActor, index: number): Promise<void> {
    const { random, time } = this
    const awayFromMs = START_MS + ((index + 1) * this.#init.days * DAY_MS) / (CLIENTS + 2)
    const awayUntilMs = awayFromMs + Math.min(5, this.#init.days / 4) * DAY_MS
    while (time.nowMs() < this.#endMs) {
      await time.sleep((5 + random.below(50)) * MINUTE_MS)
      const away = time.nowMs() > awayFromMs && time.nowMs() < awayUntilMs
      if (client.life === undefined || away || this.#hour < 7 || time.nowMs() >= this.#endMs) {
        continue
      }
      if (random.below(60) === 0) {
        await this.#restart(client, random.below(30) * MINUTE_MS)
        continue
      }
      // Sometimes several at once, over one channel or many.
      const parallel = random.below(5) === 0 ? 1 + random.below(4) : 1
      await Promise.all(Array.from({ length: parallel }, () => this.#ask(client)))
    }
  }

  async #ask(client: ClientActor): Promise<void> {
    const there = this.providers.filter(provider => provider.life !== undefined)
    if (there.length === 0 || client.life === undefined) {
      count(this.jobs, 'nobody there')
      return
    }
    const jobId = (++this.#jobCount).toString(16).padStart(32, '0')
    const provider = this.random.pick(there)
    const progress = { tokens: 0, received: ZERO_NANO_TON }
    const ended = await Promise.race([playJob(this, client, provider, jobId, progress), this.#death(client.life)])
    count(this.jobs, ended)
    provider.sales.cuts += ended === 'done' ? 0 : 1
    provider.sales.delivered += progress.received
    this.tokens += progress.tokens
  }

  /** A killed process waits for ever for what it asked: its job is over some time after its death. */
  async #death(life: Incarnation): Promise<string> {
    await life.death
    await this.time.sleep(10 * MINUTE_MS)
    return 'client killed'
  }

  /** A provider is killed every day or two, stays away for minutes or hours, and once comes back with an old disk. */
  async #comesAndGoes(provider: ProviderActor, index: number): Promise<void> {
    const { random, time } = this
    let backup: Disks | undefined
    for (let outages = 1; ; outages++) {
      await time.sleep((8 + random.below(40)) * HOUR_MS)
      if (time.nowMs() >= this.#endMs) {
        return
      }
      if (index === this.#leaver && time.nowMs() > START_MS + (this.#init.days * DAY_MS) / 2) {
        count(this.events, 'provider gone for good')
        provider.kill()
        return
      }
      provider.kill()
      count(this.events, 'provider killed')
      await time.sleep(random.pick([2, 20, 90, 600]) * MINUTE_MS)
      if (outages % 5 === 0 && backup !== undefined) {
        provider.disks = copyDisks(backup)
        count(this.events, 'provider back with an old disk')
      }
      backup = outages % 5 === 3 ? copyDisks(provider.disks) : backup
      await provider.start()
    }
  }

  async #restart(client: ClientActor, pauseMs: number): Promise<void> {
    client.kill()
    count(this.events, 'client killed')
    await this.time.sleep(pauseMs)
    await client.start()
  }

  /** The chain's bad hours. */
  async #weather(): Promise<void> {
    const { chain, random, time } = this
    while (time.nowMs() < this.#endMs) {
      await time.sleep((4 + random.below(30)) * HOUR_MS)
      const kind = random.pick(['down', 'lossy', 'mute'] as const)
      count(this.events, `chain ${kind}`)
      chain.down = kind === 'down'
      chain.lossPercent = kind === 'lossy' ? 40 : 0
      chain.mutePercent = kind === 'mute' ? 25 : 0
      await time.sleep(random.pick([3, 30, 240]) * MINUTE_MS)
      Object.assign(chain, { down: false, lossPercent: 0, mutePercent: 0 })
    }
  }

  /** What happens once: a client's machine burns, and only its wallet's words are left. */
  async #calendar(): Promise<void> {
    const { time } = this
    for (let day = 1; day <= this.#init.days; day++) {
      await time.sleep(DAY_MS)
      this.#init.onDay?.(day, this)
      const client = this.clients[this.#burnt]
      if (day === Math.ceil((this.#init.days * 2) / 3) && client !== undefined) {
        count(this.events, 'client lost its disk')
        client.kill()
        client.disks = emptyDisks()
        await client.start()
        await this.#recover(client)
      }
    }
  }

  async #recover(client: ClientActor): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      try {
        const { recovered } = await client.payer.recover(await client.chain.openedChannels())
        count(this.events, `${recovered.length} channels found by the wallet's history`)
        for (const provider of this.providers.filter(one => one.life !== undefined)) {
          await client.channels
            .resume(provider.capacity)
            .catch((err: unknown) => count(this.events, `resume ${errorCode(err)}`))
        }
        return
      } catch (err) {
        count(this.events, `recovery waits (${errorCode(err)})`)
        await this.time.sleep(30 * MINUTE_MS)
      }
    }
    throw new Error('The channels of a lost disk were never found')
  }

  /** No more jobs; the weather is fine; everybody but the one that left is there. Every channel has to end by itself. */
  async #windDown(): Promise<VillageReport> {
    for (const actor of [...this.clients, ...this.providers.slice(0, this.#leaver)]) {
      if (actor.life === undefined) {
        await actor.start()
      }
    }
    const closed = (): boolean => this.clients.every(client => client.payer.list().every(c => c.state === 'closed'))
    for (let hours = 0; hours < WIND_DOWN_DAYS * 24 && !closed(); hours++) {
      await this.time.sleep(HOUR_MS)
    }
    return this.#audit()
  }

  async #audit(): Promise<VillageReport> {
    const channels = await this.#channels()
    const actors = [...this.clients, ...this.providers]
    let [held, fees] = [0n, 0n]
    const paidOut = new Map<string, bigint>()
    for (const address of [...actors.map(actor => actor.address), ...channels.keys()]) {
      held += await this.chain.balance(address)
      const made = this.chain.transactionsOf(address)
      fees += networkFees(made)
      if (channels.has(address)) {
        for (const { from, inValue, outgoing } of made) {
          outgoing.forEach(({ to, value }) => add(paidOut, to, value))
          // What a claim brings for its gas comes back with the payout.
          add(paidOut, from ?? '', 0n - inValue)
        }
      }
    }
    return {
      days: this.#init.days,
      chainRequests: this.chain.requests,
      channels: channels.size,
      stuck: [...channels].filter(([, open]) => open).map(([channel]) => channel),
      unaccounted: FUNDS * BigInt(actors.length) - held - fees,
      fees,
      sales: this.providers.map(({ peerId, address, sales }, index) => ({
        provider: peerId,
        left: index === this.#leaver,
        ...sales,
        paid: paidOut.get(address) ?? 0n
      }))
    }
  }

  /** Every channel ever opened, and whether it is still there: in the books, and on the chain for those that no book knows. */
  async #channels(): Promise<Map<string, boolean>> {
    const channels = new Map<string, boolean>()
    for (const client of this.clients) {
      const known = client.payer.list().map(({ channel }) => channel)
      const opened = (await client.chain.openedChannels()).map(({ channel }) => channel)
      for (const channel of [...known, ...opened]) {
        channels.set(channel, (await client.chain.readChannel(channel)).state !== 'missing')
      }
    }
    return channels
  }

  get #hour(): number {
    return Math.floor(this.time.nowMs() / HOUR_MS) % 24
  }
}

export interface VillageReport {
  days: number
  chainRequests: number
  /** Channels ever opened. */
  channels: number
  /** Those that did not end by themselves. */
  stuck: string[]
  /** What was given to all wallets, less what they and the channels hold and what the network kept: zero. */
  unaccounted: bigint
  /** What the network kept. */
  fees: bigint
  sales: ProviderSales[]
}

/** What a provider gave and got. */
export interface ProviderSales {
  provider: string
  /** It went away for good and left its last vouchers unclaimed. */
  left: boolean
  /** Price of what clients received of it. */
  delivered: bigint
  /** Jobs that did not end as they should: for each, up to a window may have been paid and not received. */
  cuts: number
  /** What channels paid it, the gas of its claims taken off. */
  paid: bigint
}

/**
 * What is wrong with a report, in words; empty if nothing is.
 *
 * A provider gets what its clients received: at most a window more for each job that was cut, and at most the
 * fees of claiming less, unless it left.
 */
export function complaints({ stuck, unaccounted, sales, channels }: VillageReport): string[] {
  const found = stuck.map(channel => `channel ${channel} did not end by itself`)
  if (unaccounted !== 0n) {
    found.push(`${unaccounted} nanotons are not accounted for`)
  }
  for (const { provider, left, delivered, cuts, paid } of sales) {
    if (paid > delivered + BigInt(cuts) * JOB_EXPOSURE) {
      found.push(`${provider} was paid ${paid} for ${delivered}, with ${cuts} jobs cut`)
    }
    if (!left && paid + BigInt(channels) * CLAIM_COSTS < delivered) {
      found.push(`${provider} was paid ${paid} for ${delivered}`)
    }
  }
  return found
}

function count(map: Map<string, number>, what: string): void {
  map.set(what, (map.get(what) ?? 0) + 1)
}

function add(map: Map<string, bigint>, key: string, amount: bigint): void {
  map.set(key, (map.get(key) ?? 0n) + amount)
}
