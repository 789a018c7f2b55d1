import { ed25519FromSeed } from '../../src/core/ed25519.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { parseTon } from '../../src/core/nano-ton.ts'
import { type TokenPrices, tokenCost } from '../../src/core/price.ts'
import { Ledger, PayeeChannels, verifyVoucher } from '../../src/payments/index.ts'
import { Steward } from '../../src/payments/steward/steward.ts'
import { StewardJournal } from '../../src/payments/steward/steward-journal.ts'
import { PayeeKeeper } from '../../src/payments/steward/steward-payee.ts'
import { ChannelService } from '../../src/provider/channel-service.ts'
import { createTon, GLOBAL_IDS } from '../../src/ton/index.ts'
import { type Disks, emptyDisks, Incarnation } from './incarnation.ts'
import { CHANNEL_POLICY } from './policy.ts'
import type { Village } from './village.ts'

/** Dear, so that fees are weighed against something. */
export const PRICES: TokenPrices = {
  promptPerMTokens: parseTon('2'),
  cachedPromptPerMTokens: parseTon('0.5'),
  completionPerMTokens: parseTon('6')
}

export const WINDOW_TOKENS = 32

/** A provider that comes and goes: its books, its wallet and its steward, without a model. */
export class ProviderActor {
  readonly peerId: string
  readonly key
  /** What it delivered, by price, and how many of its jobs were cut. */
  readonly sales = { delivered: 0n, cuts: 0 }
  disks: Disks = emptyDisks()
  address = ''
  life: Incarnation | undefined
  payee!: PayeeChannels
  service!: ChannelService
  #steward!: Steward
  readonly #walletKey
  readonly #village: Village

  constructor(village: Village, index: number) {
    this.#village = village
    this.peerId = `provider-${index}`
    this.key = ed25519FromSeed(new Uint8Array(32).fill(100 + index))
    this.#walletKey = ed25519FromSeed(new Uint8Array(32).fill(120 + index))
  }

  /** What its capacity record says. */
  get capacity() {
    return {
      peerId: this.peerId,
      payment: {
        payeeKey: this.key.publicKey,
        payeeAddress: this.address,
        minimumDeposit: parseTon('0.1'),
        networks: [GLOBAL_IDS.simnet]
      }
    }
  }

  async start(): Promise<void> {
    const { time, chain: weeksChain, random } = this.#village
    const life = new Incarnation(this.disks)
    const { chain, wallet } = await time.working(async () =>
      createTon(
        { clock: time, sleep: time.sleep, random, transport: life.transport(weeksChain.transport) },
        {
          endpoint: 'https://chain.test/api/v2/jsonRPC',
          globalId: GLOBAL_IDS.simnet,
          key: this.#walletKey,
          requestsPerSecond: 1_000
        }
      )
    )
    this.address = wallet.address
    this.payee = new PayeeChannels(
      {
        ledger: new Ledger(life.disks.ledger),
        chain,
        clock: time,
        logger: silentLogger,
        key: this.key,
        payeeAddress: wallet.address,
        // In this thread: time passes while another works.
        verifyVoucher: async (...voucher) => verifyVoucher(...voucher)
      },
      {
        minimumDeposit: parseTon('0.1'),
        minimumChallengeSeconds: 3_600,
        resyncJump: tokenCost(PRICES, { promptTokens: 0, cachedPromptTokens: 0, completionTokens: WINDOW_TOKENS })
      }
    )
    this.service = new ChannelService({ logger: silentLogger, payee: this.payee })
    this.#steward = new Steward(
      {
        keepers: [new PayeeKeeper(this.payee)],
        fees: chain,
        wallet,
        journal: new StewardJournal(life.disks.steps),
        clock: time,
        logger: silentLogger,
        delay: time.delay
      },
      { policy: CHANNEL_POLICY, lookEveryMs: 300_000, onStep: step => this.#village.noteStep(this.peerId, step) }
    )
    await this.payee.start()
    if (!life.killed) {
      this.life = life
      this.#steward.start()
    }
  }

  /** The power goes off. */
  kill(): void {
    if (this.life !== undefined) {
      this.disks = this.life.kill()
      void this.#steward.stop()
      this.life = undefined
    }
  }
}
