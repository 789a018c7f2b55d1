import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import fc from 'fast-check'
import { OfferDesk, type TakenOffer } from '../../../src/client/offer-desk.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import type { OfferPolicy } from '../../../src/market/index.ts'
import { decodeOfferAnswer, encodeOffer, type Offer, type OfferAnswer } from '../../../src/wire/offer.ts'
import { PROTOCOLS } from '../../../src/wire/protocols.ts'
import { ManualClock } from '../mesh/samples.ts'
import { FakeMesh } from './mesh-fixture.ts'

const JOB_ID = new Uint8Array(16).fill(1)
const POLICY: OfferPolicy = {
  maxPrices: { promptPerMTokens: nanoTon(100n), completionPerMTokens: nanoTon(100n) },
  maxDeposit: nanoTon(1_000n)
}

class Bench {
  readonly mesh = new FakeMesh()
  readonly clock = new ManualClock()
  readonly desk = new OfferDesk({ mesh: this.mesh.asMesh(), clock: this.clock })

  async start(): Promise<this> {
    await this.desk.start()
    return this
  }

  offer(changes: Partial<Offer> = {}): Offer {
    return {
      jobId: JOB_ID,
      prices: {
        promptPerMTokens: nanoTon(10n),
        cachedPromptPerMTokens: nanoTon(1n),
        completionPerMTokens: nanoTon(100n)
      },
      queue: 0,
      expectedTtftMs: 1,
      minimumDeposit: nanoTon(1_000n),
      windowTokens: 32,
      expiresAtMs: this.clock.nowMs() + 5_000,
      maxCost: nanoTon(10_000n),
      startWithinMs: 60_000,
      ...changes
    }
  }

  call(invited: string[], timeoutMs = 2_000, signal?: AbortSignal) {
    const options = { timeoutMs, ...(signal === undefined ? {} : { signal }) }
    return this.desk.call(JOB_ID, new Set(invited), POLICY, options)
  }

  async make(peerId: string, offer: Offer | Uint8Array = this.offer()): Promise<OfferAnswer | undefined> {
    const { stream, handled } = this.mesh.incoming(peerId, PROTOCOLS.offer)
    await stream.write(offer instanceof Uint8Array ? offer : encodeOffer(offer))
    await handled
    const answer = await stream.read()
    return answer === undefined ? undefined : decodeOfferAnswer(answer)
  }
}

describe('offer desk', () => {
  it('takes the first offer that fits and tells the others why not', async () => {
    const bench = await new Bench().start()
    const { offer } = bench.call(['p', 'q'])
    assert.deepEqual(await bench.make('stranger'), { accepted: false, reason: 'no such job' })
    assert.deepEqual(await bench.make('q', bench.offer({ minimumDeposit: nanoTon(1_001n) })), {
      accepted: false,
      reason: 'minimum deposit above the limit'
    })
    assert.deepEqual(await bench.make('p'), { accepted: true, reason: '' })
    assert.deepEqual(await offer, { peerId: 'p', offer: bench.offer() })
    assert.deepEqual(await bench.make('q'), { accepted: false, reason: 'no such job' })
  })

  it('knows no job before its call and after its end', async () => {
    const bench = await new Bench().start()
    assert.equal((await bench.make('p'))?.accepted, false)
    const call = bench.call(['p'])
    call.close()
    assert.equal((await bench.make('p'))?.accepted, false)
  })

  it('gives up when the time is over, saying what was refused', async () => {
    const bench = await new Bench().start()
    const { offer } = bench.call(['p', 'q'], 20)
    const dear = { ...bench.offer().prices, completionPerMTokens: nanoTon(101n) }
    await bench.make('p', bench.offer({ prices: dear }))
    await assert.rejects(
      offer,
      (err: Error & { code?: string }) => err.code === 'NO_OFFER' && err.message.includes('price above')
    )
    await assert.rejects(bench.call(['p'], 1).offer, { code: 'NO_OFFER', errorClass: 'network' })
  })

  it('gives up when cancelled, and listens no longer', async () => {
    const bench = await new Bench().start()
    const cancel = new AbortController()
    const { offer } = bench.call(['p'], 2_000, cancel.signal)
    cancel.abort()
    await assert.rejects(offer, { code: 'CANCELLED' })
    assert.equal(getEventListeners(cancel.signal, 'abort').length, 0)
    assert.equal((await bench.make('p'))?.accepted, false)
  })

  it('lets nobody down who never awaits the offer', async () => {
    const bench = await new Bench().start()
    const cancel = new AbortController()
    bench.call(['p'], 2_000, cancel.signal)
    cancel.abort()
    await new Promise(resolve => setImmediate(resolve))
  })

  it('fails the stream of what is no offer, and ignores one that ends at once', async () => {
    const bench = await new Bench().start()
    await assert.rejects(bench.make('p', Uint8Array.of(255)), { code: 'MESSAGE_MALFORMED' })
    const { stream, handled } = bench.mesh.incoming('p', PROTOCOLS.offer)
    await stream.close()
    await handled
  })

  it('gives the job to the next when the first is gone before it hears', async () => {
    const bench = await new Bench().start()
    const { offer } = bench.call(['p', 'q'])
    const first = bench.mesh.incoming('p', PROTOCOLS.offer)
    first.near.before = () => first.stream.lose()
    await first.stream.write(encodeOffer(bench.offer()))
    await assert.rejects(first.handled, { code: 'CONNECTION_LOST' })
    assert.equal((await bench.make('q'))?.accepted, true)
    assert.equal((await offer).peerId, 'q')
  })

  it('never accepts two offers, whatever comes in which order', async () => {
    const peer = fc.record({
      id: fc.constantFrom('p', 'q', 'r', 'stranger'),
      dear: fc.boolean(),
      vanishes: fc.boolean()
    })
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(peer, { maxLength: 6 }), async (scheduler, peers) => {
        const bench = await new Bench().start()
        const call = bench.call(['p', 'q', 'r'], 60_000)
        let taken: TakenOffer | undefined
        call.offer.then(
          offer => (taken = offer),
          () => undefined
        )
        const heard: string[] = []
        const exchanges = peers.map(async ({ id, dear, vanishes }, at) => {
          const { stream, near, handled } = bench.mesh.incoming(id, PROTOCOLS.offer)
          handled.catch(() => undefined)
          near.before = async step => {
            await scheduler.schedule(Promise.resolve(), `${step} ${at}`)
            if (vanishes) {
              stream.lose()
            }
          }
          await scheduler.schedule(Promise.resolve(), `offer ${at}`)
          const prices = { ...bench.offer().prices, ...(dear ? { promptPerMTokens: nanoTon(101n) } : {}) }
          await stream.write(encodeOffer(bench.offer({ prices })))
          const answer = await stream.read().catch(() => undefined)
          if (answer !== undefined && decodeOfferAnswer(answer).accepted) {
            assert.ok(id !== 'stranger' && !dear)
            heard.push(id)
          }
          await handled.catch(() => undefined)
        })
        await scheduler.waitFor(Promise.all(exchanges))
        await Promise.resolve()
        call.close()
        assert.ok(heard.length <= 1, `${heard.join()} were accepted`)
        assert.equal(taken?.peerId, heard[0])
        const someoneFits = peers.some(({ id, dear, vanishes }) => id !== 'stranger' && !dear && !vanishes)
        const someoneVanishes = peers.some(({ vanishes }) => vanishes)
        assert.ok(taken !== undefined || !someoneFits || someoneVanishes, 'a fitting offer was not taken')
      })
    )
  })
})
