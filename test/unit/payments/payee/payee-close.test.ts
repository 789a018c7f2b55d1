import assert from 'node:assert/strict'
import fc from 'fast-check'
import { amount, CLIENT_PEER, Gate, PAYEE_ADDRESS, PAYER_ADDRESS } from '../../../support/payment-pair.ts'
import { PayeeBench } from './payee-fixture.ts'

describe('a payee that agrees to close', () => {
  let bench: PayeeBench
  beforeEach(async () => {
    bench = await new PayeeBench().setUp()
  })

  const agree = () => bench.payee.closeRequested(bench.channel, CLIENT_PEER)

  it('P17 signs what was delivered, not the highest voucher, and the close itself pays it', async () => {
    await bench.job('a', 40, 30)
    const agreed = await agree()
    assert.equal(agreed.cumulative, 30n)
    await bench.payer.close(bench.channel, agreed)
    assert.deepEqual([bench.chain.paid.get(PAYEE_ADDRESS), bench.chain.paid.get(PAYER_ADDRESS)], [30n, 970n])
    assert.equal(bench.chain.count('claim'), 0)
  })

  it('P17 signs the running total of all jobs, never below what is settled', async () => {
    await bench.job('a', 40, 30)
    await bench.job('b', 15, 15)
    assert.equal((await agree()).cumulative, 45n)

    bench = await new PayeeBench().setUp()
    await bench.job('a', 40, 30)
    await bench.payee.claim(bench.channel)
    assert.equal((await agree()).cumulative, 40n, 'the contract would refuse less than it paid')
  })

  it('P17 signs the same number again: after a retry, a restart, a claim by somebody else and a sync', async () => {
    await bench.job('a', 30, 30)
    const agreed = await agree()
    bench.chain.nowMs += 100_000
    assert.deepEqual(await agree(), agreed)
    bench.restartPayee()
    await bench.payee.start()
    assert.deepEqual(await agree(), agreed)
    await bench.chain.claim(bench.channel, bench.sign(30))
    await bench.payee.refresh(bench.channel)
    await bench.sync()
    assert.deepEqual(await agree(), agreed)
    // With little time left to send it, it is made anew.
    bench.chain.nowMs += 3_000_000
    const later = await agree()
    assert.deepEqual([later.cumulative, later.validUntil - agreed.validUntil], [30n, 3_100])
  })

  it('P17 comes to the client’s number after a crash of its own, by the client’s word between what it knows', async () => {
    await bench.job('a', 20, 20)
    const { paying, served } = await bench.startJobs(bench.channel, 'b', amount(30))
    served.charge(amount(10))
    // The next voucher takes along how far the job is.
    await bench.payee.accept(await paying.payUpTo(amount(50)))
    served.charge(amount(35))
    bench.restartPayee()
    await bench.payee.start()
    await paying.end({
      cost: amount(35),
      usage: { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 },
      confirmed: false
    })
    assert.equal(bench.held.delivered, 70n, 'everything paid counts')
    const { info } = await bench.sync()
    assert.equal(info.delivered, 55n)
    await bench.payer.reconcile(bench.channel, info.delivered)
    assert.equal(bench.info(bench.channel).used, 55n)
    const agreed = await agree()
    assert.equal(agreed.cumulative, 55n)
    await bench.payer.close(bench.channel, agreed)
  })

  it('P17 never lowers what it knows to be delivered, whatever the client says it got', async () => {
    await bench.job('a', 20, 20)
    assert.equal((await bench.sync(0)).info.delivered, 20n)
    const { paying, served } = await bench.startJobs(bench.channel, 'b', amount(30))
    served.charge(amount(10))
    await bench.payee.accept(await paying.payUpTo(amount(50)))
    served.charge(amount(35))
    bench.restartPayee()
    await bench.payee.start()
    assert.equal((await bench.sync(0)).info.delivered, 30n, 'the 10 that the last voucher knew of')
    assert.equal((await bench.sync(0)).info.delivered, 30n)
    assert.equal((await agree()).cumulative, 30n)
  })

  it('P17 counts what each of several jobs was charged once, when one ended before a crash', async () => {
    const { served: a } = await bench.startJobs(bench.channel, 'a', amount(20))
    const { served: b } = await bench.startJobs(bench.channel, 'b', amount(20))
    a.charge(amount(10))
    b.charge(amount(12))
    await a.end(amount(10))
    bench.restartPayee()
    await bench.payee.start()
    assert.equal(bench.held.delivered, 40n)
    assert.equal((await bench.sync(0)).info.delivered, 22n)
  })

  it('P17 comes to one number on both sides, within settled and signed, after any run of jobs, crashes and claims', async () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('job' as const), cost: fc.nat(40), ahead: fc.nat(20) }),
      fc.record({ type: fc.constant('cut' as const), cost: fc.nat(40), ahead: fc.nat(20), seen: fc.nat(40) }),
      fc.record({ type: fc.constant('crash' as const), cost: fc.nat(40), ahead: fc.nat(20) }),
      fc.record({ type: fc.constant('claim' as const) }),
      fc.record({ type: fc.constant('ask' as const) })
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async steps => {
        const pair = await new PayeeBench().setUp()
        let n = 0
        let asked: bigint | undefined
        for (const next of steps) {
          const jobId = `${n++}`
          if (next.type === 'claim') {
            await pair.payee.claim(pair.channel)
          } else if (next.type === 'ask') {
            asked = (await askTotal(pair)) ?? asked
          } else if (asked === undefined) {
            const { cost, ahead } = next
            const paying = pair.payer.startJob(pair.channel, { jobId, maxCost: amount(10_000) })
            const served = await pair.serve(jobId, { voucher: await paying.payUpTo(amount(cost + ahead)) })
            served.charge(amount(cost))
            const seen = next.type === 'cut' ? Math.min(next.seen, cost) : cost
            if (next.type === 'crash') {
              pair.restartPayee()
              await pair.payee.start()
            } else {
              await served.end(amount(cost))
            }
            await paying.end({
              cost: amount(seen),
              usage: { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 },
              confirmed: next.type === 'job'
            })
            if (next.type === 'crash') {
              // Refused for want of money that was counted as used, the client says what it got.
              await agreeOn(pair)
            }
          }
        }
        const first = await askTotal(pair)
        assert.ok(first !== undefined)
        assert.equal(await askTotal(pair), first, 'a retry changes nothing')
        const { settled, promised } = pair.held
        assert.ok(first >= settled && first <= promised)
        const { used } = pair.info(pair.channel)
        assert.equal(first, used > settled ? used : settled, 'the client counts the same')
        await pair.payer.close(pair.channel, await pair.payee.closeRequested(pair.channel, CLIENT_PEER))
      }),
      { numRuns: 60 }
    )
  })

  async function agreeOn(pair: PayeeBench): Promise<void> {
    const { info } = await pair.sync()
    await pair.payer.reconcile(pair.channel, info.delivered)
  }

  /** What the client does before it closes: both say what they hold. Undefined while the payee has no job yet. */
  async function askTotal(pair: PayeeBench): Promise<bigint | undefined> {
    if (pair.held.peerId === '') {
      await pair.job('first', 0, 0)
    }
    await agreeOn(pair)
    return (await pair.payee.closeRequested(pair.channel, CLIENT_PEER)).cumulative
  }

  it('accepts, serves and starts nothing until the agreement ran out on the chain, then serves again', async () => {
    await bench.job('a', 40, 30)
    const { validUntil } = await agree()
    const refused = async () => {
      await assert.rejects(bench.payee.accept(bench.sign(50)), { code: 'CHANNEL_CLOSING' })
      await assert.rejects(bench.serve('b'), { code: 'CHANNEL_CLOSING' })
      await assert.rejects(bench.payee.admit(bench.terms(bench.channel), CLIENT_PEER), { code: 'CHANNEL_CLOSING' })
    }
    await refused()
    assert.equal(bench.held.agreedUntilMs, validUntil * 1000)
    // A block of its last second may reach us late.
    bench.chain.nowMs = validUntil * 1000 + 59_000
    await bench.payee.refresh(bench.channel)
    await refused()
    bench.lagMs = 30_000
    bench.chain.nowMs = validUntil * 1000 + 80_000
    await bench.payee.refresh(bench.channel)
    await refused()
    bench.lagMs = 0
    await bench.payee.admit(bench.terms(bench.channel), CLIENT_PEER)
    assert.deepEqual([bench.held.state, bench.held.agreedUntilMs], ['open', 0])
    assert.deepEqual(await bench.payee.accept(bench.sign(50)), { cumulative: 50n, credited: 10n })
    assert.equal((await bench.serve('b')).paidFor(), 20n)
  })

  it('claims no more than it agreed to while that counts, and all that is signed once the payer goes alone', async () => {
    await bench.job('a', 40, 30)
    const { validUntil } = await agree()
    assert.equal(bench.held.claimable, 0n)
    assert.equal(await bench.payee.claim(bench.channel), undefined)
    bench.chain.nowMs = validUntil * 1000 + 61_000
    assert.notEqual(await bench.payee.claim(bench.channel), undefined, 'it ran out: the voucher is all there is')
    assert.equal(bench.chain.paid.get(PAYEE_ADDRESS), 40n)

    bench = await new PayeeBench().setUp()
    await bench.job('a', 40, 30)
    await agree()
    await bench.chain.startClose(bench.channel)
    await bench.payee.refresh(bench.channel)
    assert.equal(bench.held.claimable, 40n)
    await bench.payee.claim(bench.channel)
    assert.equal(bench.chain.paid.get(PAYEE_ADDRESS), 40n)
  })

  it('claims what it agreed to when the voucher is over no more', async () => {
    await bench.job('a', 30, 30)
    const agreed = await agree()
    await bench.payee.claim(bench.channel)
    assert.equal(bench.held.settled, 30n)
    await bench.payer.close(bench.channel, agreed)
    assert.deepEqual([bench.chain.paid.get(PAYEE_ADDRESS), bench.chain.paid.get(PAYER_ADDRESS)], [30n, 970n])
  })

  it('books what the chain paid, which may be less than the voucher, and believes no receipt', async () => {
    await bench.job('a', 30, 30)
    bench.alter = view => ({ ...view, settled: amount(view.settled > 12n ? 12n : view.settled) })
    await bench.payee.claim(bench.channel)
    assert.deepEqual([bench.held.settled, bench.held.claimable], [12n, 18n])
    bench.alter = view => view
    await bench.payee.refresh(bench.channel)
    assert.deepEqual([bench.held.settled, bench.held.claimable], [30n, 0n])
  })

  it('P37 finds out that a claim landed whose answer was lost, and does not send it for ever', async () => {
    await bench.job('a', 30, 30)
    bench.chain.after = call => {
      if (call === 'claim') {
        bench.silent = true
        throw new Error('the answer is lost')
      }
    }
    await assert.rejects(bench.payee.claim(bench.channel))
    assert.equal(bench.held.claimable, 30n)
    bench.silent = false
    bench.chain.after = () => undefined
    assert.equal(await bench.payee.claim(bench.channel), undefined)
    assert.equal(bench.held.claimable, 0n)
    assert.equal(bench.chain.count('claim'), 1)
  })

  it('keeps an agreement valid by the chain’s clock where ours is behind', async () => {
    await bench.job('a', 30, 30)
    bench.lagMs = -50_000
    await bench.payee.refresh(bench.channel)
    const { validUntil } = await agree()
    assert.equal(validUntil, Math.floor((bench.chain.nowMs + bench.chain.log.length + 50_000) / 1000) + 3_600)
  })

  it('waits for a claim that is under way before it agrees, but only as long as it is asked to', async () => {
    await bench.job('a', 40, 30)
    const landed = new Gate()
    bench.chain.before = call => (call === 'claim' ? landed.passed : undefined)
    const claim = bench.payee.claim(bench.channel)
    const stop = new AbortController()
    const impatient = assert.rejects(bench.payee.closeRequested(bench.channel, CLIENT_PEER, { signal: stop.signal }), {
      code: 'CANCELLED'
    })
    stop.abort()
    await impatient
    const agreed = agree()
    landed.open()
    await claim
    assert.equal((await agreed).cumulative, 40n)
  })

  it('refuses while jobs run, to strangers, and once it is closed', async () => {
    const { served } = await bench.startJobs(bench.channel, 'a', amount(10))
    await assert.rejects(agree(), { code: 'CHANNEL_BUSY' })
    await assert.rejects(bench.payee.closeRequested(bench.channel, 'stranger'), { code: 'CHANNEL_UNKNOWN' })
    await served.end(amount(0))
    await bench.chain.startClose(bench.channel)
    bench.chain.nowMs += 3_600_000
    await bench.chain.finish(bench.channel)
    await bench.payee.refresh(bench.channel)
    await assert.rejects(agree(), { code: 'CHANNEL_CLOSED' })
  })

  it('P44 sends one claim for parallel triggers, and a failing one leaves everything as it was', async () => {
    await bench.job('a', 30, 30)
    bench.chain.before = call => {
      if (call === 'claim') {
        throw new Error('no gas')
      }
    }
    const trials = await Promise.allSettled([1, 2, 3].map(() => bench.payee.claim(bench.channel)))
    assert.deepEqual(new Set(trials.map(({ status }) => status)), new Set(['rejected']))
    assert.equal(bench.held.claimable, 30n)
    assert.equal((await bench.payee.accept(bench.sign(31))).credited, 1n, 'it goes on serving')
    bench.chain.before = () => undefined
    await Promise.all([
      bench.payee.claim(bench.channel),
      bench.payee.claim(bench.channel, { externally: true }),
      bench.payee.refresh(bench.channel),
      agree(),
      bench.payee.claim(bench.channel)
    ])
    assert.equal(bench.chain.count('claim'), 1)
  })
})
