import { ClientChannels } from '../../src/client/channels.ts'
import { ed25519FromSeed } from '../../src/core/ed25519.ts'
import { NetworkError } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { parseTon } from '../../src/core/nano-ton.ts'
import type { Mesh, MeshStream } from '../../src/mesh/index.ts'
import { type DepositPolicy, Ledger, PayerChannels } from '../../src/payments/index.ts'
import { Steward } from '../../src/payments/steward/steward.ts'
import { StewardJournal } from '../../src/payments/steward/steward-journal.ts'
import { PayerKeeper } from '../../src/payments/steward/steward-payer.ts'
import { createTon, GLOBAL_IDS, type TonChain } from '../../src/ton/index.ts'
import { streamPair } from '../support/stream-pair.ts'
import { type Disks, emptyDisks, Incarnation } from './incarnation.ts'
import { CHANNEL_POLICY } from './policy.ts'
import type { Village } from './village.ts'

export const DEPOSITS: Omit<DepositPolicy, 'room'> = {
  deposit: parseTon('0.5'),
  maxDeposit: parseTon('2'),
  challengeSeconds: 6 * 3_600,
  topUpBelowPercent: 25
}

/** A client with its books, its wallet and its steward. */
export class ClientActor {
  readonly peerId: string
  disks: Disks = emptyDisks()
  address = ''
  life: Incarnation | undefined
  payer!: PayerChannels
  channels!: ClientChannels
  chain!: TonChain
  #steward!: Steward
  readonly #index: number
  readonly #village: Village

  constructor(village: Village, index: number) {
    this.#village = village
    this.#index = index
    this.peerId = `client-${index}`
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
          key: ed25519FromSeed(new Uint8Array(32).fill(20 + this.#index)),
          requestsPerSecond: 1_000
        }
      )
    )
    this.address = wallet.address
    this.chain = chain
    this.payer = new PayerChannels({
      ledger: new Ledger(life.disks.ledger),
      chain,
      clock: time,
      random,
      logger: silentLogger,
      key: ed25519FromSeed(new Uint8Array(32).fill(40 + this.#index)),
      payerAddress: wallet.address,
      delay: time.delay
    })
    const mesh = { open: async (peerId: string) => this.#open(life, peerId) } as unknown as Mesh
    this.channels = new ClientChannels({ mesh, payer: this.payer, logger: silentLogger })
    const { channels } = this
    this.#steward = new Steward(
      {
        keepers: [
          new PayerKeeper(
            { payer: this.payer, chain, closeTogether: (channel, options) => channels.close(channel, options) },
            { ...DEPOSITS, room: parseTon('0.01') }
          )
        ],
        fees: chain,
        wallet,
        journal: new StewardJournal(life.disks.steps),
        clock: time,
        logger: silentLogger,
        delay: time.delay
      },
      { policy: CHANNEL_POLICY, lookEveryMs: 600_000, onStep: step => this.#village.noteStep(this.peerId, step) }
    )
    await this.payer.start()
    if (!life.killed) {
      this.life = life
      this.#steward.start()
    }
  }

  kill(): void {
    if (this.life !== undefined) {
      this.disks = this.life.kill()
      void this.#steward.stop()
      this.life = undefined
    }
  }

  /** A stream to a provider's channel service, if that is on. */
  async #open(life: Incarnation, peerId: string): Promise<MeshStream> {
    const { time, providers, random } = this.#village
    await time.sleep(20 + random.below(100))
    life.requireAlive()
    const provider = providers.find(one => one.peerId === peerId)
    if (provider?.life === undefined) {
      throw new NetworkError('PEER_UNREACHABLE', `${peerId} cannot be reached`)
    }
    const [near, far] = streamPair()
    void provider.service.serve(far, this.peerId, new AbortController().signal).catch(() => far.lose())
    return near
  }
}
