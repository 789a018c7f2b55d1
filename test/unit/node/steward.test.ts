import assert from 'node:assert/strict'
import { parseConfig } from '../../../src/config/index.ts'
import { MoneyError } from '../../../src/core/errors.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { ChannelCare, type ChannelCareInit, channelPolicy, type StewardAccount } from '../../../src/node/steward.ts'
import { Ledger, type LostChannel, type StepReport, StewardJournal } from '../../../src/payments/index.ts'
import { FakeLedgerDatabase } from '../../support/ledger-database.ts'
import { PAYEE_ADDRESS, PAYER_ADDRESS } from '../../support/payment-pair.ts'
import { until } from '../../support/until.ts'
import { FEES, StewardPair } from '../payments/steward/steward-pair.ts'

const CONFIG = parseConfig({
  network: 'simnet',
  chain: { endpoint: 'http://127.0.0.1:1' },
  channels: { claimAbove: '100', closeIdleHours: 24, forceCloseAfterHours: 2, maxFeePercent: 10, claimAfterHours: 3 }
})

/** One home that pays and is paid, as a node opens it. */
class CaredPair extends StewardPair {
  readonly lost: LostChannel[] = []
  end: 'alone' | 'together' | 'unknown' = 'alone'
  care!: ChannelCare
  journalDisk = new FakeLedgerDatabase()

  /** A node's process begins. */
  begin(role: ChannelCareInit['role']): ChannelCare {
    this.restartPayer()
    this.restartPayee()
    this.journalDisk = new FakeLedgerDatabase(this.journalDisk.stored)
    const chain = Object.assign(this.chain, { fees: async () => FEES, howEnded: async () => this.end })
    const account: unknown = {
      config: CONFIG,
      payer: this.payer,
      payee: this.payee,
      chain,
      wallet: { balance: async () => nanoTon(10n ** 9n) },
      store: { ledger: new Ledger(this.payeeDisk), journal: new StewardJournal(this.journalDisk) },
      clock: this.clock,
      logger: silentLogger
    }
    this.care = new ChannelCare(account as StewardAccount, {
      role,
      closeTogether: channel => this.closeTogether(channel),
      onStep: (report: StepReport) => void this.reports.push(report),
      onLost: lost => void this.lost.push(lost)
    })
    return this.care
  }

  get claimed(): bigint {
    return this.chain.paid.get(PAYEE_ADDRESS) ?? 0n
  }
}

describe('how a node looks after its channels', () => {
  let pair: CaredPair
  afterEach(() => pair.care.stop())

  it('decides by what the configuration says', () => {
    const { claimAbove, closeIdleMs, forceCloseAfterMs, maxFeePercent, topUpBelow, topUpAmount } = channelPolicy(CONFIG)
    assert.deepEqual(
      [claimAbove, closeIdleMs, forceCloseAfterMs, maxFeePercent, topUpBelow, topUpAmount],
      [100n, 86_400_000, 7_200_000, 10, 125_000_000n, 500_000_000n]
    )
    pair = new CaredPair()
    pair.begin('client')
  })

  it('P07 a provider has claimed from what was closed while it was away before it may serve', async () => {
    pair = await new CaredPair().start()
    const channel = await pair.used(40n)
    await pair.payer.startClose(channel)
    await pair.begin('provider').open()
    assert.equal(pair.claimed, 40n)
    assert.deepEqual(pair.lost, [])
  })

  it('tells what was lost while it was away', async () => {
    pair = await new CaredPair().start()
    const channel = await pair.used(40n)
    await pair.payer.startClose(channel)
    pair.pass(2)
    await pair.payer.finish(channel)
    await pair.begin('provider').open()
    assert.deepEqual(pair.lost, [{ channel, lost: 40n }])
  })

  it('P58 a provider opens its books although the chain is away', async () => {
    pair = await new CaredPair().start()
    await pair.used(40n)
    pair.chain.before = () => {
      throw new MoneyError('CHAIN_UNREACHABLE', 'away', { details: { sent: false } })
    }
    await pair.begin('provider').open()
    pair.care.start()
    assert.equal(pair.payee.list().length, 1)
  })

  it('a client in its first minute claims and finishes, and closes nothing that the user may be about to use', async () => {
    pair = await new CaredPair().start()
    await pair.used(40n)
    pair.pass(30)
    const care = pair.begin('client')
    await care.open()
    care.start()
    await until(() => pair.claimed === 40n)
    await care.stop()
    assert.deepEqual(
      pair.reports.map(({ action }) => action),
      ['claim']
    )
    assert.equal(pair.payer.list()[0]?.state, 'open')
  })

  it('tends the channels of both roles when it is asked to, once more what was given up', async () => {
    pair = await new CaredPair().start()
    await pair.used(400n)
    const failing = pair.begin('client')
    await failing.open()
    pair.chain.before = call => {
      if (call === 'claim') {
        throw new MoneyError('CHAIN_REFUSED', 'no')
      }
    }
    failing.start()
    for (let hour = 0; hour < 12; hour++) {
      await failing.tend()
      pair.pass(1)
    }
    await failing.stop()
    pair.chain.before = () => undefined
    const care = pair.begin('client')
    await care.open()
    care.start()
    assert.deepEqual(await care.tend(), [])
    assert.deepEqual(
      (await care.tend({ again: true })).map(({ action }) => action),
      ['claim']
    )
    pair.pass(24)
    assert.deepEqual(
      (await care.tend()).map(({ action }) => action),
      ['close-together']
    )
    assert.equal(pair.claimed + (pair.chain.paid.get(PAYER_ADDRESS) ?? 0n), 1_000n)
  })
})
