import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
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
import type { Sides } from './script.ts'
import { seededRandom } from './seeded.ts'
import { type Role, type Side, SideDied, type SparePool } from './side.ts'
import { readBooks } from './side-books.ts'
import type { SideInit } from './side-setup.ts'

export interface PairParts {
  chain: ChainProcess
  spares: SparePool
  /** For the homes of both sides. */
  folder: string
  breakage?: Breakage
}

export const ROLES: readonly Role[] = ['payer', 'payee']
const START_BALANCE = { payer: 20_000_000_000n, payee: 2_000_000_000n }

/** A payer and a payee in processes of their own, with wallets on one chain and a link that the oracle listens to. */
export class Pair {
  readonly oracle: Oracle
  readonly violations: string[] = []
  readonly #parts: PairParts
  readonly #seed: string
  readonly #random: () => number
  readonly #relay: Relay
  readonly #sides = new Map<Role, Side>()
  #starts: Record<Role, WalletStart> | undefined

  constructor(parts: PairParts, seed: string) {
    this.#parts = parts
    this.#seed = seed
    this.#random = seededRandom(`${seed}/work`)
    const payerKey = ed25519PublicKey(this.#key('payer', 'channel').publicKey)
    this.oracle = new Oracle(voucher =>
      ed25519Verify(
        payerKey,
        voucherHash({ ...voucher, globalId: GLOBAL_IDS.simnet, channel: parseRawAddress(voucher.channel) }),
        voucher.signature
      )
    )
    this.#relay = new Relay(this.oracle)
  }

  /** Both run, with money, and can talk to each other. */
  async open(): Promise<void> {
    await this.#relay.start()
    const [payer, payee] = (await Promise.all(ROLES.map(role => this.#fundWallet(role)))) as [WalletStart, WalletStart]
    this.#starts = { payer, payee }
    await Promise.all(ROLES.map(role => this.start(role)))
    await this.connect()
  }

  side(role: Role): Side {
    return this.#sides.get(role) as Side
  }

  /** A side's process, unless it is dead. */
  alive(role: Role): Side | undefined {
    const side = this.#sides.get(role)
    return side?.ending === undefined ? side : undefined
  }

  home(role: Role): string {
    return join(this.#parts.folder, role)
  }

  /**
   * Starts a process on this role's home. It may die on the way, as planned.
   *
   * @param old its books were set back: it cannot know what was said since
   */
  async start(role: Role, { plan, old = false }: { plan?: KillPlan; old?: boolean } = {}): Promise<void> {
    const side = this.#parts.spares.take(role)
    this.#sides.set(role, side)
    mkdirSync(this.home(role), { recursive: true })
    try {
      await side.call('open', { ...this.#init(role), ...(plan === undefined ? {} : { plan }) })
      await side.call('arm')
      const facts = await side.call<ChannelFacts[]>('facts')
      if (old) {
        this.oracle.setBack(role)
      } else {
        this.oracle.restarted(role, facts)
      }
    } catch (err) {
      if (!(err instanceof SideDied)) {
        throw err
      }
    }
  }

  async connect(): Promise<void> {
    this.#relay.cut()
    await Promise.all(ROLES.map(async role => this.side(role).call('connect', this.#relay.port)))
    await this.#relay.connected()
  }

  /** What an operation of the script works with. */
  hands(): Sides {
    return {
      side: role => this.side(role),
      funding: {
        payeeKey: this.#key('payee', 'channel').publicKey,
        payeeAddress: this.#starts?.payee.address ?? ''
      },
      random: this.#random,
      onJobs: count => {
        this.oracle.jobsAtOnce = count
      }
    }
  }

  /** Both processes end; what their disks say must be what the chain says, to the nanoton. */
  async closeBooks(deposits: ReadonlyArray<readonly bigint[]>): Promise<void> {
    await Promise.all([...this.#sides.values()].map(side => side.kill()))
    await this.#parts.chain.settled()
    // Of two views of one second of the chain, neither is known to be the later: the last look comes after all others.
    await this.#parts.chain.nextSecond()
    const facts = await Promise.all(ROLES.map(role => readBooks(role, this.#init(role))))
    ROLES.forEach((role, at) => this.oracle.restarted(role, facts[at] ?? []))
    const { payer, payee } = this.#starts as Record<Role, WalletStart>
    const books = await new ChainBookkeeper(this.#parts.chain.endpoint).close(payer, payee)
    const stories = books.channels.toSorted((a, b) => (a.openedLt < b.openedLt ? -1 : 1))
    this.#expect(
      'deposits',
      stories.map(story => story.deposits),
      deposits
    )
    let total = 0n
    for (const story of stories) {
      total += story.settled
      this.oracle.settled(story)
      this.#compare(story, facts[0] ?? [], facts[1] ?? [])
    }
    this.#expect('what the payer paid', books.payerLoss, total)
    this.#expect('what the payee got', books.payeeGain, total)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#sides.values()].map(side => side.kill()))
    await this.#relay.stop()
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
    const deposited = deposits.reduce((sum, amount) => sum + amount, 0n)
    this.#expect(`${name}… deposit in the payer's books`, paid?.deposit, deposited)
  }

  #expect(what: string, actual: unknown, expected: unknown): void {
    const [is, should] = [show(actual), show(expected)]
    if (is !== should) {
      this.violations.push(`${what}: ${is} and not ${should}`)
    }
  }

  async #fundWallet(role: Role): Promise<WalletStart> {
    const { chain } = this.#parts
    const books = new ChainBookkeeper(chain.endpoint)
    const address = await walletAddress(this.#key(role, 'wallet').publicKey, GLOBAL_IDS.simnet)
    await chain.give(address, START_BALANCE[role])
    await until(async () => (await books.start(role, address)).balance > 0n, 20_000)
    return books.start(role, address)
  }

  #init(role: Role): SideInit {
    const { chain, breakage } = this.#parts
    return {
      home: this.home(role),
      endpoint: chain.endpoint,
      walletSeed: this.#seedOf(role, 'wallet'),
      channelSeed: this.#seedOf(role, 'channel'),
      ...(breakage === undefined ? {} : { breakage })
    }
  }

  #seedOf(role: Role, use: string): Uint8Array {
    return sha256(`${this.#seed}/${role}/${use}`)
  }

  #key(role: Role, use: string) {
    return ed25519FromSeed(this.#seedOf(role, use))
  }
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}` : part)) ?? 'nothing'
}
