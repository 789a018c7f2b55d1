import assert from 'node:assert/strict'
import { MoneyError } from '../../../../src/core/errors.ts'
import { silentLogger } from '../../../../src/core/logger.ts'
import { type LostChannel, PayeeWatch } from '../../../../src/payments/watch/watcher-payee.ts'
import type { ChannelEnd } from '../../../../src/payments/watch/watcher-types.ts'
import { PAYEE_ADDRESS } from '../../../support/payment-pair.ts'
import { until } from '../../../support/until.ts'
import { StewardPair } from '../steward/steward-pair.ts'

class WatchedPair extends StewardPair {
  readonly lost: LostChannel[] = []
  end: ChannelEnd = 'unknown'
  watch!: PayeeWatch
  /** When a claim last reached the chain: its time runs on while a test waits. */
  claimedAtMs = 0

  override async start(): Promise<this> {
    await super.start()
    this.chain.after = call => {
      this.claimedAtMs = call === 'claim' ? this.chain.nowMs : this.claimedAtMs
    }
    this.#watch()
    return this
  }

  /** The provider's process starts again, as `node.start` does it. */
  async comeBack(): Promise<void> {
    await this.watch.stop()
    const before = this.payee.list()
    this.restartPayee()
    this.restartStewards()
    this.#watch()
    await this.payee.start()
    await this.watch.afterAbsence(before)
  }

  get paid(): bigint {
    return this.chain.paid.get(PAYEE_ADDRESS) ?? 0n
  }

  #watch(): void {
    this.watch = new PayeeWatch(
      {
        payee: this.payee,
        steward: this.earning,
        chain: { howEnded: async () => this.end },
        clock: this.clock,
        logger: silentLogger,
        delay: async (ms, signal) => {
          await new Promise(resolve => setImmediate(resolve))
          if (signal?.aborted !== true) {
            this.chain.nowMs += ms
          }
        }
      },
      { onLost: lost => void this.lost.push(lost) }
    )
  }
}

describe('the watch over a provider’s channels', () => {
  let pair: WatchedPair
  afterEach(() => pair.watch.stop())

  it('P07 an idle provider’s best voucher is on chain before the payer’s close ends', async () => {
    pair = await new WatchedPair().start()
    const channel = await pair.used(40n)
    pair.watch.start()
    await pair.payer.startClose(channel)
    const { closeAtMs } = await pair.chain.readChannel(channel)
    await until(() => pair.paid === 40n)
    assert.ok(pair.claimedAtMs < closeAtMs - 3_000_000, 'early in the hour')
    assert.equal(pair.chain.count('claim'), 1)
  })

  it('P07 a provider that restarts claims before it serves, also when the close could be finished already', async () => {
    for (const awayHours of [0.5, 24]) {
      pair = await new WatchedPair().start()
      const channel = await pair.used(40n)
      await pair.payer.startClose(channel)
      pair.pass(awayHours)
      await pair.comeBack()
      assert.equal(pair.paid, 40n)
      assert.deepEqual(pair.lost, [])
      await pair.watch.stop()
    }
  })

  it('P07 claims although the chain was away when it was noticed', async () => {
    pair = await new WatchedPair().start()
    const channel = await pair.used(40n)
    await pair.payer.startClose(channel)
    const { closeAtMs } = await pair.chain.readChannel(channel)
    let failures = 30
    pair.chain.before = () => {
      if (failures-- > 0) {
        throw new MoneyError('CHAIN_UNREACHABLE', 'away', { details: { sent: false } })
      }
    }
    await pair.comeBack()
    assert.equal(pair.paid, 0n)
    pair.watch.start()
    await until(() => pair.paid === 40n)
    assert.ok(pair.claimedAtMs < closeAtMs)
  })

  it('says what was lost when it is too late', async () => {
    pair = await new WatchedPair().start()
    const channel = await pair.used(40n)
    await pair.payer.startClose(channel)
    pair.pass(2)
    await pair.payer.finish(channel)
    pair.end = 'alone'
    await pair.comeBack()
    assert.deepEqual(pair.lost, [{ channel, lost: 40n }])
    await pair.comeBack()
    assert.equal(pair.lost.length, 1, 'it is told once')
  })

  it('says so too where it happens under its eyes', async () => {
    pair = await new WatchedPair().start()
    const channel = await pair.used(40n)
    await pair.payer.startClose(channel)
    pair.pass(2)
    await pair.payer.finish(channel)
    pair.watch.start()
    await until(() => pair.lost.length > 0)
    assert.deepEqual(pair.lost, [{ channel, lost: 40n }])
  })

  it('calls nothing lost that was closed together', async () => {
    pair = await new WatchedPair().start()
    await pair.used(40n)
    const [known] = pair.payer.list()
    await pair.closeTogether(known?.channel ?? '')
    pair.end = 'together'
    await pair.comeBack()
    assert.deepEqual([pair.lost, pair.paid], [[], 40n])
  })

  it('asks nobody anything about channels that owe nothing', async () => {
    pair = await new WatchedPair().start()
    await pair.open()
    pair.chain.before = call => assert.fail(call)
    const fromMs = pair.chain.nowMs
    pair.watch.start()
    await until(() => pair.chain.nowMs > fromMs + 300_000)
  })
})
