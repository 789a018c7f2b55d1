import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parseRawAddress } from '../../../../src/core/address.ts'
import { ed25519FromSeed, ed25519Sign } from '../../../../src/core/ed25519.ts'
import { CocoonError, NetworkError } from '../../../../src/core/errors.ts'
import { closeHash, type PayerChannelInfo, signVoucher, type Voucher } from '../../../../src/payments/index.ts'
import { payerRecord } from '../../../../src/payments/ledger/ledger-records.ts'
import { decodeRecord } from '../../../../src/payments/ledger/record-codec.ts'
import { amount, NO_USAGE, PAYER_KEY, PaymentPair, POLICY, providerOf } from '../../../support/payment-pair.ts'

const DAY_LIMIT = 1_500n
const DEPOSIT_DAY_LIMIT = 9_000n
const FILLED = { ...POLICY, maxDeposit: amount(3_000), topUpBelowPercent: 25 }

/** One caller's doing. `n` picks a provider or one of the channels there are. */
type Action =
  | { do: 'ensure'; n: number; room: number }
  | { do: 'refill' | 'refresh' | 'retire' | 'close' | 'startClose' | 'finish' | 'recover'; n: number }
  | { do: 'topUp' | 'makeRoom' | 'authorize' | 'adopt' | 'reconcile' | 'synced'; n: number; amount: number }
  | { do: 'job'; n: number; steps: number[]; confirmed: boolean }
  | { do: 'wait'; hours: number }

const n = fc.nat(3)
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('ensure' as const), n, room: fc.nat(1_200) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('job' as const),
      n,
      steps: fc.array(fc.nat(300), { maxLength: 4 }),
      confirmed: fc.boolean()
    })
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('topUp', 'makeRoom', 'authorize', 'adopt', 'reconcile', 'synced'),
      n,
      amount: fc.integer({ min: 1, max: 400 })
    })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('refill', 'refresh', 'retire', 'close', 'startClose', 'finish', 'recover'),
      n
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), hours: fc.nat(1) }) }
)

/** A payer whose callers, disk and chain take turns as the scheduler likes, watched at every step. */
class Race {
  readonly pair = new PaymentPair()
  readonly #s: fc.Scheduler
  readonly #faults: Iterator<number>
  /** The highest voucher of each channel that anybody holds. */
  readonly #held = new Map<string, Voucher>()
  readonly #last = new Map<string, PayerChannelInfo>()
  #jobs = 0

  constructor(s: fc.Scheduler, faults: Iterator<number>) {
    this.#s = s
    this.#faults = faults
  }

  async start(): Promise<void> {
    this.pair.payerInit = {
      ...this.pair.payerInit,
      limits: { maxSpendPerDay: amount(DAY_LIMIT), maxDepositPerDay: amount(DEPOSIT_DAY_LIMIT) }
    }
    await this.pair.start()
    const tick = (label: string): Promise<void> => this.#s.schedule(Promise.resolve(), label)
    this.pair.payerDisk.before = async () => {
      await tick('disk')
      this.check()
      this.#mayFail(1, 'disk full')
    }
    this.pair.chain.before = async call => {
      await tick(call)
      this.#mayFail(2, 'not sent or lost')
    }
    this.pair.chain.after = async call => {
      await tick(call)
      this.#mayFail(3, 'answer lost')
    }
  }

  /** Runs one caller; only refusals with a code may come of it. */
  async run(one: Action): Promise<void> {
    await this.#s.schedule(Promise.resolve(), one.do)
    try {
      await this.#act(one)
    } catch (err) {
      assert.ok(err instanceof CocoonError, String(err))
    }
    this.check()
  }

  /** What holds at every moment. */
  check(): void {
    const { payer, chain } = this.pair
    const today = payer.today()
    assert.ok(today.signed <= DAY_LIMIT && today.deposited <= DEPOSIT_DAY_LIMIT)
    for (const info of payer.list()) {
      const before = this.#last.get(info.channel)
      assert.ok(info.signed <= info.deposit, 'signed within the confirmed deposit')
      assert.ok(info.uncertain <= info.used && info.settled <= info.deposit)
      if (before !== undefined) {
        assert.ok(info.signed >= before.signed && info.deposit >= before.deposit && info.settled >= before.settled)
        const over = before.state === 'closing' || before.state === 'closed'
        assert.ok(!over || info.state === before.state || info.state === 'closed', `${before.state} → ${info.state}`)
        assert.ok(!over || info.signed === before.signed, 'nothing is signed on what is being closed')
      }
      this.#last.set(info.channel, info)
    }
    const deposited = chain.log
      .filter(entry => entry.call === 'openChannel' || entry.call === 'topUp')
      .reduce((sum, entry) => sum + entry.amount, 0n)
    assert.ok(deposited <= DEPOSIT_DAY_LIMIT)
  }

  /** When all is quiet: what is on disk is what a restart finds, and no job is left in it. */
  async finish(): Promise<void> {
    await this.#s.waitFor(this.pair.payer.stop())
    this.pair.payerDisk.before = () => undefined
    this.pair.chain.before = () => undefined
    this.pair.chain.after = () => undefined
    const before = this.pair.payer.list()
    await this.pair.restartPayer().start()
    for (const info of this.pair.payer.list()) {
      const known = before.find(c => c.channel === info.channel)
      assert.ok(known === undefined || info.signed >= known.signed)
      assert.ok(info.signed >= (this.#held.get(info.channel)?.cumulative ?? 0n), 'every voucher handed out is on disk')
      assert.equal(info.runningJobs, 0)
    }
    const signed = this.pair.payer.list().reduce<bigint>((sum, c) => sum + c.signed, 0n)
    assert.ok(signed <= this.pair.payer.today().signed, 'the day has counted all of it')
  }

  async #act(one: Action): Promise<void> {
    const { payer } = this.pair
    if (one.do === 'ensure') {
      const { channel } = await payer.ensureChannel(providerOf(one.n % 2), { ...FILLED, room: amount(one.room) })
      assert.ok(channel)
      return
    }
    if (one.do === 'wait') {
      this.pair.chain.nowMs += one.hours * 3_600_000
      return
    }
    const list = payer.list()
    const info = list[one.n % Math.max(1, list.length)]
    if (info === undefined) {
      return
    }
    const { channel } = info
    switch (one.do) {
      case 'job':
        return this.#job(channel, one)
      case 'topUp':
        return void (await payer.topUp(channel, amount(one.amount)))
      case 'makeRoom':
        return void (await payer.makeRoom(channel, amount(one.amount)))
      case 'refill':
        return void (await payer.refill(channel, FILLED))
      case 'authorize':
        return this.#take(await payer.authorize(channel, { delta: amount(one.amount) }))
      case 'adopt':
        return void (await payer.adopt(this.#held.get(channel) ?? this.#older(info)))
      case 'reconcile':
        return void (await payer.reconcile(channel, amount(one.amount)))
      case 'synced':
        return this.#synced(info, one.amount)
      case 'refresh':
        return void (await payer.refresh(channel))
      case 'retire':
        return void (await payer.retire(channel))
      case 'close':
        return this.#close(info)
      case 'startClose':
        return void (await payer.startClose(channel))
      case 'finish':
        return void (await payer.finish(channel))
      case 'recover':
        return void (await payer.recover(list.map(c => ({ channel: c.channel, terms: c.terms }))))
    }
  }

  async #job(channel: string, { steps, confirmed }: Extract<Action, { do: 'job' }>): Promise<void> {
    const job = this.pair.payer.startJob(channel, { jobId: `${++this.#jobs}`, maxCost: amount(2_000) })
    let cost = 0
    try {
      for (const step of steps) {
        cost += step
        this.#take(await job.payUpTo(amount(cost)))
      }
    } finally {
      // As a node does: a job that began is ended, however often that takes.
      const end = { cost: job.paid, usage: NO_USAGE, confirmed }
      await job.end(end).catch(() => job.end(end))
    }
  }

  /** The payee says what it holds: our highest voucher, and some figure. */
  async #synced({ channel, openedLt, peerId }: PayerChannelInfo, delivered: number): Promise<void> {
    const held = this.#held.get(channel)
    await this.pair.payer.synced(channel, peerId, {
      openedLt,
      cumulative: held?.cumulative ?? amount(0),
      signature: held?.signature ?? new Uint8Array(),
      delivered: amount(delivered),
      closing: false
    })
  }

  /** The payee agrees to a close at what was signed, as far as it knows. */
  async #close({ channel, openedLt, terms, signed }: PayerChannelInfo): Promise<void> {
    const key = [0, 1].map(at => ed25519FromSeed(new Uint8Array(32).fill(100 + at)))
    const payee = key.find(({ publicKey }) => Buffer.compare(publicKey, terms.payeeKey) === 0) ?? assert.fail()
    const validUntil = Math.floor(this.pair.chain.nowMs / 1000) + 7_200
    const total = {
      globalId: terms.globalId,
      channel: parseRawAddress(channel),
      openedLt,
      cumulative: signed,
      validUntil
    }
    const payeeSignature = ed25519Sign(payee.privateKey, closeHash(total))
    await this.pair.payer.close(channel, { openedLt, cumulative: signed, validUntil, payeeSignature })
  }

  #take(voucher: Voucher): void {
    const { channel, cumulative } = voucher
    const held = this.#held.get(channel)
    const record = this.pair.payerDisk.stored.get(`payer/${channel}`)
    assert.ok(record === undefined || decodeRecord(`payer/${channel}`, payerRecord, record).signed >= cumulative)
    if (held === undefined || held.cumulative < cumulative) {
      this.#held.set(channel, voucher)
    }
  }

  #older({ channel, openedLt }: PayerChannelInfo): Voucher {
    return signVoucher(PAYER_KEY, -217, { channel, openedLt, cumulative: amount(0) })
  }

  #mayFail(kind: number, what: string): void {
    if (this.#faults.next().value === kind) {
      throw new NetworkError('CHAIN_UNREACHABLE', what)
    }
  }
}

describe('payer under any interleaving', () => {
  it('keeps every limit and loses no voucher, whatever runs at once and whatever fails', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(action, { minLength: 3, maxLength: 18 }),
        fc.infiniteStream(fc.nat(25)),
        async (s, actions, faults) => {
          const race = new Race(s, faults)
          await race.start()
          // One after the other for a start, so that there is something to race about.
          await s.waitFor(race.run({ do: 'ensure', n: 0, room: 100 }))
          await s.waitFor(Promise.all(actions.map(one => race.run(one))))
          await s.waitIdle()
          await race.finish()
        }
      ),
      { numRuns: 120 }
    )
  })

  it('P25 gives 50 parallel jobs on one channel strictly increasing vouchers, none lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async s => {
        const pair = await new PaymentPair().start()
        const channel = await pair.open({ ...POLICY, deposit: amount(5_000) })
        pair.payerDisk.before = () => s.schedule(Promise.resolve(), 'disk')
        const jobs = Array.from({ length: 50 }, async (_, at) => {
          await s.schedule(Promise.resolve(), 'request')
          const job = pair.payer.startJob(channel, { jobId: `${at}`, maxCost: amount(100) })
          return (await job.payUpTo(amount(at + 1))).cumulative
        })
        const vouchers = await s.waitFor(Promise.all(jobs))
        assert.equal(new Set(vouchers).size, 50)
        const total = (50n * 51n) / 2n
        assert.equal(pair.info(channel).signed, total)
        // Each is its own price above the one before it.
        const order = vouchers.map((cumulative, at) => ({ cumulative, price: BigInt(at + 1) }))
        order.sort((a, b) => Number(a.cumulative - b.cumulative))
        order.reduce((sum, { cumulative, price }) => {
          assert.equal(cumulative, sum + price)
          return cumulative
        }, 0n)
      }),
      { numRuns: 10 }
    )
  })
})
