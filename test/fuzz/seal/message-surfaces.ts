import assert from 'node:assert/strict'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { decodeAnnouncement, encodeAnnouncement, type JobAnnouncement } from '../../../src/wire/announcement.ts'
import { encodeFrame, FrameDecoder } from '../../../src/wire/framing.ts'
import {
  decodeJobDown,
  decodeJobUp,
  encodeJobDown,
  encodeJobUp,
  type JobDownMessage,
  type JobUpMessage
} from '../../../src/wire/job-stream.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import { decodeOffer, decodeOfferAnswer, encodeOffer, encodeOfferAnswer } from '../../../src/wire/offer.ts'
import { cut } from '../hostile-stream.ts'
import { mutate } from '../mutate.ts'
import { mutateProto } from '../mutate-proto.ts'
import type { FuzzRandom } from '../random.ts'
import type { Surface } from '../surface.ts'
import { hostileStream } from './hostile-frames.ts'
import type { SeedJob } from './seal-seeds.ts'

const PIPE_BYTES = 4_096

/** Announcements, offers and what goes over a job's stream, and the two framings they travel in. */
export function messageSurfaces(jobs: readonly SeedJob[]): Surface[] {
  const announced = announcements(jobs).map(encodeAnnouncement)
  const up = upMessages(jobs).map(encodeJobUp)
  const down = downMessages(jobs).map(encodeJobDown)
  const price = nanoTon(1_000n)
  const offer = encodeOffer({
    jobId: new Uint8Array(16),
    prices: { promptPerMTokens: price, cachedPromptPerMTokens: price, completionPerMTokens: price },
    queue: 1,
    expectedTtftMs: 20,
    minimumDeposit: price,
    windowTokens: 64,
    expiresAtMs: 1_795_000_000_000,
    maxCost: price,
    startWithinMs: 10_000
  })
  const answer = encodeOfferAnswer({ accepted: true, reason: 'best' })
  return [
    twice('announcement', 90, announced, decodeAnnouncement, encodeAnnouncement),
    twice('job-up', 80, up, decodeJobUp, encodeJobUp),
    twice('job-down', 80, down, decodeJobDown, encodeJobDown),
    twice('offer', 30, [offer], decodeOffer, encodeOffer),
    twice('offer-answer', 20, [answer], decodeOfferAnswer, encodeOfferAnswer),
    {
      name: 'job-stream',
      weight: 50,
      feed: async random => {
        const upward = random.below(2) === 0
        const corpus = upward ? up : down
        const sent = Array.from({ length: 1 + random.below(4) }, () => random.pick(corpus))
        const stream = hostileStream(random, sent, LIMITS.jobFrameBytes)
        let read = 0
        for (let frame = await stream.read(); frame !== undefined; frame = await stream.read()) {
          assert.ok((upward ? decodeJobUp(frame) : decodeJobDown(frame)).type.length > 0)
          read++
        }
        return `read ${read}`
      }
    },
    {
      name: 'pipe',
      weight: 50,
      feed: random =>
        cutAnywhere(
          random,
          [...up, ...down].filter(({ length }) => length <= PIPE_BYTES)
        )
    }
  ]
}

/** What is read must say the same when it is written and read again: nothing in it was passed over that means something. */
function twice<T>(
  name: string,
  weight: number,
  corpus: readonly Uint8Array[],
  decode: (bytes: Uint8Array) => T,
  encode: (message: T) => Uint8Array
): Surface {
  return {
    name,
    weight,
    feed: random => {
      const bytes = random.below(3) === 0 ? mutate(random, corpus).bytes : mutateProto(random, corpus)
      const message = decode(bytes)
      assert.deepEqual(asText(decode(encode(message))), asText(message), `${name} has two meanings`)
      return typeof message === 'object' && message !== null && 'type' in message
        ? `read ${String(message.type)}`
        : 'read'
    }
  }
}

/** As UTF-8 has it: the reader lets halves of surrogate pairs through where a field is judged later. */
function asText(value: unknown): unknown {
  if (typeof value === 'string') {
    return Buffer.from(value).toString()
  }
  if (Array.isArray(value)) {
    return value.map(asText)
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) {
    return value
  }
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, asText(field)]))
}

/** The pipe between host and enclave: the same messages come out however the bytes were cut, and none beyond its limit. */
function cutAnywhere(random: FuzzRandom, corpus: readonly Uint8Array[]): string {
  const sent = Array.from({ length: 1 + random.below(5) }, () => mutate(random, corpus).bytes)
  const whole = Buffer.concat(sent.map(encodeFrame))
  if (random.below(6) === 0 && whole.length > 0) {
    whole[random.below(whole.length)] = random.below(256)
  }
  const decoder = new FrameDecoder(PIPE_BYTES)
  const got: Uint8Array[] = []
  for (const chunk of cut(random, whole, [5, 300, 5_000])) {
    got.push(...decoder.push(chunk))
  }
  const again = Buffer.concat(got.map(encodeFrame))
  assert.ok(
    whole.subarray(0, again.length).equals(again) && again.length + decoder.pendingBytes === whole.length,
    'bytes of a pipe were lost'
  )
  return decoder.pendingBytes > 0 ? 'pending' : 'whole'
}

function announcements(jobs: readonly SeedJob[]): JobAnnouncement[] {
  return jobs.flatMap(({ jobId, sealed }) => {
    const job = {
      jobId,
      modelDigest: new Uint8Array(32).fill(5),
      maxCompletionTokens: 64,
      maxPromptPerMTokens: nanoTon(1_000_000n),
      maxCompletionPerMTokens: nanoTon(2n ** 60n),
      tier: 'tdx',
      deadlineMs: 1_795_000_000_000,
      recipients: [...sealed.recipients, ...sealed.recipients]
    }
    const body = { kind: 'inline', sealedRequest: sealed.sealedRequest } as const
    return [
      { ...job, body },
      { ...job, body: { kind: 'later', sizeBytes: 65_536, digest: sealed.requestDigest } as const }
    ]
  })
}

function upMessages(jobs: readonly SeedJob[]): JobUpMessage[] {
  const voucher = {
    channel: `0:${'77'.repeat(32)}`,
    openedLt: 5n,
    cumulative: Uint8Array.of(1, 2),
    signature: new Uint8Array(64)
  }
  const channel = {
    globalId: -3,
    payerKey: new Uint8Array(32).fill(1),
    payerAddress: `0:${'0b'.repeat(32)}`,
    payeeKey: new Uint8Array(32).fill(2),
    payeeAddress: `0:${'0d'.repeat(32)}`,
    salt: 2n ** 64n - 1n,
    challengeSeconds: 3_600
  }
  const opened = jobs.map(({ jobId, sealed }) => {
    const [recipient] = sealed.recipients
    assert.ok(recipient)
    const body = { kind: 'inline', sealedRequest: sealed.sealedRequest } as const
    const direct = { modelDigest: new Uint8Array(32).fill(5), maxCompletionTokens: 50, recipient, body }
    return { type: 'open' as const, jobId, channel, voucher, direct }
  })
  return [
    ...opened,
    { type: 'open', jobId: new Uint8Array(16), channel, voucher },
    { type: 'voucher', voucher },
    { type: 'part', bytes: new Uint8Array(300) },
    { type: 'cancel', reason: 'enough' },
    { type: 'pad' }
  ]
}

function downMessages(jobs: readonly SeedJob[]): JobDownMessage[] {
  const usage = { promptTokens: 1, cachedPromptTokens: 2, completionTokens: 2 ** 32 - 1 }
  return [
    { type: 'chunk', sealed: jobs[0]?.sealed.sealedRequest ?? new Uint8Array(), usage },
    { type: 'need-voucher', cumulative: nanoTon(90n), usage },
    { type: 'done', receipt: new Uint8Array(Buffer.from('{"receipt":true}')), receiptSignature: new Uint8Array(64) },
    { type: 'failed', code: 'PROVIDER_BUSY', message: 'later' }
  ]
}
