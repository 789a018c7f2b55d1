import assert from 'node:assert/strict'
import { MoneyError } from '../../../../src/core/errors.ts'
import { type NanoTon, ZERO_NANO_TON } from '../../../../src/core/nano-ton.ts'
import { signVoucher, type Voucher } from '../../../../src/payments/voucher.ts'
import type { WatchVoucher } from '../../../../src/payments/watch/watch-file.ts'
import type { ChannelEnd, GuardEvent } from '../../../../src/payments/watch/watcher-types.ts'
import { VoucherGuard, type VoucherGuardInit } from '../../../../src/payments/watch/watcher-voucher.ts'
import { amount, PAYEE_ADDRESS, PAYER_KEY, PaymentPair, STRANGER_KEY } from '../../../support/payment-pair.ts'
import { until } from '../../../support/until.ts'

const RULES: VoucherGuardInit = { claimAbove: undefined, claimNow: false, intervalMs: undefined }

/** A guard over a pair's chain, which knows of the channel only what the chain tells. */
class Guarding {
  readonly pair = new PaymentPair()
  readonly events: GuardEvent[] = []
  channel = ''
  /** When a claim last reached the chain: its time runs on while a test waits. */
  claimedAtMs = 0
  end: ChannelEnd = 'unknown'
  guard!: VoucherGuard

  async start(init: Partial<VoucherGuardInit> = {}): Promise<this> {
    await this.pair.start()
    this.channel = await this.pair.open()
    const { chain } = this.pair
    const terms = this.pair.terms(this.channel)
    chain.after = call => {
      this.claimedAtMs = call === 'claim' ? chain.nowMs : this.claimedAtMs
    }
    this.guard = new VoucherGuard(
      {
        chain: {
          globalId: chain.globalId,
          readChannel: (...args) => chain.readChannel(...args),
          claimExternally: (...args) => chain.claimExternally(...args),
          readTerms: async () => terms,
          howEnded: async () => this.end
        },
        clock: this.pair.clock,
        onEvent: event => void this.events.push(event),
        delay: async (ms, signal) => {
          // Other work goes first; then time passes.
          await new Promise(resolve => setImmediate(resolve))
          if (signal?.aborted !== true) {
            chain.nowMs += ms
          }
        }
      },
      { ...RULES, ...init }
    )
    return this
  }

  async voucher(cumulative: bigint): Promise<WatchVoucher> {
    return this.#watched(await this.pair.payer.authorize(this.channel, { cumulative: amount(cumulative) }))
  }

  forged(cumulative: bigint, changes: Partial<WatchVoucher> = {}, key = STRANGER_KEY): WatchVoucher {
    const { openedLt } = this.pair.info(this.channel)
    const fields = { channel: this.channel, openedLt, cumulative: amount(cumulative), ...changes }
    return { ...this.#watched(signVoucher(key, changes.globalId ?? -217, fields)), ...changes }
  }

  types(): string[] {
    return this.events.map(({ type }) => type)
  }

  async saw(...types: string[]): Promise<void> {
    await until(() => this.types().join() === types.join(), 2_000).catch(() => assert.deepEqual(this.types(), types))
  }

  get paid(): NanoTon {
    return this.pair.chain.paid.get(PAYEE_ADDRESS) ?? ZERO_NANO_TON
  }

  #watched(voucher: Voucher): WatchVoucher {
    return { ...voucher, globalId: -217 }
  }
}

describe('a guard with somebody else’s voucher', () => {
  let guarding: Guarding
  afterEach(() => guarding.guard.stop())

  it('P07 claims as soon as the payer closes alone, and ends when the channel is over', async () => {
    guarding = await new Guarding().start()
    guarding.guard.offer(await guarding.voucher(400n))
    guarding.guard.start()
    await guarding.saw('watching')
    assert.equal(guarding.paid, 0n)
    await guarding.pair.payer.startClose(guarding.channel)
    await guarding.saw('watching', 'closing', 'claimed')
    assert.equal(guarding.paid, 400n)
    const closing = guarding.events[1] as Extract<GuardEvent, { type: 'closing' }>
    assert.deepEqual([closing.due, closing.late], [400n, false])
    assert.ok(guarding.claimedAtMs < closing.closeAtMs)

    await until(() => guarding.pair.chain.nowMs >= closing.closeAtMs)
    guarding.end = 'alone'
    await guarding.pair.payer.finish(guarding.channel)
    await guarding.guard.finished
    const over = guarding.events.at(-1) as Extract<GuardEvent, { type: 'over' }>
    assert.deepEqual([over.type, over.unpaid], ['over', 0n])
  })

  it('claims late rather than never, and says what was lost where it was too late', async () => {
    guarding = await new Guarding().start()
    const voucher = await guarding.voucher(400n)
    await guarding.pair.payer.startClose(guarding.channel)
    guarding.pair.chain.nowMs += 3_600_000
    guarding.guard.offer(voucher)
    let refuse = true
    guarding.pair.chain.before = call => {
      if (call === 'claim' && refuse) {
        refuse = false
        throw new MoneyError('CHAIN_UNREACHABLE', 'away')
      }
    }
    guarding.guard.start()
    await guarding.saw('watching', 'closing', 'trouble', 'claimed')
    assert.equal((guarding.events[1] as Extract<GuardEvent, { type: 'closing' }>).late, true)

    const second = await new Guarding().start()
    second.guard.offer(await second.voucher(400n))
    second.guard.start()
    await second.saw('watching')
    second.pair.chain.before = call => {
      if (call === 'readChannel') {
        throw new MoneyError('CHAIN_UNREACHABLE', 'away')
      }
    }
    const { chain } = second.pair
    await chain.startClose(second.channel)
    chain.nowMs += 3_700_000
    await chain.finish(second.channel)
    second.end = 'alone'
    chain.before = () => undefined
    await second.guard.finished
    await second.guard.stop()
    const over = second.events.at(-1) as Extract<GuardEvent, { type: 'over' }>
    assert.deepEqual([over.end, over.unpaid], ['alone', 400n])
  })

  it('calls nothing lost that the payee agreed to', async () => {
    guarding = await new Guarding().start()
    guarding.guard.offer(await guarding.voucher(400n))
    guarding.guard.start()
    await guarding.saw('watching')
    const { chain } = guarding.pair
    chain.claimExternally = () => Promise.reject(new MoneyError('CHAIN_UNREACHABLE', 'away'))
    await chain.startClose(guarding.channel)
    chain.nowMs += 3_700_000
    await chain.finish(guarding.channel)
    guarding.end = 'together'
    await guarding.guard.finished
    const over = guarding.events.at(-1) as Extract<GuardEvent, { type: 'over' }>
    assert.equal(over.unpaid, 0n)
  })

  it('claims past an amount, or at once, where it is told to', async () => {
    guarding = await new Guarding().start({ claimAbove: amount(300) })
    guarding.guard.offer(await guarding.voucher(300n))
    guarding.guard.start()
    await guarding.saw('watching')
    guarding.guard.offer(await guarding.voucher(301n))
    await guarding.saw('watching', 'higher', 'claimed')
    assert.equal(guarding.paid, 301n)

    const now = await new Guarding().start({ claimNow: true })
    now.guard.offer(await now.voucher(5n))
    now.guard.start()
    await now.guard.finished
    await now.guard.stop()
    assert.deepEqual([now.types(), now.paid], [['watching', 'claimed'], 5n])
  })

  it('never lets a lower voucher, a forged one, or one of another network take the place of a good one', async () => {
    guarding = await new Guarding().start()
    const low = await guarding.voucher(100n)
    const high = await guarding.voucher(400n)
    assert.equal(guarding.guard.offer(high), 'taken')
    assert.equal(guarding.guard.offer(high), 'known')
    assert.equal(guarding.guard.offer(low), 'taken')
    guarding.guard.start()
    await guarding.saw('watching')
    assert.deepEqual([guarding.guard.offer(low), guarding.guard.offer(high)], ['lower', 'known'])
    guarding.guard.offer(guarding.forged(900n))
    await guarding.saw('watching', 'refused')
    guarding.guard.offer(guarding.forged(901n, { globalId: -239 }, PAYER_KEY))
    await guarding.saw('watching', 'refused', 'refused')
    await guarding.pair.payer.startClose(guarding.channel)
    await guarding.saw('watching', 'refused', 'refused', 'closing', 'claimed')
    assert.equal(guarding.paid, 400n)
  })

  it('guards nothing with forged vouchers alone, or where there is no channel', async () => {
    guarding = await new Guarding().start()
    guarding.guard.offer(guarding.forged(900n))
    guarding.guard.offer({ ...guarding.forged(900n), channel: `0:${'99'.repeat(32)}` })
    guarding.guard.start()
    await guarding.guard.finished
    assert.deepEqual(guarding.types(), ['refused', 'refused'])
  })

  it('tells trouble once while it lasts, and goes on', async () => {
    guarding = await new Guarding().start()
    guarding.guard.offer(await guarding.voucher(400n))
    let failing = 12
    guarding.pair.chain.before = call => {
      if (call === 'readChannel' && failing-- > 0) {
        throw new MoneyError('CHAIN_UNREACHABLE', 'away')
      }
    }
    guarding.guard.start()
    await guarding.saw('trouble', 'watching')
    failing = 3
    await guarding.saw('trouble', 'watching', 'trouble')
  })

  it('waits where the payout is too small or above the deposit, and says so once', async () => {
    guarding = await new Guarding().start()
    guarding.guard.offer(guarding.forged(1_001n, {}, PAYER_KEY))
    guarding.guard.start()
    await guarding.saw('watching', 'over-deposit')
    await guarding.pair.payer.topUp(guarding.channel, amount(10))
    guarding.pair.chain.claimExternally = async () => {
      throw new MoneyError('CLAIM_TOO_SMALL', 'too small', { details: { sent: false } })
    }
    await guarding.pair.payer.startClose(guarding.channel)
    await guarding.saw('watching', 'over-deposit', 'closing', 'too-small')
  })

  it('hands a voucher in once, however long the chain takes', async () => {
    guarding = await new Guarding().start()
    guarding.guard.offer(await guarding.voucher(400n))
    const { chain } = guarding.pair
    let handedIn = 0
    let landed: (() => void) | undefined
    chain.before = call => {
      if (call === 'claim') {
        handedIn++
        return new Promise<void>(resolve => void (landed = resolve))
      }
      return undefined
    }
    await guarding.pair.payer.startClose(guarding.channel)
    guarding.guard.start()
    await until(() => landed !== undefined)
    const fromMs = chain.nowMs
    await until(() => chain.nowMs > fromMs + 600_000)
    assert.equal(handedIn, 1)
    landed?.()
    await guarding.saw('watching', 'closing', 'claimed')
  })

  it('notices that somebody else was faster', async () => {
    guarding = await new Guarding().start()
    const voucher = await guarding.voucher(400n)
    guarding.guard.offer(voucher)
    guarding.guard.start()
    await guarding.saw('watching')
    await guarding.pair.chain.claim(guarding.channel, voucher)
    await guarding.saw('watching', 'paid')
    await guarding.pair.payer.startClose(guarding.channel)
    await new Promise(resolve => setImmediate(resolve))
    assert.deepEqual(guarding.types(), ['watching', 'paid'])
  })
})
