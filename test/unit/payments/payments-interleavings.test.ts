import assert from 'node:assert/strict'
import fc from 'fast-check'
import { amount, CLIENT_PEER, PaymentPair, POLICY, PROVIDER } from '../../support/payment-pair.ts'

/** Disk and chain answer in whatever order the scheduler likes. */
function scheduleEverything(pair: PaymentPair, s: fc.Scheduler): void {
  const tick = (label: string) => (): Promise<void> => s.schedule(Promise.resolve(), label)
  pair.payerDisk.before = tick('payer disk')
  pair.payeeDisk.before = tick('payee disk')
  pair.beforeVerify = tick('signature')
  pair.chain.before = call => tick(call)()
}

describe('payments under any interleaving', () => {
  it('sign strictly increasing vouchers, all of them durable before they are seen', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 8 }),
        async (s, deltas) => {
          const pair = await new PaymentPair().start()
          const channel = await pair.open()
          scheduleEverything(pair, s)
          const seen: bigint[] = []
          const calls = deltas.map(async delta => {
            await s.schedule(Promise.resolve(), 'request')
            const { cumulative } = await pair.payer.authorize(channel, { delta: amount(delta) })
            const durable = /"signed":"(\d+)"/.exec(pair.payerDisk.stored.get(`payer/${channel}`) ?? '')?.[1]
            assert.ok(BigInt(durable ?? 0) >= cumulative)
            seen.push(cumulative)
          })
          await s.waitFor(Promise.all(calls))
          assert.equal(new Set(seen).size, deltas.length)
          assert.equal(
            seen.reduce((max, value) => (value > max ? value : max), 0n),
            deltas.reduce((sum, delta) => sum + BigInt(delta), 0n)
          )
        }
      ),
      { numRuns: 40 }
    )
  })

  it('open one channel for calls that race each other and a slow chain', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 5 }), async (s, callers) => {
        const pair = await new PaymentPair().start()
        scheduleEverything(pair, s)
        const calls = Array.from({ length: callers }, async () => {
          await s.schedule(Promise.resolve(), 'request')
          return pair.payer.ensureChannel(PROVIDER, POLICY)
        })
        const channels = await s.waitFor(Promise.all(calls))
        assert.equal(new Set(channels.map(c => c.channel)).size, 1)
        assert.equal(pair.chain.count('openChannel'), 1)
      }),
      { numRuns: 40 }
    )
  })

  it('credit every voucher once and never charge more than was accepted', async () => {
    const request = fc.record({ cost: fc.integer({ min: 1, max: 30 }), repeat: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(request, { minLength: 2, maxLength: 5 }), async (s, requests) => {
        const pair = await new PaymentPair().start()
        const channel = await pair.open()
        scheduleEverything(pair, s)
        let credited = 0n
        let released = 0n
        const accept = async (voucher: Parameters<typeof pair.payee.accept>[0]): Promise<void> => {
          const accepted = await pair.payee.accept(voucher)
          credited += accepted.credited
          assert.ok(credited <= pair.payee.state(channel).info.promised)
        }
        const jobs = requests.map(async ({ cost, repeat }, n) => {
          await s.schedule(Promise.resolve(), 'request')
          const paying = pair.payer.startJob(channel, { jobId: `${n}`, maxCost: amount(100) })
          const voucher = await paying.payUpTo(amount(cost))
          const sent = [accept(voucher), ...(repeat ? [accept(voucher)] : [])]
          const served = await pair.payee.startJob(channel, { jobId: `${n}`, peerId: CLIENT_PEER })
          await served.chargeWhenPaid(amount(cost))
          released += BigInt(cost)
          assert.ok(released <= pair.payee.state(channel).info.promised, 'nothing is released before it is paid')
          await Promise.all(sent)
          await served.end(amount(cost))
        })
        await s.waitFor(Promise.all(jobs))
        const total = requests.reduce((sum, { cost }) => sum + BigInt(cost), 0n)
        const { promised, delivered } = pair.payee.state(channel).info
        assert.deepEqual([credited, released, promised, delivered], [total, total, total, total])
      }),
      { numRuns: 40 }
    )
  })

  it('give one voucher to one of many jobs that race for it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 6 }), async (s, racers) => {
        const pair = await new PaymentPair().start()
        const channel = await pair.open()
        const voucher = await pair.payer.authorize(channel, { delta: amount(10) })
        scheduleEverything(pair, s)
        const wins = Array.from({ length: racers }, async (_, n) => {
          await s.schedule(Promise.resolve(), 'request')
          await pair.payee.accept(voucher)
          const served = await pair.payee.startJob(channel, { jobId: `${n}`, peerId: CLIENT_PEER })
          return served.charge(amount(10))
        })
        const paid = (await s.waitFor(Promise.all(wins))).filter(won => won)
        assert.equal(paid.length, 1)
      }),
      { numRuns: 40 }
    )
  })
})
