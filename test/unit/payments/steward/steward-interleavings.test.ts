import assert from 'node:assert/strict'
import fc from 'fast-check'
import { errorCode } from '../../../../src/core/errors.ts'
import { amount, CLIENT_PEER, PAYEE_ADDRESS, PAYER_ADDRESS, POLICY, PROVIDER } from '../../../support/payment-pair.ts'
import { StewardPair } from './steward-pair.ts'

/** Disks, journals and chain answer in whatever order the scheduler likes. */
function scheduleEverything(pair: StewardPair, s: fc.Scheduler): void {
  const tick = (label: string) => (): Promise<void> => s.schedule(Promise.resolve(), label)
  pair.payerDisk.before = tick('payer disk')
  pair.payeeDisk.before = tick('payee disk')
  pair.payerJournal.before = tick('payer journal')
  pair.payeeJournal.before = tick('payee journal')
  const { before } = pair.chain
  pair.chain.before = async call => {
    await tick(call)()
    await before(call)
  }
}

/** What may go wrong where somebody else was faster; anything else is a fault. */
const TOO_LATE = new Set([
  'CANCELLED',
  'CHANNEL_CLOSED',
  'CHANNEL_CLOSING',
  'CHANNEL_MISSING',
  'CHANNEL_BUSY',
  'NOTHING_TO_CLAIM',
  'CHAIN_REFUSED'
])

type Act = 'tend' | 'tend provider' | 'close' | 'claim' | 'ensure' | 'job' | 'stop' | 'close alone'

const acts = fc.array(
  fc.constantFrom<Act>('tend', 'tend', 'tend provider', 'close', 'claim', 'ensure', 'job', 'stop', 'close alone'),
  { minLength: 2, maxLength: 6 }
)

/** A used and idle channel, several that want something of it at once. */
async function play(
  s: fc.Scheduler,
  given: readonly Act[]
): Promise<{ pair: StewardPair; channel: string; sent: string[] }> {
  const pair = await new StewardPair().start()
  const channel = await pair.used(400n)
  pair.pass(200)
  const sent: string[] = []
  pair.chain.before = call => {
    if (call !== 'readChannel') {
      sent.push(call)
    }
  }
  scheduleEverything(pair, s)
  pair.pause = () => new Promise(() => undefined)
  const play: Record<Act, () => Promise<unknown>> = {
    tend: () => pair.paying.tend(),
    'tend provider': () => pair.earning.tend(),
    close: () => pair.closeTogether(channel),
    claim: () => pair.payee.claim(channel),
    ensure: () => pair.payer.ensureChannel(PROVIDER, POLICY),
    job: async () => {
      const job = pair.payer.startJob(channel, { jobId: 'late', maxCost: amount(10) })
      await pair.payee.accept(await job.payUpTo(amount(5)))
      await job.end({
        cost: amount(5),
        usage: { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 },
        confirmed: true
      })
    },
    stop: () => pair.paying.stop(),
    'close alone': () => pair.payer.startClose(channel)
  }
  const running = given.map(async act => {
    await s.schedule(Promise.resolve(), act)
    await play[act]().catch((err: unknown) => {
      assert.ok(TOO_LATE.has(errorCode(err) ?? ''), `${act}: ${String(err)}`)
    })
  })
  await s.waitFor(Promise.all(running))
  return { pair, channel, sent }
}

describe('the steward under any interleaving with its user', () => {
  it('P44 ends a channel with one message, whoever asks for it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), acts, async (s, given) => {
        const { pair, sent } = await play(s, given)
        const closes = sent.filter(call => call === 'coopClose' || call === 'startClose')
        // A close alone and one together exclude each other only on the chain: each is sent once at most.
        assert.equal(new Set(closes).size, closes.length, sent.join())
        assert.ok(pair.chain.count('coopClose') <= 1)
        assert.ok(
          sent.filter(call => call === 'claim').length <= 1 + given.filter(act => act === 'job').length,
          sent.join()
        )
      }),
      { numRuns: 80 }
    )
  })

  it('pays everybody what is theirs, and counts no failure against a step that succeeded', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), acts, async (s, given) => {
        const { pair, channel } = await play(s, given)
        const { chain } = pair
        chain.before = () => undefined
        for (const disk of [pair.payerDisk, pair.payeeDisk, pair.payerJournal, pair.payeeJournal]) {
          disk.before = () => undefined
        }
        // Whatever was begun is ended by the stewards alone.
        pair.restartStewards()
        for (let hour = 0; hour < 24 * 14 && (await chain.readChannel(channel)).state !== 'missing'; hour++) {
          await pair.earning.tend()
          await pair.paying.tend()
          pair.pass(1)
          await pair.payee.refresh(channel)
        }
        assert.equal((await chain.readChannel(channel)).state, 'missing', given.join())
        const paid = chain.paid.get(PAYEE_ADDRESS) ?? 0n
        const jobs = BigInt(given.filter(act => act === 'job').length)
        assert.ok(paid >= 400n && paid <= 400n + 5n * jobs, `${paid} paid to the provider: ${given.join()}`)
        assert.equal(paid + (chain.paid.get(PAYER_ADDRESS) ?? 0n), 1_000n)
        // A new channel that `ensure` opened lives on beside it, and can be used.
        const open = pair.payer.list().find(c => c.state === 'open')
        if (open !== undefined) {
          assert.notEqual(open.channel, channel)
          await pair.payee.admit(open.terms, CLIENT_PEER)
          await pair.payee.accept(await pair.payer.authorize(open.channel, { delta: amount(1) }))
        }
      }),
      { numRuns: 60 }
    )
  })
})
