import assert from 'node:assert/strict'
import { NetworkError } from '../../../src/core/errors.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { AnnouncedJobs } from '../../../src/provider/announced-jobs.ts'
import { peerJobKey, Slots } from '../../../src/provider/slots.ts'
import { encodeAnnouncement, type JobAnnouncement } from '../../../src/wire/announcement.ts'
import { decodeOffer, encodeOfferAnswer, type Offer } from '../../../src/wire/offer.ts'
import { PROTOCOLS } from '../../../src/wire/protocols.ts'
import { type MemoryStream, streamPair } from '../../support/stream-pair.ts'
import { until } from '../../support/until.ts'
import { announcement, FakeAttester, HPKE_KEY, MODEL_DIGEST, PRICES, recipientOf } from './provider-fixture.ts'

const CLIENT = 'client-peer'

class Desk {
  readonly attester = new FakeAttester()
  readonly offers: Array<{ peerId: string; offer: Offer }> = []
  slots!: Slots
  jobs!: AnnouncedJobs
  /** What the client at the other end of an offer's stream does. */
  client: (stream: MemoryStream, offer: Offer) => Promise<void> = stream => answer(stream, true)

  async start(places = 1, offerTtlMs = 5_000): Promise<this> {
    const identity = this.attester.identity()
    await identity.refresh()
    const { clock } = this.attester
    this.slots = new Slots(places, clock)
    this.jobs = new AnnouncedJobs(
      {
        logger: silentLogger,
        clock,
        slots: this.slots,
        identity,
        mesh: {
          open: async (peerId, protocol) => {
            assert.equal(protocol, PROTOCOLS.offer)
            const [provider, client] = streamPair()
            void this.#serve(peerId, client)
            return provider
          }
        }
      },
      {
        modelDigest: MODEL_DIGEST,
        prices: PRICES,
        minimumDeposit: nanoTon(500n),
        windowTokens: 32,
        offerTtlMs,
        acceptedTtlMs: 60_000,
        expectedTtftMs: 20
      }
    )
    return this
  }

  job(changes: Partial<JobAnnouncement> = {}): JobAnnouncement {
    return announcement(this.attester.clock, changes)
  }

  consider(job: JobAnnouncement, from = CLIENT): Promise<void> {
    return this.jobs.consider(from, encodeAnnouncement(job))
  }

  async #serve(peerId: string, stream: MemoryStream): Promise<void> {
    const frame = await stream.read()
    assert.ok(frame)
    const offer = decodeOffer(frame)
    this.offers.push({ peerId, offer })
    await this.client(stream, offer)
  }
}

async function answer(stream: MemoryStream, accepted: boolean): Promise<void> {
  await stream.write(encodeOfferAnswer({ accepted, reason: '' }))
  await stream.close()
}

describe('announced jobs', () => {
  it('are offered for under this provider’s terms, and kept with their place once accepted', async () => {
    const desk = await new Desk().start(2)
    const job = desk.job()
    await desk.consider(job)
    assert.deepEqual(desk.offers, [
      {
        peerId: CLIENT,
        offer: {
          jobId: job.jobId,
          prices: PRICES,
          queue: 0,
          expectedTtftMs: 20,
          minimumDeposit: nanoTon(500n),
          windowTokens: 32,
          expiresAtMs: desk.attester.clock.nowMs() + 5_000,
          // A hundred answer tokens at one nanoton; prompts are free.
          maxCost: nanoTon(100n),
          startWithinMs: 60_000
        }
      }
    ])
    assert.equal(desk.slots.free, 1)
    // An accepted job may have to open its channel first: its place is held longer than an offer's.
    desk.attester.clock.advance(59_999)
    assert.equal(desk.slots.free, 1)
    assert.deepEqual(desk.jobs.take(CLIENT, job.jobId), {
      announcement: job,
      recipient: job.recipients[0],
      maxCost: 100n
    })
    assert.equal(desk.jobs.take(CLIENT, job.jobId), undefined)
  })

  it('P10 cannot be taken any more after the offer’s time', async () => {
    for (const lateMs of [5_000, 5_001]) {
      const desk = await new Desk().start(1)
      const job = desk.job()
      desk.client = async stream => {
        desk.attester.clock.advance(lateMs)
        await answer(stream, true)
      }
      await desk.consider(job)
      assert.equal(desk.jobs.take(CLIENT, job.jobId) === undefined, lateMs > 5_000)
      assert.equal(desk.slots.free, lateMs > 5_000 ? 1 : 0)
    }
  })

  it('free their place when the client says no, says nothing, or is gone', async () => {
    const desk = await new Desk().start(1, 10)
    const clients: Array<(stream: MemoryStream) => Promise<void>> = [
      stream => answer(stream, false),
      stream => stream.close(),
      async stream => stream.lose(),
      async () => undefined,
      stream => stream.write(Uint8Array.of(255))
    ]
    for (const client of clients) {
      desk.client = client
      const job = desk.job()
      await desk.consider(job)
      assert.equal(desk.slots.free, 1)
      assert.equal(desk.jobs.take(CLIENT, job.jobId), undefined)
    }
    assert.equal(desk.offers.length, clients.length)
  })

  it('are left alone when addressed to others, for another tier, below the price, or while no place is free', async () => {
    const desk = await new Desk().start(1)
    const jobId = new Uint8Array(16).fill(9)
    const others: Array<Partial<JobAnnouncement>> = [
      { recipients: [recipientOf(new Uint8Array(32), jobId)], jobId },
      { tier: 'tdx' },
      { maxCompletionPerMTokens: nanoTon(999_999n) }
    ]
    for (const changes of others) {
      await desk.consider(desk.job(changes))
    }
    assert.equal(desk.offers.length, 0)
    await desk.consider(desk.job())
    await desk.consider(desk.job({ jobId, recipients: [recipientOf(HPKE_KEY, jobId)] }))
    assert.equal(desk.offers.length, 1)
  })

  it('that find no free place are offered for in turn when one is given back, as long as their client listens', async () => {
    const desk = await new Desk().start(1)
    const first = desk.job()
    const ids = [1, 2, 3].map(n => new Uint8Array(16).fill(n))
    const later = ids.map(jobId => desk.job({ jobId, recipients: [recipientOf(HPKE_KEY, jobId)] }))
    await desk.consider(first)
    await desk.consider(later[0] as JobAnnouncement)
    desk.attester.clock.advance(5_000)
    await desk.consider(later[1] as JobAnnouncement)
    await desk.consider(later[2] as JobAnnouncement)
    assert.equal(desk.offers.length, 1)
    // By now the client of the first one that waited has given up.
    desk.attester.clock.advance(4_000)
    desk.slots.release(peerJobKey(CLIENT, first.jobId))
    await until(() => desk.offers.length > 1)
    assert.deepEqual(desk.offers[1]?.offer.jobId, ids[1])
    assert.equal(desk.slots.free, 0)
    await until(() => desk.jobs.take(CLIENT, ids[1] as Uint8Array) !== undefined)
    assert.equal(desk.offers.length, 2)
  })

  it('are not given to a stranger who read their id in the gossip', async () => {
    const desk = await new Desk().start(2)
    const job = desk.job()
    await desk.consider(job)
    assert.equal(desk.jobs.take('stranger', job.jobId), undefined)
    assert.ok(desk.jobs.take(CLIENT, job.jobId))
  })

  it('are not blocked by a stranger who announces them as its own', async () => {
    const desk = await new Desk().start(2)
    const job = desk.job()
    await desk.consider(job, 'stranger')
    await desk.consider(job)
    assert.ok(desk.jobs.take(CLIENT, job.jobId))
  })

  it('that were accepted and never came make room for the next', async () => {
    const desk = await new Desk().start(1)
    const jobs = [1, 2, 3].map(n => {
      const jobId = new Uint8Array(16).fill(n)
      return desk.job({ jobId, recipients: [recipientOf(HPKE_KEY, jobId)] })
    })
    for (const job of jobs) {
      await desk.consider(job)
      desk.attester.clock.advance(60_000)
    }
    assert.deepEqual(
      jobs.map(({ jobId }) => desk.jobs.take(CLIENT, jobId) !== undefined),
      [false, false, true]
    )
  })

  it('cost a peer its standing when malformed or of another model, and are not passed on when far from now', async () => {
    const desk = await new Desk().start()
    const { clock } = desk.attester
    const verdict = (changes: Partial<JobAnnouncement>) => desk.jobs.validate(encodeAnnouncement(desk.job(changes)))
    assert.equal(verdict({}), 'accept')
    assert.equal(verdict({ deadlineMs: clock.nowMs() + 3_600_000 }), 'ignore')
    assert.equal(verdict({ deadlineMs: clock.nowMs() - 3_600_000 }), 'ignore')
    assert.equal(verdict({ modelDigest: new Uint8Array(32) }), 'reject')
    assert.equal(desk.jobs.validate(new Uint8Array(3)), 'reject')
  })

  it('are not offered for any more after stop, and a peer that cannot be reached costs nothing', async () => {
    const desk = await new Desk().start()
    desk.client = async () => desk.jobs.stop()
    await desk.consider(desk.job())
    assert.equal(desk.slots.free, 1)

    const clock = desk.attester.clock
    const identity = desk.attester.identity()
    await identity.refresh()
    const slots = new Slots(1, clock)
    const unreachable = new AnnouncedJobs(
      {
        logger: silentLogger,
        clock,
        slots,
        identity,
        mesh: { open: () => Promise.reject(new NetworkError('PEER_UNREACHABLE', 'gone')) }
      },
      {
        modelDigest: MODEL_DIGEST,
        prices: PRICES,
        minimumDeposit: nanoTon(0n),
        windowTokens: 1,
        offerTtlMs: 100,
        acceptedTtlMs: 100,
        expectedTtftMs: 1
      }
    )
    await unreachable.consider(CLIENT, encodeAnnouncement(desk.job()))
    assert.equal(slots.free, 1)
  })
})
