import assert from 'node:assert/strict'
import fc from 'fast-check'
import { tokenCost } from '../../../src/core/price.ts'
import {
  demandedAuthorization,
  initialAuthorization,
  maxJobCost,
  nextAuthorization,
  type PayeeJob,
  type PayerJob,
  type Voucher
} from '../../../src/payments/index.ts'
import { amount, CLIENT_PEER, NO_USAGE, PaymentPair, POLICY } from '../../support/payment-pair.ts'

/** What may happen on a channel that several jobs share. `job` picks one of those that run. */
type Step =
  | { type: 'start' }
  | { type: 'chunk'; job: number; cost: number; ahead: number; delivered: 'at once' | 'twice' | 'late' }
  | { type: 'end'; job: number; confirmed: boolean }
  | { type: 'reconcile' }
  | { type: 'restart'; side: 'payer' | 'payee' }

const job = fc.nat(3)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ type: fc.constant('start' as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('chunk' as const),
      job,
      cost: fc.nat(20),
      ahead: fc.nat(20),
      delivered: fc.constantFrom('at once' as const, 'twice' as const, 'late' as const)
    })
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('end' as const), job, confirmed: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('reconcile' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('restart' as const),
      side: fc.constantFrom('payer' as const, 'payee' as const)
    })
  }
)

interface RunningJob {
  paying: PayerJob
  served: PayeeJob
  /** What the chunks so far cost, as both sides metered it. */
  cost: bigint
}

/** Runs steps on a real pair and checks after each what must always hold. */
class Run {
  readonly #pair = new PaymentPair()
  #channel = ''
  #jobs: RunningJob[] = []
  #names = 0
  #late: Array<() => Promise<unknown>> = []
  /** Price of every chunk that was released. */
  released = 0n
  #highest = 0n

  async start(): Promise<void> {
    await this.#pair.start()
    this.#channel = await this.#pair.open({ ...POLICY, deposit: amount(5_000) })
  }

  async step(next: Step): Promise<void> {
    switch (next.type) {
      case 'start':
        await this.#startJob()
        break
      case 'chunk':
        await this.#chunk(this.#jobs[next.job % this.#jobs.length], next)
        break
      case 'end':
        await this.#end(this.#jobs[next.job % this.#jobs.length], next.confirmed)
        break
      case 'reconcile':
        await this.reconcile()
        break
      case 'restart':
        await this.#restart(next.side)
    }
    this.#check()
  }

  /** All jobs end well; then both sides must agree to the nanoton. */
  async finish(): Promise<void> {
    for (const running of this.#jobs) {
      await this.#end(running, true)
    }
    await this.reconcile()
    const payer = this.#pair.info(this.#channel)
    const payee = this.#pair.payee.state(this.#channel).info
    assert.equal(payer.used, payee.delivered, 'both sides count the same')
    assert.equal(payer.signed, payer.used + payer.credit, 'all that was signed is used or credit')
    assert.ok(payee.delivered >= this.released)
  }

  async reconcile(): Promise<void> {
    // Before the first job the payee knows no client of the channel.
    if (this.#names > 0) {
      await this.#pair.agree(this.#channel)
    }
  }

  async #startJob(): Promise<void> {
    if (this.#jobs.length === 3) {
      return
    }
    const jobId = `${++this.#names}`
    const paying = this.#pair.payer.startJob(this.#channel, { jobId, maxCost: amount(5_000) })
    await this.#deliver(await paying.payUpTo(amount(0)), 'at once')
    const served = await this.#pair.payee.startJob(this.#channel, { jobId, peerId: CLIENT_PEER })
    this.#jobs.push({ paying, served, cost: 0n })
  }

  async #chunk(
    running: RunningJob | undefined,
    { cost, ahead, delivered }: Extract<Step, { type: 'chunk' }>
  ): Promise<void> {
    if (running === undefined) {
      return
    }
    const next = running.cost + BigInt(cost)
    if (!running.served.charge(amount(next))) {
      await this.#deliver(await running.paying.payUpTo(amount(next + BigInt(ahead))), delivered)
      if (!running.served.charge(amount(next))) {
        // Its voucher is still on its way.
        return
      }
    }
    this.released += next - running.cost
    running.cost = next
  }

  async #end(running: RunningJob | undefined, confirmed: boolean): Promise<void> {
    if (running === undefined) {
      return
    }
    this.#jobs = this.#jobs.filter(other => other !== running)
    await running.served.end(running.served.charged)
    // The client missed the last chunk if the link was cut: it then knows of less than was delivered.
    const seen = confirmed ? running.cost : running.cost / 2n
    await running.paying.end({ cost: amount(seen), usage: NO_USAGE, confirmed })
  }

  async #restart(side: 'payer' | 'payee'): Promise<void> {
    // A process that dies takes its streams along: the other side sees all jobs cut off.
    for (const { paying, served, cost } of this.#jobs) {
      if (side === 'payer') {
        await served.end(served.charged)
      } else {
        await paying.end({ cost: amount(cost), usage: NO_USAGE, confirmed: false })
      }
    }
    this.#jobs = []
    this.#late = []
    if (side === 'payer') {
      await this.#pair.restartPayer().start()
    } else {
      await this.#pair.restartPayee().start()
    }
  }

  async #deliver(
    voucher: Parameters<PaymentPair['payee']['accept']>[0],
    how: 'at once' | 'twice' | 'late'
  ): Promise<void> {
    assert.ok(voucher.cumulative >= this.#highest, 'vouchers never fall')
    this.#highest = voucher.cumulative
    if (how === 'late') {
      this.#late.push(() => this.#pair.payee.accept(voucher))
      return
    }
    await this.#pair.payee.accept(voucher)
    if (how === 'twice') {
      await this.#pair.payee.accept(voucher)
    }
    const overtaken = this.#late
    this.#late = []
    for (const accept of overtaken) {
      await accept()
    }
  }

  #check(): void {
    const payer = this.#pair.info(this.#channel)
    const { promised, delivered, locked } = this.#pair.payee.state(this.#channel).info
    assert.ok(promised <= payer.signed, 'nothing is accepted that was not signed')
    assert.ok(payer.signed <= payer.deposit && promised <= locked)
    assert.ok(delivered <= promised, 'nothing is released that was not paid')
    assert.ok(this.released <= delivered)
  }
}

const price = fc.bigInt(0n, 3_000_000n).map(amount)
const chunk = fc.record({
  tokens: fc.integer({ min: 1, max: 3 }),
  // The voucher that this chunk made is lost with the link, comes twice, or the link holds.
  link: fc.oneof(
    { weight: 8, arbitrary: fc.constant('holds' as const) },
    fc.constantFrom('repeats' as const, 'cut' as const)
  )
})

describe('payments conserve money', () => {
  it('P16 the sum of voucher deltas is the sum of chunk prices, over chunks, repeats and reconnections', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ promptPerMTokens: price, cachedPromptPerMTokens: price, completionPerMTokens: price }),
        fc.array(fc.record({ prompt: fc.nat(40), cached: fc.nat(40), chunks: fc.array(chunk, { maxLength: 12 }) }), {
          minLength: 1,
          maxLength: 5
        }),
        async (prices, jobs) => {
          const pair = await new PaymentPair().start()
          const channel = await pair.open({ ...POLICY, deposit: amount(5_000) })
          const bounds = { prices, requestBytes: 100, windowTokens: 8, maxCompletionTokens: 64 }
          let deltas = 0n
          let spent = 0n
          const give = async (voucher: Voucher): Promise<void> => {
            deltas += (await pair.payee.accept(voucher)).credited
          }
          for (const [n, { prompt, cached, chunks }] of jobs.entries()) {
            const paying = pair.payer.startJob(channel, { jobId: `${n}`, maxCost: maxJobCost(bounds) })
            const opening = await paying.payUpTo(initialAuthorization(bounds))
            const before = pair.payee.state(channel).info.promised
            const served = await pair.payee.startJob(channel, { jobId: `${n}`, peerId: CLIENT_PEER, voucher: opening })
            deltas += pair.payee.state(channel).info.promised - before
            let usage = { promptTokens: prompt, cachedPromptTokens: cached, completionTokens: 0 }
            let cut = false
            let cost = 0n
            for (const { tokens, link } of chunks) {
              const next = { ...usage, completionTokens: usage.completionTokens + tokens }
              const due = tokenCost(prices, next)
              if (!served.charge(due)) {
                await give(await paying.payUpTo(demandedAuthorization(bounds, usage.completionTokens, next)))
                assert.equal(served.charge(due), true)
              }
              spent += due - cost
              cost = due
              usage = next
              const ahead = nextAuthorization(bounds, usage, paying.paid)
              const voucher = ahead === undefined ? undefined : await paying.payUpTo(ahead)
              cut = link === 'cut'
              if (cut) {
                break
              }
              if (voucher !== undefined) {
                await give(voucher)
                await (link === 'repeats' ? give(voucher) : undefined)
              }
            }
            await served.end(amount(cost))
            await paying.end({ cost: amount(cost), usage, confirmed: !cut })
            // The client comes back: what the cut voucher was signed for is accepted now, or with the next one.
            const accepted = pair.payee.state(channel).info.promised
            await pair.agree(channel)
            deltas += pair.payee.state(channel).info.promised - accepted
            const { used, credit } = pair.info(channel)
            assert.deepEqual([used, used + credit], [spent, deltas], 'both to the nanoton, after every job')
          }
          // What is left over pays for the last job: nothing is signed twice, nothing is left.
          const { credit } = pair.info(channel)
          const last = pair.payer.startJob(channel, { jobId: 'last', maxCost: amount(5_000) })
          const total = spent + credit + 1n
          assert.equal((await last.payUpTo(amount(credit + 1n))).cumulative, total)
          assert.equal(pair.payee.state(channel).info.delivered, spent)
        }
      ),
      { numRuns: 60 }
    )
  })

  it('voucher deltas add up to what the jobs cost, whatever was repeated, late, cut or restarted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
        const run = new Run()
        await run.start()
        for (const next of steps) {
          await run.step(next)
        }
        await run.finish()
      }),
      { numRuns: 60 }
    )
  })

  it('without cuts the payer signs exactly what was delivered when it pays nothing ahead', async () => {
    const chunk = fc.record({ job: fc.nat(2), cost: fc.nat(20) })
    await fc.assert(
      fc.asyncProperty(fc.array(chunk, { maxLength: 30 }), async chunks => {
        const pair = await new PaymentPair().start()
        const channel = await pair.open()
        const jobs = await Promise.all([0, 1, 2].map(n => pair.startJobs(channel, `${n}`, amount(0))))
        const costs = [0n, 0n, 0n]
        let deltas = 0n
        for (const { job: n, cost } of chunks) {
          const running = jobs[n]
          costs[n] = (costs[n] ?? 0n) + BigInt(cost)
          const voucher = await running?.paying.payUpTo(amount(costs[n]))
          deltas += voucher === undefined ? 0n : (await pair.payee.accept(voucher)).credited
          assert.equal(running?.served.charge(amount(costs[n])), true)
        }
        const total = costs.reduce((sum, cost) => sum + cost, 0n)
        assert.deepEqual([deltas, pair.info(channel).signed, pair.info(channel).credit], [total, total, 0n])
      }),
      { numRuns: 25 }
    )
  })
})
