import assert from 'node:assert/strict'
import { createCipheriv, createHash } from 'node:crypto'
import * as fc from 'fast-check'
import {
  enclaveKeyId,
  generateHpkeKeyPair,
  type HpkeKeyPair,
  isRequestSize,
  openRequest,
  ReplayGuard,
  recipientHint,
  responseOpener,
  responseSealer,
  type SealedRequest,
  sealRequest,
  setupSender
} from '../../../src/seal/index.ts'
import { padRequest } from '../../../src/seal/padding.ts'
import { LIMITS } from '../../../src/wire/limits.ts'

const jobId = new Uint8Array(16).fill(7)
const otherJobId = new Uint8Array(16).fill(8)
const statementDigest = new Uint8Array(32).fill(3)
const text = new TextEncoder().encode('how deep is the sea?')
const enclaves = [generateHpkeKeyPair(), generateHpkeKeyPair()] as const

describe('sealed request', () => {
  it('opens for every recipient with the same text, whatever its length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000, size: 'max' }), plaintext => {
        const sealed = sealTo(enclaves, plaintext)
        for (const index of [0, 1] as const) {
          // Neither a diff nor shrinking: both take minutes with large arrays.
          assert.ok(Buffer.from(plaintext).equals(open(sealed, index).plaintext))
        }
      }),
      { numRuns: 30, endOnFailure: true }
    )
  })

  it('has the sizes of the wire, and one of 1 KiB times a power of two', () => {
    for (const length of [0, 1, 971, 972, 973, 3000, 32 * 1024 - 52, 100_000]) {
      const sealed = sealTo(enclaves, new Uint8Array(length))
      assert.ok(isRequestSize(sealed.sealedRequest.byteLength), `${sealed.sealedRequest.byteLength}`)
      for (const { hint, enc, wrappedKey } of sealed.recipients) {
        assert.equal(hint.byteLength, LIMITS.hintBytes)
        assert.equal(enc.byteLength, 32)
        assert.equal(wrappedKey.byteLength, LIMITS.wrappedKeyBytes)
      }
    }
    assert.equal(
      sealTo(enclaves, new Uint8Array(32 * 1024 - 52)).sealedRequest.byteLength,
      LIMITS.announcedRequestBytes
    )
  })

  it('hides the length of the text: all that share a size class look alike', () => {
    const sizes = [0, 1, 100, 500, 972].map(n => sealTo(enclaves, new Uint8Array(n)).sealedRequest.byteLength)
    assert.deepEqual(new Set(sizes), new Set([1024]))
  })

  it('never seals twice alike', () => {
    const a = sealTo(enclaves)
    const b = sealTo(enclaves)
    assert.notDeepEqual(a.sealedRequest, b.sealedRequest)
    assert.notDeepEqual(a.recipients[0]?.enc, b.recipients[0]?.enc)
    assert.notDeepEqual(a.recipients[0]?.enc, a.recipients[1]?.enc)
  })

  it('seals alike twice under the same injected randomness, so that a run can be repeated', () => {
    const random = { bytes: (length: number): Uint8Array => new Uint8Array(length).fill(length) }
    const seal = (): SealedRequest => sealRequest({ jobId, plaintext: text, recipients: targets(enclaves), random })
    const [a, b] = [seal(), seal()]
    assert.deepEqual(a.sealedRequest, b.sealedRequest)
    assert.deepEqual(a.recipients, b.recipients)
    assert.deepEqual(open(a, 1).plaintext, text)
  })

  it('names the sealed request by its SHA-256', () => {
    const { sealedRequest, requestDigest } = sealTo(enclaves)
    assert.deepEqual(Buffer.from(requestDigest), createHash('sha256').update(sealedRequest).digest())
  })

  it('carries hints that only the job and the enclave key make', () => {
    const [first] = sealTo(enclaves).recipients
    const expected = createHash('sha256')
      .update(createHash('sha256').update(enclaves[0].publicKey).digest())
      .update(jobId)
      .digest()
      .subarray(0, 8)
    assert.deepEqual(Buffer.from(first?.hint ?? []), expected)
    assert.notDeepEqual(recipientHint(enclaveKeyId(enclaves[0].publicKey), otherJobId), first?.hint)
  })

  it('refuses a request with any bit changed', () => {
    const sealed = sealTo(enclaves)
    const bits = sealed.sealedRequest.byteLength * 8
    fc.assert(
      fc.property(fc.nat(bits - 1), bit => {
        const sealedRequest = flipBit(sealed.sealedRequest, bit)
        assert.throws(() => open({ ...sealed, sealedRequest }, 0), { code: 'SEAL_OPEN_FAILED' })
      }),
      { numRuns: 60 }
    )
  })

  it('refuses a recipient with any bit changed', () => {
    const sealed = sealTo(enclaves)
    const recipient = sealed.recipients[0]
    assert.ok(recipient)
    // The top bit of an X25519 key is not part of the point (RFC 7748 §5), but HPKE hashes the bytes as they came.
    for (const field of ['hint', 'enc', 'wrappedKey'] as const) {
      for (let bit = 0; bit < recipient[field].byteLength * 8; bit++) {
        const changed = { ...recipient, [field]: flipBit(recipient[field], bit) }
        assert.throws(() => open({ ...sealed, recipients: [changed] }, 0), {
          code: field === 'hint' ? 'SEAL_WRONG_RECIPIENT' : 'SEAL_OPEN_FAILED'
        })
      }
    }
  })

  it('refuses another request put under a genuine wrap', () => {
    const sealed = sealTo(enclaves)
    const other = sealTo(enclaves)
    const swapped = { ...sealed, sealedRequest: other.sealedRequest }
    assert.throws(() => open(swapped, 0), { code: 'SEAL_OPEN_FAILED' })
  })

  it('refuses another job, another statement and an enclave it is not for', () => {
    const sealed = sealTo(enclaves)
    const recipient = sealed.recipients[0]
    assert.ok(recipient)
    const input = { ...sealed, recipient, jobId, statementDigest, keyPair: enclaves[0], replayGuard: new ReplayGuard() }
    const hint = recipientHint(enclaveKeyId(enclaves[0].publicKey), otherJobId)
    assert.throws(() => openRequest({ ...input, jobId: otherJobId }), { code: 'SEAL_WRONG_RECIPIENT' })
    assert.throws(() => openRequest({ ...input, jobId: otherJobId, recipient: { ...recipient, hint } }), {
      code: 'SEAL_OPEN_FAILED'
    })
    assert.throws(() => openRequest({ ...input, statementDigest: new Uint8Array(32) }), { code: 'SEAL_OPEN_FAILED' })
    assert.throws(() => openRequest({ ...input, keyPair: enclaves[1] }), { code: 'SEAL_WRONG_RECIPIENT' })
    assert.equal(openRequest(input).plaintext.byteLength, text.byteLength)
  })

  it('refuses a wrap that another recipient got', () => {
    const sealed = sealTo(enclaves)
    const [first, second] = sealed.recipients
    assert.ok(first && second)
    const stolen = { ...second, hint: first.hint }
    assert.throws(() => open({ ...sealed, recipients: [stolen] }, 0), { code: 'SEAL_OPEN_FAILED' })
  })

  it('refuses wrong lengths before any key is used', () => {
    const sealed = sealTo(enclaves)
    const recipient = sealed.recipients[0]
    assert.ok(recipient)
    for (const field of ['hint', 'enc', 'wrappedKey'] as const) {
      const changed = { ...recipient, [field]: recipient[field].subarray(1) }
      assert.throws(() => open({ ...sealed, recipients: [changed] }, 0), { code: 'SEAL_LENGTH_INVALID' })
    }
    for (const length of [0, 1023, 1025, 3072, 8 * 1024 * 1024]) {
      assert.throws(() => open({ ...sealed, sealedRequest: new Uint8Array(length) }, 0), { code: 'SEAL_REQUEST_SIZE' })
    }
    assert.throws(() => sealRequest({ jobId: new Uint8Array(15), plaintext: text, recipients: targets(enclaves) }), {
      code: 'SEAL_LENGTH_INVALID'
    })
    assert.throws(
      () =>
        sealRequest({
          jobId,
          plaintext: text,
          recipients: [{ hpkePublicKey: enclaves[0].publicKey, statementDigest: new Uint8Array(31) }]
        }),
      { code: 'SEAL_LENGTH_INVALID' }
    )
  })

  it('refuses to seal to nobody, or more than the largest request', () => {
    assert.throws(() => sealTo([]), { code: 'SEAL_NO_RECIPIENT' })
    assert.throws(() => sealTo(enclaves, new Uint8Array(4 * 1024 * 1024)), { code: 'SEAL_REQUEST_TOO_LARGE' })
  })

  it('refuses a request opened before, and keeps one refused for other reasons open to a genuine try', () => {
    const sealed = sealTo(enclaves)
    const guard = new ReplayGuard()
    assert.throws(() => open({ ...sealed, sealedRequest: new Uint8Array(1024) }, 0, guard), {
      code: 'SEAL_OPEN_FAILED'
    })
    assert.equal(guard.size, 0)
    open(sealed, 0, guard)
    assert.equal(guard.size, 1)
    assert.throws(() => open(sealed, 0, guard), { code: 'SEAL_REPLAYED' })
    // Known before any key is used: not even a changed wrap gets further.
    const recipients = sealed.recipients.map(recipient => ({ ...recipient, wrappedKey: new Uint8Array(48) }))
    assert.throws(() => open({ ...sealed, recipients }, 0, guard), { code: 'SEAL_REPLAYED' })
    open(sealed, 1, new ReplayGuard())
  })

  it('gives every enclave a response key of its own', () => {
    const sealed = sealTo(enclaves)
    const [mine, theirs] = [open(sealed, 0).responseKey, open(sealed, 1).responseKey]
    const [frame] = responseSealer(mine, jobId).seal(text, true)
    const [forged] = responseSealer(theirs, jobId).seal(text, true)
    const [key] = sealed.responseKeys
    assert.ok(frame && forged && key)
    assert.throws(() => responseOpener(key, jobId).open(forged), { code: 'SEAL_FRAME_FORGED' })
    assert.deepEqual(responseOpener(key, jobId).open(frame), { bytes: text, final: true })
  })

  it('refuses a sender that lies in the commitment to its content key', () => {
    const contentKey = new Uint8Array(32).fill(1)
    const honest = craft(contentKey, createHash('sha256').update('cocoon/request-key/v1').update(contentKey).digest())
    assert.deepEqual(open(honest, 0).plaintext, text)
    const lying = craft(contentKey, new Uint8Array(32))
    assert.throws(() => open(lying, 0), { code: 'SEAL_REQUEST_FORGED' })
  })

  it("refuses a ciphertext that is not the content key's, though its wrap is genuine", () => {
    const contentKey = new Uint8Array(32).fill(1)
    const commitment = createHash('sha256').update('cocoon/request-key/v1').update(contentKey).digest()
    const sealed = craft(contentKey, commitment, new Uint8Array(992))
    assert.throws(() => open(sealed, 0), { code: 'SEAL_REQUEST_FORGED' })
  })

  it('refuses padding that the sender made wrong', () => {
    const contentKey = new Uint8Array(32).fill(1)
    const commitment = createHash('sha256').update('cocoon/request-key/v1').update(contentKey).digest()
    const padded = new Uint8Array(1024 - 48).fill(1)
    assert.throws(() => open(craft(contentKey, commitment, sealBody(contentKey, padded)), 0), {
      code: 'SEAL_PADDING_INVALID'
    })
  })
})

describe('replay guard', () => {
  it('refuses new keys when it is full rather than forget old ones', () => {
    const guard = new ReplayGuard({ capacity: 2 })
    guard.record(Uint8Array.of(1))
    guard.record(Uint8Array.of(2))
    assert.throws(() => guard.check(Uint8Array.of(3)), { code: 'SEAL_EPOCH_FULL' })
    assert.throws(() => guard.record(Uint8Array.of(3)), { code: 'SEAL_EPOCH_FULL' })
    assert.throws(() => guard.check(Uint8Array.of(1)), { code: 'SEAL_REPLAYED' })
    assert.equal(guard.size, 2)
  })
})

const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value)

/** A sender that follows the written format by its own code, and may break it in one place. */
function craft(
  contentKey: Uint8Array,
  commitment: Uint8Array,
  body = sealBody(contentKey, padRequest(text, 48))
): Pick<SealedRequest, 'sealedRequest' | 'recipients'> {
  const sealedRequest = Buffer.concat([commitment, body])
  const info = Buffer.concat([utf8('cocoon/hpke/v1'), statementDigest, jobId])
  const context = setupSender(enclaves[0].publicKey, info)
  const aad = Buffer.concat([utf8('cocoon/wrap/v1'), createHash('sha256').update(sealedRequest).digest()])
  const hint = recipientHint(enclaveKeyId(enclaves[0].publicKey), jobId)
  return { sealedRequest, recipients: [{ hint, enc: context.enc, wrappedKey: context.seal(aad, contentKey) }] }
}

function sealBody(contentKey: Uint8Array, padded: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', contentKey, new Uint8Array(12))
  cipher.setAAD(Buffer.concat([utf8('cocoon/request/v1'), jobId]))
  return Buffer.concat([cipher.update(padded), cipher.final(), cipher.getAuthTag()])
}

function targets(keyPairs: readonly HpkeKeyPair[]): Array<{ hpkePublicKey: Uint8Array; statementDigest: Uint8Array }> {
  return keyPairs.map(({ publicKey }) => ({ hpkePublicKey: publicKey, statementDigest }))
}

function sealTo(keyPairs: readonly HpkeKeyPair[], plaintext: Uint8Array = text): SealedRequest {
  return sealRequest({ jobId, plaintext, recipients: targets(keyPairs) })
}

function open(
  sealed: Pick<SealedRequest, 'sealedRequest' | 'recipients'>,
  index: 0 | 1,
  replayGuard = new ReplayGuard()
): ReturnType<typeof openRequest> {
  const recipient = sealed.recipients[index]
  assert.ok(recipient)
  const { sealedRequest } = sealed
  return openRequest({ jobId, keyPair: enclaves[index], statementDigest, recipient, sealedRequest, replayGuard })
}

function flipBit(value: Uint8Array, bit: number): Uint8Array {
  const copy = value.slice()
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}
