import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { decodeAnnouncement, encodeAnnouncement, type JobAnnouncement } from '../../../src/wire/announcement.ts'
import { JobAnnouncement as Wire } from '../../../src/wire/generated/job.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import * as any from './samples.ts'

const announcement: fc.Arbitrary<JobAnnouncement> = fc.record(
  {
    jobId: any.bytes(16),
    modelDigest: any.bytes(32),
    maxCompletionTokens: any.uint32,
    maxPromptPerMTokens: any.price,
    maxCompletionPerMTokens: any.price,
    tier: any.words(32),
    deadlineMs: any.timeMs,
    recipients: fc.array(any.recipient, { minLength: 1, maxLength: LIMITS.recipients }),
    body: any.body
  },
  any.plain
)

const JOB: JobAnnouncement = {
  jobId: new Uint8Array(16).fill(1),
  modelDigest: new Uint8Array(32).fill(2),
  maxCompletionTokens: 100,
  maxPromptPerMTokens: nanoTon(3_000_000_000n),
  maxCompletionPerMTokens: nanoTon(7n),
  tier: 'simulated',
  deadlineMs: 1_800_000_000_000,
  recipients: [{ hint: new Uint8Array(8), enc: new Uint8Array(32), wrappedKey: new Uint8Array(48) }],
  body: { kind: 'inline', sealedRequest: new Uint8Array(10).fill(9) }
}

describe('job announcement', () => {
  it('carries every valid announcement through', () => {
    any.carriesThrough(announcement, encodeAnnouncement, decodeAnnouncement)
  })

  it('answers any bytes with an announcement or one of its two errors', () => {
    any.refusesDamage(announcement, encodeAnnouncement, decodeAnnouncement)
  })

  const inlineLimits: Array<[string, number, number]> = [
    ['X25519', 32, LIMITS.announcedRequestBytes],
    ['X-Wing', 1_120, LIMITS.announcedXWingRequestBytes]
  ]
  for (const [suite, encBytes, inlineBytes] of inlineLimits) {
    it(`takes as many recipients and the largest body that the limits allow with ${suite}`, () => {
      const largest: JobAnnouncement = {
        ...JOB,
        maxCompletionTokens: 2 ** 32 - 1,
        maxPromptPerMTokens: nanoTon((1n << 64n) - 1n),
        maxCompletionPerMTokens: nanoTon((1n << 64n) - 1n),
        tier: 'x'.repeat(32),
        deadlineMs: Number.MAX_SAFE_INTEGER,
        recipients: Array.from({ length: LIMITS.recipients }, () => ({
          hint: new Uint8Array(LIMITS.hintBytes).fill(255),
          enc: new Uint8Array(encBytes).fill(255),
          wrappedKey: new Uint8Array(LIMITS.wrappedKeyBytes).fill(255)
        })),
        body: { kind: 'inline', sealedRequest: new Uint8Array(inlineBytes).fill(255) }
      }
      const bytes = encodeAnnouncement(largest)
      assert.ok(bytes.byteLength <= LIMITS.announcementBytes, `${bytes.byteLength} bytes`)
      assert.deepEqual(decodeAnnouncement(bytes), largest)
    })
  }

  it('could not take the body of the one suite with the keys of the other: the control', () => {
    const wraps = LIMITS.recipients * (LIMITS.hintBytes + 1_120 + LIMITS.wrappedKeyBytes)
    assert.ok(wraps + LIMITS.announcedRequestBytes > LIMITS.announcementBytes)
  })

  it('refuses one over the limit by its size alone', () => {
    any.refusesOversize(LIMITS.announcementBytes, decodeAnnouncement)
  })

  const recipient = JOB.recipients[0] as JobAnnouncement['recipients'][number]
  const later = { kind: 'later', sizeBytes: 10, digest: new Uint8Array(32) } as const
  const refused: Array<[string, Partial<JobAnnouncement>]> = [
    ['a short job id', { jobId: new Uint8Array(15) }],
    ['a long model digest', { modelDigest: new Uint8Array(33) }],
    ['a tier of 33 characters', { tier: 'x'.repeat(33) }],
    ['a deadline that is no safe integer', { deadlineMs: 2 ** 53 }],
    ['no recipients', { recipients: [] }],
    ['nine recipients', { recipients: Array.from({ length: 9 }, () => recipient) }],
    ['a hint of another length', { recipients: [{ ...recipient, hint: new Uint8Array(7) }] }],
    ['an empty key', { recipients: [{ ...recipient, enc: new Uint8Array() }] }],
    ['a key that is too long', { recipients: [{ ...recipient, enc: new Uint8Array(33) }] }],
    ['a wrapped key of another length', { recipients: [{ ...recipient, wrappedKey: new Uint8Array(47) }] }],
    ['an empty body', { body: { kind: 'inline', sealedRequest: new Uint8Array() } }],
    [
      'a body over the limit',
      { body: { kind: 'inline', sealedRequest: new Uint8Array(LIMITS.announcedRequestBytes + 1) } }
    ],
    ['a later body over the limit', { body: { ...later, sizeBytes: LIMITS.sealedRequestBytes + 1 } }],
    ['a later body without a whole digest', { body: { ...later, digest: new Uint8Array(31) } }]
  ]
  for (const [name, changes] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(() => decodeAnnouncement(encodeAnnouncement({ ...JOB, ...changes })), any.MALFORMED)
    })
  }

  it('refuses another version, and a body in both forms', () => {
    const wire = Wire.decode(encodeAnnouncement(JOB))
    for (const changes of [{ version: 2 }, { version: 0 }, { sealedSize: 10, sealedDigest: new Uint8Array(32) }]) {
      assert.throws(() => decodeAnnouncement(Wire.encode({ ...wire, ...changes })), any.MALFORMED)
    }
  })
})
