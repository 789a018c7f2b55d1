import assert from 'node:assert/strict'
import fc from 'fast-check'
import { errorCode } from '../../../../src/core/errors.ts'
import type { PayeeJob, Voucher } from '../../../../src/payments/index.ts'
import { amount, CLIENT_PEER, PAYEE_ADDRESS, PAYER_ADDRESS } from '../../../support/payment-pair.ts'
import { PayeeBench } from './payee-fixture.ts'

/** One call to the payee, as clients, timers and the chain make them at the same time. */
type Call =
  | { type: 'accept' | 'job'; raise: number; cost: number }
  | { type: 'admit' | 'refresh' | 'claim' | 'close' | 'top-up' | 'start-close' | 'reopen' | 'later' }
  | { type: 'sync'; short: number }

const paid = fc.record({
  type: fc.constantFrom('accept' as const, 'job' as const),
  raise: fc.nat(300),
  cost: fc.nat(300)
})
const harmless = fc.record({
  type: fc.constantFrom('admit' as const, 'refresh' as const, 'claim' as const, 'top-up' as const)
})
const ending = fc.record({
  type: fc.constantFrom('close' as const, 'start-close' as const, 'reopen' as const, 'later' as const)
})
const told = fc.record({ type: fc.constant('sync' as const), short: fc.nat(100) })

/** What the payee may answer; anything else is a fault. */
const REFUSALS: ReadonlySet<string> = new Set([
  'CHANNEL_BUSY',
  'CHANNEL_CLOSED',
  'CHANNEL_CLOSING',
  'CHANNEL_EXHAUSTED',
  'CHANNEL_MISSING',
  'CHANNEL_RESYNC',
  'CHANNEL_UNKNOWN',
  'CHAIN_LAGGING',
  'CHAIN_REFUSED',
  'NOTHING_TO_CLAIM',
  'PAYMENT_REQUIRED',
  'VOUCHER_FOREIGN',
  'VOUCHER_STALE'
])

/** Runs calls side by side and watches what must hold after every step of any of them. */
class Race {
  readonly bench: PayeeBench
  readonly #s: fc.Scheduler
  readonly #terms
  #signed = 0n
  /** Money charged per opening, by jobs that were released it. */
  readonly #charged = new Map<bigint, bigint>()
  #names = 0

  constructor(bench: PayeeBench, s: fc.Scheduler) {
    this.bench = bench
    this.#s = s
    this.#terms = bench.terms(bench.channel)
    const tick = (label: string) => (): Promise<void> => s.schedule(Promise.resolve(), label)
    bench.payeeDisk.before = tick('disk')
    bench.beforeView = tick('view')
    bench.beforeVerify = tick('signature')
    bench.chain.before = call => tick(call)()
  }

  async run(calls: readonly Call[]): Promise<void> {
    await this.#s.waitFor(Promise.all(calls.map(call => this.#call(call))))
    this.check()
  }

  check(): void {
    for (const info of this.bench.payee.list()) {
      assert.ok(info.promised <= info.locked, 'nothing above the deposit')
      assert.ok(info.settled <= info.promised, 'no claim beyond what is held')
      const charged = this.#charged.get(info.openedLt) ?? 0n
      assert.ok(charged <= info.promised, 'nothing is served that was not paid')
      assert.ok(info.delivered >= charged, 'what was served stays counted')
    }
    const paidOut = this.bench.chain.paid.get(PAYEE_ADDRESS) ?? 0n
    const paidBack = this.bench.chain.paid.get(PAYER_ADDRESS) ?? 0n
    const paidIn = this.bench.chain.log
      .filter(({ call }) => call === 'openChannel' || call === 'topUp')
      .reduce((sum, { amount: value }) => sum + value, 0n)
    assert.ok(paidOut + paidBack <= paidIn)
  }

  async #call(call: Call): Promise<void> {
    await this.#s.schedule(Promise.resolve(), call.type)
    try {
      await this.#make(call)
    } catch (err) {
      assert.ok(REFUSALS.has(errorCode(err) ?? ''), `${call.type}: ${errorCode(err) ?? String(err)}`)
    }
    this.check()
  }

  async #make(call: Call): Promise<unknown> {
    const { payee, chain, channel } = this.bench
    switch (call.type) {
      case 'accept':
        return payee.accept(this.#voucher(call.raise))
      case 'job':
        return this.#job(this.#voucher(call.raise), call.cost)
      case 'admit':
        return payee.admit(this.#terms, CLIENT_PEER)
      case 'refresh':
        return payee.refresh(channel)
      case 'claim':
        return payee.claim(channel)
      case 'close':
        return this.#close()
      case 'sync': {
        const voucher = this.#voucher(0)
        const spent = this.#signed > BigInt(call.short) ? this.#signed - BigInt(call.short) : 0n
        return payee.sync(channel, CLIENT_PEER, { voucher, spent: amount(spent) })
      }
      case 'top-up':
        return chain.topUp(channel, amount(500))
      case 'start-close':
        return chain.startClose(channel)
      case 'later':
        chain.nowMs += 31_000
        return undefined
      case 'reopen':
        return this.#reopen()
    }
  }

  /** The next voucher of the opening that the payee knows. */
  #voucher(raise: number): Voucher {
    const { openedLt } = this.bench.held
    this.#signed += BigInt(raise)
    return this.bench.signFor(openedLt, this.#signed)
  }

  async #job(voucher: Voucher, cost: number): Promise<void> {
    const jobId = `${++this.#names}`
    const job = await this.bench.serve(jobId, { voucher, firstPayment: amount(1) })
    const { openedLt } = voucher
    let total = 0n
    for (const step of [cost / 3, cost / 2, cost]) {
      total = this.#charge(job, openedLt, total, BigInt(Math.floor(step)))
      await this.#s.schedule(Promise.resolve(), 'chunk')
    }
    await job.end(amount(total))
  }

  #charge(job: PayeeJob, openedLt: bigint, before: bigint, cost: bigint): bigint {
    try {
      if (cost <= before || !job.charge(amount(cost))) {
        return before
      }
    } catch (err) {
      assert.ok(REFUSALS.has(errorCode(err) ?? ''))
      return before
    }
    this.#charged.set(openedLt, (this.#charged.get(openedLt) ?? 0n) + cost - before)
    return cost
  }

  async #close(): Promise<void> {
    const { payee, channel } = this.bench
    const agreed = await payee.closeRequested(channel, CLIENT_PEER)
    const { promised, settled, state, openedLt } = this.bench.held
    assert.ok(agreed.cumulative <= promised)
    if (openedLt === agreed.openedLt && state === 'closing') {
      assert.ok(agreed.cumulative >= settled || this.bench.held.closeAtMs > 0, 'no claim beyond an agreement')
      assert.ok(agreed.cumulative >= (this.#charged.get(openedLt) ?? 0n), 'no work is given away')
    }
  }

  /** The payer closes alone, waits, and opens the same address anew. */
  async #reopen(): Promise<void> {
    const { chain, channel } = this.bench
    await chain.startClose(channel).catch(() => undefined)
    chain.nowMs += 3_600_000
    await chain.finish(channel)
    await chain.openChannel(this.#terms, amount(700))
    this.#signed = 0n
  }
}

describe('a payee under any interleaving', () => {
  async function race(s: fc.Scheduler, calls: readonly Call[]): Promise<Race> {
    const bench = await new PayeeBench().setUp()
    const running = new Race(bench, s)
    await running.run(calls)
    return running
  }

  it('never serves, claims or counts more than was paid, with everything going on at once', async () => {
    const calls = fc.array(fc.oneof({ weight: 4, arbitrary: paid }, harmless, ending, told), {
      minLength: 2,
      maxLength: 10
    })
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), calls, async (s, made) => {
        await race(s, made)
      }),
      { numRuns: 150 }
    )
  })

  it('claims what was accepted, while vouchers, looks and jobs come, without losing one of them', async () => {
    const calls = fc.array(fc.oneof({ weight: 3, arbitrary: paid }, harmless), { minLength: 2, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), calls, async (s, made) => {
        const { bench } = await race(s, [...made, { type: 'claim' }])
        const { promised } = bench.held
        await s.waitFor(Promise.all([1, 2, 3].map(() => bench.payee.claim(bench.channel))))
        assert.equal(bench.chain.paid.get(PAYEE_ADDRESS) ?? 0n, promised)
        assert.deepEqual([bench.held.settled, bench.held.unclaimedSinceMs], [promised, undefined])
        const claims = bench.chain.log.filter(({ call }) => call === 'claim').map(({ amount: value }) => value)
        assert.deepEqual(
          claims,
          claims.toSorted((a, b) => (a < b ? -1 : 1)),
          'no claim below another'
        )
        assert.equal(new Set(claims).size, claims.length, 'none twice')
      }),
      { numRuns: 80 }
    )
  })

  it('agrees to one total, which no voucher, job or claim that races it can change', async () => {
    const calls = fc.array(fc.oneof({ weight: 3, arbitrary: paid }, harmless), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), calls, async (s, made) => {
        const bench = await new PayeeBench().setUp()
        await bench.job('first', 20, 10)
        const running = new Race(bench, s)
        const agree = async (): Promise<bigint | undefined> => {
          await s.schedule(Promise.resolve(), 'close')
          return bench.payee.closeRequested(bench.channel, CLIENT_PEER).then(
            ({ cumulative }) => cumulative,
            (err: unknown) => {
              assert.equal(errorCode(err), 'CHANNEL_BUSY')
              return undefined
            }
          )
        }
        const [, ...totals] = await s.waitFor(Promise.all([running.run(made), agree(), agree(), agree()]))
        const agreed = totals.filter(total => total !== undefined)
        assert.ok(new Set(agreed).size <= 1)
        const last = await s.waitFor(agree())
        assert.ok(last !== undefined && agreed.every(total => total === last))
        assert.ok(last >= bench.held.settled, 'the contract takes it')
        assert.equal(last, bench.held.delivered > bench.held.settled ? bench.held.delivered : bench.held.settled)
      }),
      { numRuns: 80 }
    )
  })

  it('refuses what belongs to an earlier opening, whatever was under way when the address was opened anew', async () => {
    const calls = fc.array(fc.oneof({ weight: 3, arbitrary: paid }, harmless), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), calls, calls, async (s, before, after) => {
        const bench = await new PayeeBench().setUp()
        const running = new Race(bench, s)
        const old = bench.held.openedLt
        await running.run([...before, { type: 'claim' }, { type: 'reopen' }, { type: 'admit' }])
        await s.waitFor(bench.payee.admit(bench.terms(bench.channel), CLIENT_PEER))
        const { openedLt } = bench.held
        assert.ok(openedLt > old)
        await assert.rejects(s.waitFor(bench.payee.accept({ ...bench.sign(600), openedLt: old })), {
          code: 'VOUCHER_FOREIGN'
        })
        await running.run(after)
        assert.equal(bench.held.openedLt, openedLt)
      }),
      { numRuns: 60 }
    )
  })
})
