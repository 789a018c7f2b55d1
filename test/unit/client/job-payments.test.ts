import assert from 'node:assert/strict'
import fc from 'fast-check'
import { AnswerBrokenError } from '../../../src/client/failures.ts'
import { CocoonError, errorCode, NetworkError } from '../../../src/core/errors.ts'
import { tokenCost } from '../../../src/core/price.ts'
import { maxJobCost, startPace } from '../../../src/payments/index.ts'
import { amount, Gate, POLICY } from '../../support/payment-pair.ts'
import { until } from '../../support/until.ts'
import { Bench, BOUNDS, broken, counts, DONE, failure, WINDOW } from './job-run-fixture.ts'

/** Vouchers that the provider's end has heard, without the one that opened the job. */
async function heardVouchers(bench: Bench): Promise<bigint[]> {
  const heard: bigint[] = []
  for (;;) {
    const message = await bench.heard().catch(() => undefined)
    if (message === undefined) {
      return heard
    }
    if (message.type === 'voucher') {
      heard.push(BigInt(`0x0${Buffer.from(message.voucher.cumulative).toString('hex')}`))
    }
  }
}

describe('job payments', () => {
  it('P20 two demands without a higher cumulative end the attempt, naming the shortfall', async () => {
    const bench = await new Bench().setUp()
    const reading = failure(bench.read())
    const demand = { type: 'need-voucher', cumulative: amount(900), usage: counts(1) } as const
    await bench.say(demand)
    await bench.say(demand)
    const err = await reading
    assert.ok(err instanceof CocoonError && err.code === 'PAYMENT_DISPUTED')
    // 4 prompt tokens and one of the answer; a window of 8 was paid to begin with.
    assert.deepEqual(err.details, { cost: 6n, paid: 16n, demanded: 900n, signed: 16n, shortfall: 884n })
    assert.deepEqual([bench.run.paid, bench.run.vouchers], [16n, 1])
  })

  it('P20 demands that rise without a token being delivered end the attempt too', async () => {
    const bench = await new Bench().setUp()
    const reading = failure(bench.read())
    for (const tokens of [6, 7, 8]) {
      await bench.say({ type: 'need-voucher', cumulative: amount(0), usage: counts(tokens, 10) })
    }
    assert.equal(errorCode(await reading), 'PAYMENT_DISPUTED')
    // Once for the prompt it claims and one window; the second time that was paid already.
    assert.deepEqual([bench.run.paid, bench.run.vouchers], [tokenCost(BOUNDS.prices, counts(WINDOW, 10)), 2])
  })

  it('P20 a third demand without a token ends the attempt, even if each is for more', async () => {
    // The opening is longer than the window: what may be demanded at once is more than what is paid ahead.
    const bench = await new Bench().setUp({ bounds: { ...BOUNDS, windowTokens: 1, openingTokens: 8 } })
    const reading = failure(bench.read())
    for (const tokens of [3, 4, 5]) {
      await bench.say({ type: 'need-voucher', cumulative: amount(0), usage: counts(tokens, 40) })
    }
    assert.equal(errorCode(await reading), 'PAYMENT_DISPUTED')
    assert.deepEqual([bench.run.paid, bench.run.vouchers], [tokenCost(BOUNDS.prices, counts(4, 40)), 3])
  })

  it('P19 answers each demand with one voucher at most', async () => {
    const bench = await new Bench().setUp()
    const reading = bench.read()
    await bench.heard()
    const heard = heardVouchers(bench)
    for (let tokens = 1; tokens <= 12; tokens++) {
      await bench.say({ type: 'need-voucher', cumulative: amount(0), usage: counts(tokens, 40) })
      await bench.chunk('x', counts(tokens, 40))
    }
    await bench.end(counts(12, 40))
    await bench.say(DONE)
    await reading
    const vouchers = await heard
    assert.ok(vouchers.length <= 12)
    assert.deepEqual(
      vouchers,
      [...new Set(vouchers)].toSorted((a, b) => Number(a - b)),
      'never the same one twice'
    )
  })

  it('pays for all chunks that came during one voucher with the next one', async () => {
    const bench = await new Bench().setUp()
    const reading = bench.read()
    await bench.heard()
    const disk = new Gate()
    bench.payerDisk.before = async () => disk.passed
    // Each chunk alone would make a payment due: half a window and more is used up.
    for (let tokens = 4; tokens <= 16; tokens += 2) {
      await bench.chunk('x', counts(tokens))
      await until(() => bench.run.usage.completionTokens === tokens)
    }
    disk.open()
    await until(() => bench.run.paid >= tokenCost(BOUNDS.prices, counts(16)))
    // The one that opened the job, the one that waited for the disk, and one for everything since.
    assert.equal(bench.run.vouchers, 3)
    await bench.end(counts(16))
    await bench.say(DONE)
    await reading
  })

  it('P19 an exhausted channel is topped up once, and the answer goes on', async () => {
    // The deposit covers the opening and not the answer; the limit leaves room for all of it.
    const bench = await new Bench().setUp({ policy: { ...POLICY, room: amount(1), deposit: amount(20) } })
    const reading = bench.read()
    await bench.heard()
    for (let tokens = 1; tokens <= 40; tokens++) {
      await bench.chunk('x', counts(tokens))
      await until(() => bench.run.usage.completionTokens === tokens)
    }
    await bench.end(counts(40))
    await bench.say(DONE)
    await reading
    const { channel } = bench.job
    assert.equal(bench.chain.count('topUp'), 1)
    assert.ok(bench.info(channel).signed <= bench.info(channel).deposit)
    assert.equal(bench.run.paid, tokenCost(BOUNDS.prices, counts(40)))
  })

  it('P19 a channel that is exhausted again, by other jobs, is not topped up a second time for this one', async () => {
    const bench = await new Bench().setUp({ policy: { ...POLICY, room: amount(1), deposit: amount(20) } })
    const reading = failure(bench.read())
    await bench.chunk('x', counts(4))
    await until(() => bench.run.paid > 16n)
    const { channel } = bench.job
    const other = bench.payer.startJob(channel, { jobId: 'other', maxCost: amount(5_000) })
    await other.payUpTo(bench.info(channel).room)
    await bench.chunk('x', counts(10))
    broken(await reading, 'CHANNEL_EXHAUSTED')
    assert.equal(bench.chain.count('topUp'), 1)
  })

  it('P19 an exhausted channel that cannot be topped up ends the answer with the reason', async () => {
    const limited = await new Bench().setUp({
      policy: { ...POLICY, room: amount(1), deposit: amount(20), maxDeposit: amount(20) }
    })
    let reading = failure(limited.read())
    await limited.chunk('x', counts(4))
    assert.match(broken(await reading, 'DEPOSIT_OVER_LIMIT').message, /was not paid on/)
    assert.equal(limited.chain.count('topUp'), 0)

    const cut = await new Bench().setUp({ policy: { ...POLICY, room: amount(1), deposit: amount(20) } })
    cut.chain.before = call => {
      if (call === 'topUp') {
        throw new NetworkError('CHAIN_UNREACHABLE', 'cut')
      }
    }
    reading = failure(cut.read())
    await cut.chunk('x', counts(4))
    broken(await reading, 'CHAIN_UNREACHABLE')
  })

  it('signs nothing more for a job that was given up while its top-up was under way', async () => {
    const bench = await new Bench().setUp({ policy: { ...POLICY, room: amount(1), deposit: amount(20) } })
    const arrival = new Gate()
    bench.chain.after = call => (call === 'topUp' ? arrival.passed : undefined)
    const reading = failure(bench.read())
    await bench.chunk('x', counts(4))
    await until(() => bench.chain.count('topUp') === 1)
    bench.provider.lose()
    await until(() => bench.clientStream.abortedWith !== undefined)
    arrival.open()
    broken(await reading, 'PROVIDER_LOST')
    assert.equal(bench.run.paid, 16n)
    // The deposit is in the books all the same.
    assert.equal((await bench.payer.refresh(bench.job.channel)).deposit, 346n)
  })

  it('signs nothing more for an answer that is no longer read, while its top-up is under way', async () => {
    const bench = await new Bench().setUp({ policy: { ...POLICY, room: amount(1), deposit: amount(20) } })
    const arrival = new Gate()
    bench.chain.after = call => (call === 'topUp' ? arrival.passed : undefined)
    const events = bench.run.events()
    const first = events.next()
    await bench.chunk('x', counts(4))
    await first
    await until(() => bench.chain.count('topUp') === 1)
    const left = events.return(undefined)
    arrival.open()
    await left
    assert.equal(bench.run.paid, 16n)
  })

  it('pays for the last tokens of an answer, where another job’s share was used for them', async () => {
    const bench = await new Bench().setUp()
    const reading = bench.read()
    await bench.heard()
    const heard = heardVouchers(bench)
    await bench.end(counts(8, 40))
    await bench.say(DONE)
    await reading
    assert.equal(bench.run.paid, tokenCost(BOUNDS.prices, counts(8, 40)))
    assert.deepEqual(await heard, [bench.run.paid])
  })

  it('pays no further ahead than its pace says', async () => {
    const bounds = { ...BOUNDS, windowTokens: 32, openingTokens: 8, maxCompletionTokens: 200 }
    const pace = startPace({ maxTokens: 32, roundTripMs: 1, tokensPerSecond: 10 })
    const bench = await new Bench().setUp({ bounds, pace })
    const reading = bench.read()
    let most = 0n
    for (let tokens = 1; tokens <= 100; tokens++) {
      bench.chain.nowMs += 100
      await bench.chunk('x', counts(tokens))
      await until(() => bench.run.usage.completionTokens === tokens)
      const ahead = bench.run.paid - tokenCost(bounds.prices, counts(tokens))
      most = ahead > most ? ahead : most
    }
    await bench.end(counts(100))
    await bench.say(DONE)
    await reading
    assert.equal(most, 2n * BigInt(pace.windowTokens))
  })

  it('P20 an adversary gets no more vouchers and money than the answer is long, whatever it says how often', async () => {
    const SHORT = { ...BOUNDS, maxCompletionTokens: 10 }
    const step = fc.record({
      do: fc.constantFrom('demand', 'demand', 'chunk', 'dummy'),
      tokens: fc.nat(12),
      cumulative: fc.bigInt(0n, 10n ** 18n)
    })
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(step, { minLength: 5, maxLength: 120 }), async (s, steps) => {
        const bench = await new Bench().setUp({ bounds: SHORT })
        // Signing takes as long as the scheduler likes, beside what comes meanwhile.
        bench.payerDisk.before = () => s.schedule(Promise.resolve(), 'disk')
        const over = bench.read().then(
          () => undefined,
          (err: unknown) => err
        )
        const heard = heardVouchers(bench)
        let at = 0
        for (const one of steps) {
          // Mostly plausible figures, or it would be over at the first one.
          at = one.do === 'chunk' ? Math.min(10, at + (one.tokens % 3)) : at
          const usage = counts(one.do === 'demand' ? Math.min(10, at + (one.tokens % 4)) : at)
          const said =
            one.do === 'demand'
              ? bench.say({ type: 'need-voucher', cumulative: amount(one.cumulative), usage })
              : one.do === 'chunk'
                ? bench.chunk('x', usage)
                : bench.say({ type: 'chunk', sealed: bench.seal(new Uint8Array()), usage })
          await said.catch(() => undefined)
        }
        await bench.provider.close().catch(() => undefined)
        const err = await s.waitFor(over)
        assert.ok(err instanceof AnswerBrokenError || err instanceof CocoonError)
        const progress = bench.run.usage.completionTokens
        // One to open, two demands between any two tokens, one ahead after each.
        assert.ok(bench.run.vouchers <= 1 + 2 * (progress + 1) + progress)
        assert.ok((await heard).length < bench.run.vouchers)
        assert.ok(bench.run.paid <= maxJobCost(SHORT))
        const ahead = counts(Math.min(SHORT.maxCompletionTokens, progress + WINDOW))
        assert.ok(bench.run.paid <= tokenCost(SHORT.prices, ahead))
      }),
      { numRuns: 100 }
    )
  })
})
