import assert from 'node:assert/strict'
import { sha256 } from '../../../src/core/bytes.ts'
import { aesGcmSeal } from '../../../src/seal/aes-gcm.ts'
import { setupSender } from '../../../src/seal/hpke.ts'
import {
  enclaveKeyId,
  type OpenRequestInit,
  openRequest,
  ReplayGuard,
  recipientHint,
  SEAL_SUITES,
  sealRequest
} from '../../../src/seal/index.ts'
import { padRequest } from '../../../src/seal/padding.ts'
import { decodeJobRequest, encodeJobRequest } from '../../../src/wire/job-request.ts'
import { mutate } from '../mutate.ts'
import { type LaidOut, mutateLayout } from '../mutate-fields.ts'
import { mutateJson, readJsonDocument } from '../mutate-json.ts'
import type { FuzzRandom } from '../random.ts'
import type { Surface } from '../surface.ts'
import { type SeedJob, seededRandom } from './seal-seeds.ts'

const OVERHEAD_BYTES = 48
/** What a hostile client seals stays small, so that there can be many. */
const MAX_PLAINTEXT_BYTES = 30_000
/** RFC 7748: points of low order, and numbers above the prime that stand for one. */
const LOW_ORDER = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}ff`
].map(hex => new Uint8Array(Buffer.from(hex, 'hex')))

/** Sealed requests as an enclave gets them, from strangers and from clients that seal what they should not. */
export function requestSurfaces(jobs: readonly SeedJob[]): Surface[] {
  const requests = jobs.map(({ plaintext }) => readJsonDocument(Buffer.from(plaintext).toString()))
  const of = (suite: string): SeedJob[] => jobs.filter(job => job.suite === suite)
  return [
    { name: 'request', weight: 100, feed: random => openChanged(random, of('x25519')) },
    { name: 'request-xwing', weight: 4, feed: random => openChanged(random, of('xwing')) },
    {
      name: 'hostile-client',
      weight: 20,
      feed: random => {
        const job = random.pick(of('x25519'))
        const plaintext = mutateJson(random, requests).subarray(0, MAX_PLAINTEXT_BYTES)
        const padded = padRequest(plaintext, OVERHEAD_BYTES)
        const changed = mutateLayout(random, [paddedLayout(padded)])
        const opened = openRequest(sealedByClient(random, job, random.below(3) === 0 ? padded : changed))
        assert.ok(
          [padded, changed].some(one => Buffer.from(padRequest(opened.plaintext, OVERHEAD_BYTES)).equals(one)),
          'a request has two paddings'
        )
        decodeJobRequest(opened.plaintext)
        return 'opened'
      }
    },
    {
      name: 'job-request',
      weight: 80,
      feed: random => {
        const request = decodeJobRequest(mutateJson(random, requests))
        // JSON has no negative zero.
        const written = { ...request, ...(request.temperature === 0 ? { temperature: 0 } : {}) }
        assert.deepEqual(decodeJobRequest(encodeJobRequest(request)), written, 'a job request has two meanings')
        return 'read'
      }
    },
    {
      name: 'target-key',
      weight: 6,
      feed: random => {
        const suite = random.below(12) === 0 ? 'xwing' : 'x25519'
        const known = random.pick(of(suite)).keyPair.publicKey
        const keys = [known, ...(suite === 'x25519' ? LOW_ORDER : [])]
        const hpkePublicKey = random.below(3) === 0 ? random.pick(keys) : mutate(random, keys).bytes
        const statementDigest = random.below(8) === 0 ? random.bytes(random.below(40)) : sha256('statement')
        const target = {
          suite: random.below(20) === 0 ? random.pick(SEAL_SUITES) : suite,
          hpkePublicKey,
          statementDigest
        } as const
        const jobId = random.bytes(random.below(8) === 0 ? random.below(20) : 16)
        const sealed = sealRequest({
          jobId,
          plaintext: random.bytes(20),
          recipients: [target],
          random: seededRandom(random.uint32())
        })
        assert.equal(sealed.recipients[0]?.wrappedKey.length, 48)
        return 'sealed'
      }
    }
  ]
}

/** A genuine job of which a stranger changed something: it opens only if that was nothing. */
function openChanged(random: FuzzRandom, jobs: readonly SeedJob[]): string {
  const job = random.pick(jobs)
  const other = random.pick(jobs)
  const [genuine] = job.sealed.recipients
  const [foreign] = other.sealed.recipients
  assert.ok(genuine && foreign)
  const recipient = { ...genuine }
  const init = { ...job, sealedRequest: job.sealed.sealedRequest, recipient }
  switch (random.below(10)) {
    case 0:
      recipient.hint = mutate(random, [genuine.hint, foreign.hint]).bytes
      break
    case 1:
      recipient.enc = random.below(8) === 0 ? random.pick(LOW_ORDER) : mutate(random, [genuine.enc, foreign.enc]).bytes
      break
    case 2:
      recipient.wrappedKey = mutate(random, [genuine.wrappedKey, foreign.wrappedKey]).bytes
      break
    case 3:
      Object.assign(init, { jobId: mutate(random, [job.jobId, other.jobId]).bytes })
      break
    case 4:
      // With the hint that its own job id would have.
      Object.assign(init, { jobId: random.below(2) === 0 ? other.jobId : flipped(random, job.jobId) })
      recipient.hint = recipientHint(enclaveKeyId(job.keyPair.publicKey), init.jobId)
      break
    case 5:
      Object.assign(init, {
        statementDigest: random.below(3) === 0 ? random.bytes(random.below(40)) : flipped(random, job.statementDigest)
      })
      break
    case 6:
      Object.assign(recipient, { enc: foreign.enc, wrappedKey: random.pick([genuine, foreign]).wrappedKey })
      break
    case 7:
      Object.assign(init, {
        sealedRequest: random.below(3) === 0 ? other.sealed.sealedRequest : flipped(random, job.sealed.sealedRequest)
      })
      break
    default:
      Object.assign(init, { sealedRequest: mutate(random, [job.sealed.sealedRequest]).bytes })
  }
  const replayGuard = new ReplayGuard({ capacity: random.below(40) === 0 ? 0 : 4 })
  if (random.below(30) === 0) {
    replayGuard.record(recipient.enc)
  }
  const { plaintext, responseKey } = openRequest({ ...init, replayGuard })
  responseKey.wipe()
  assert.deepEqual(plaintext, job.plaintext, 'a request opened to another')
  for (const name of ['jobId', 'statementDigest'] as const) {
    assert.deepEqual(Buffer.from(init[name]), Buffer.from(job[name]), `a request with another ${name} opened`)
  }
  assert.deepEqual(Buffer.from(init.sealedRequest), Buffer.from(job.sealed.sealedRequest), 'a changed request opened')
  for (const name of ['hint', 'enc', 'wrappedKey'] as const) {
    assert.deepEqual(Buffer.from(recipient[name]), Buffer.from(genuine[name]), `a request with another ${name} opened`)
  }
  return 'opened'
}

/** What a client can seal that has no need of our code: any padding, any commitment. */
function sealedByClient(random: FuzzRandom, job: SeedJob, padded: Uint8Array): OpenRequestInit {
  const { keyPair, jobId, statementDigest } = job
  const contentKey = random.bytes(32)
  const committed = random.below(8) === 0 ? random.bytes(32) : contentKey
  const body = aesGcmSeal(
    contentKey,
    new Uint8Array(12),
    Buffer.concat([Buffer.from('cocoon/request/v1'), jobId]),
    padded
  )
  const sealedRequest = new Uint8Array(Buffer.concat([sha256('cocoon/request-key/v1', committed), body]))
  const info = Buffer.concat([Buffer.from('cocoon/hpke/v1'), statementDigest, jobId])
  const context = setupSender(keyPair.publicKey, info, { ephemeralSeed: random.bytes(32) })
  const wrappedKey = context.seal(Buffer.concat([Buffer.from('cocoon/wrap/v1'), sha256(sealedRequest)]), contentKey)
  const recipient = { hint: recipientHint(enclaveKeyId(keyPair.publicKey), jobId), enc: context.enc, wrappedKey }
  return { jobId, keyPair, statementDigest, recipient, sealedRequest, replayGuard: new ReplayGuard() }
}

/** The same size, so that what is behind its size is judged. */
function paddedLayout(bytes: Uint8Array): LaidOut {
  return {
    bytes,
    numbers: [
      [0, 4],
      [2, 2],
      [3, 1],
      [bytes.length - 1, 1]
    ]
  }
}

function flipped(random: FuzzRandom, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes)
  const at = random.below(copy.length)
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8))
  return copy
}
