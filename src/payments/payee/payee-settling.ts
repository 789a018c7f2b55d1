import { type AbortOptions, abortable } from '../../core/abort.ts'
import { errorCode } from '../../core/errors.ts'
import { SharedRuns } from '../../core/shared-runs.ts'
import { Turns } from '../../core/turns.ts'
import type { ChainReceipt } from '../chain.ts'
import { claimable, highestVoucher, isBound, requireOwner } from './payee-channel.ts'
import { agreeToClose, signClose } from './payee-close.ts'
import type { PayeeDesk } from './payee-desk.ts'
import type { AgreedClose, PayeeComponents } from './payee-types.ts'

/** How the payee gets its money: claims of the highest voucher, and agreements to close at what was delivered. */
export class PayeeSettling {
  readonly #components: Pick<PayeeComponents, 'chain' | 'clock' | 'key' | 'logger'>
  readonly #desk: PayeeDesk
  readonly #claims = new SharedRuns<ChainReceipt | undefined>()
  /** A claim under way would make a smaller agreement worthless, and an agreement a larger claim unfair. */
  readonly #turns = new Turns()

  constructor(components: Pick<PayeeComponents, 'chain' | 'clock' | 'key' | 'logger'>, desk: PayeeDesk) {
    this.#components = components
    this.#desk = desk
  }

  /** See `PayeeChannels.claim`. */
  claim(channel: string, options: AbortOptions & { externally?: boolean }): Promise<ChainReceipt | undefined> {
    const claim = (): Promise<ChainReceipt | undefined> => this.#claim(channel, options.externally === true)
    return this.#claims.run(channel, () => this.#turns.take(channel, claim), options)
  }

  /** See `PayeeChannels.closeRequested`. */
  async close(channel: string, from: string, options: AbortOptions): Promise<AgreedClose> {
    requireOwner(this.#desk.must(channel), from)
    const agreement = this.#turns.take(channel, () =>
      this.#desk.change(
        channel,
        c => {
          requireOwner(c, from)
          return agreeToClose(c, this.#desk.sight.chainNowMs())
        },
        () => this.#desk.wake(channel)
      )
    )
    const agreed = await abortable(agreement, options)
    return signClose(this.#components.key, agreed)
  }

  async #claim(channel: string, externally: boolean): Promise<ChainReceipt | undefined> {
    const { chain, clock } = this.#components
    if (isBound(this.#desk.must(channel))) {
      // The agreement may have run out.
      await this.#desk.read(channel)
    }
    const record = this.#desk.must(channel)
    const voucher = highestVoucher(record)
    if (claimable(record) === 0n || voucher === undefined) {
      return undefined
    }
    const { openedLt, cumulative, signature } = voucher
    const order = { openedLt, cumulative, signature }
    const startedAtMs = clock.nowMs()
    const receipt = await (externally ? chain.claimExternally(channel, order) : chain.claim(channel, order)).catch(
      async (err: unknown) => {
        await this.#look(channel)
        // Somebody else claimed it, or an earlier claim of ours landed after all.
        if (errorCode(err) === 'NOTHING_TO_CLAIM' && claimable(this.#desk.must(channel)) === 0n) {
          return undefined
        }
        throw err
      }
    )
    // What was paid is the chain's to say: a channel that storage fees ate into pays less than the voucher.
    await this.#look(channel)
    await this.#desk.change(channel, c => {
      const beyond = c.openedLt === openedLt && c.settled >= cumulative && c.accepted > c.settled
      // What is accepted beyond this claim came after it was begun.
      return beyond && c.unclaimedSinceMs < startedAtMs ? { ...c, unclaimedSinceMs: startedAtMs } : c
    })
    return receipt
  }

  /** Books what the chain says now; if it says nothing, the next look does. */
  async #look(channel: string): Promise<void> {
    await this.#desk.read(channel).catch((err: unknown) => {
      this.#components.logger.debug('channel not read after a claim', { channel, code: errorCode(err) })
    })
  }
}
