import type { BlockchainSnapshot } from '@ton/sandbox'
import {
  type SignedClose,
  type SignedFields,
  storeClaim,
  storeCoopClose,
  storeFund,
  storeStartClose
} from '../../src/ton/channel-contract.ts'
import { CHALLENGE_SECONDS, ChannelFixture, GAS, ton } from './channel-fixture.ts'

/**
 * How far a channel has come. `new`: somebody else put its code there. `late`: closing, and may be finished. `gone`: closed.
 * `reopened`: opened again at the same address.
 */
export type Stage = 'missing' | 'new' | 'open' | 'closing' | 'late' | 'gone' | 'reopened'

/** What is locked from `open` to `late`, and in `reopened`. */
export const DEPOSIT = ton('1')
/** What was paid to the payee from `open` to `late`. */
export const SETTLED = ton('0.3')

/** One channel, at any point of its life, restored from a snapshot for each test. */
export class ChannelStages {
  readonly f: ChannelFixture
  /** Signed in the first opening, for more than is settled, and never used. */
  readonly voucher: SignedFields
  readonly statement: SignedClose
  readonly #snapshots: ReadonlyMap<Stage, BlockchainSnapshot>

  private constructor(
    f: ChannelFixture,
    signed: [SignedFields, SignedClose],
    snapshots: Map<Stage, BlockchainSnapshot>
  ) {
    this.f = f
    ;[this.voucher, this.statement] = signed
    this.#snapshots = snapshots
  }

  static async create(): Promise<ChannelStages> {
    const f = await ChannelFixture.create()
    const snapshots = new Map<Stage, BlockchainSnapshot>()
    const at = (stage: Stage): void => void snapshots.set(stage, f.chain.snapshot())
    at('missing')
    await f.send(f.stranger, storeFund(DEPOSIT), DEPOSIT + GAS, true)
    at('new')
    await f.open(DEPOSIT)
    await f.send(f.payee, storeClaim(await f.voucher(SETTLED)), GAS)
    at('open')
    const voucher = await f.voucher(ton('0.6'))
    // It outlives the closing and the next opening.
    const statement = await f.statement(ton('0.6'), { validUntil: 2_000_000_000 })
    await f.send(f.payer, storeStartClose(), GAS)
    at('closing')
    const { closeAt } = await f.state()
    f.chain.now = closeAt
    at('late')
    f.chain.now = closeAt - CHALLENGE_SECONDS
    await f.send(f.payer, storeCoopClose(await f.statement(SETTLED)), GAS)
    at('gone')
    await f.open(DEPOSIT)
    at('reopened')
    return new ChannelStages(f, [voucher, statement], snapshots)
  }

  /** Takes the chain to this point. */
  async at(stage: Stage): Promise<ChannelFixture> {
    const snapshot = this.#snapshots.get(stage)
    if (snapshot === undefined) {
      throw new Error(`No stage ${stage}`)
    }
    await this.f.chain.loadFrom(snapshot)
    return this.f
  }
}
