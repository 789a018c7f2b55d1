import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import * as fc from 'fast-check'
import { errorCode } from '../../../src/core/errors.ts'
import { EPOCH_MS, type Epoch, Epochs, type SealKey } from '../../../src/enclave/epoch.ts'
import {
  type OpenRequestInit,
  openRequest,
  recipientHint,
  responseOpener,
  responseSealer,
  SEAL_SUITES,
  type SealedRequest,
  type SealSuite,
  sealRequest
} from '../../../src/seal/index.ts'

const HASH = '11'.repeat(32)
const SEAL_TARGET_FACTS = {
  tier: 'simulated',
  peerId: '12D3KooWaaaaaaaaaaaa',
  modelDigests: [HASH],
  configDigest: HASH,
  software: { version: '0.1.0', bundleDigest: HASH },
  bootId: '22'.repeat(16),
  beacon: { globalId: -3, height: 5, hash: HASH }
} as const

/** An enclave's keys, in a time that tests own. */
class TestEnclave {
  nowMs = 1_800_000_000_000
  readonly epochs = new Epochs({ nowMs: () => this.nowMs })

  get epoch(): Epoch {
    return this.epochs.current({ ...SEAL_TARGET_FACTS, modelDigests: [HASH] })
  }
}

interface Job {
  jobId: Uint8Array
  sealed: SealedRequest
  suite: SealSuite
}

function sealTo(epochs: readonly Epoch[], suite: SealSuite, text = 'how deep is the sea?'): Job {
  const jobId = new Uint8Array(randomBytes(16))
  const sealed = sealRequest({
    jobId,
    plaintext: Buffer.from(text),
    recipients: epochs.map(({ keys, statementDigest }) => ({
      suite,
      hpkePublicKey: keys[suite].keyPair.publicKey,
      statementDigest
    }))
  })
  return { jobId, sealed, suite }
}

/** What an enclave does with a request that reaches it, whoever sent it. */
function deliver(
  { epochs }: TestEnclave,
  { jobId, sealed }: Job,
  index = 0,
  change: Partial<OpenRequestInit> = {}
): ReturnType<typeof openRequest> {
  const recipient = sealed.recipients[index]
  assert.ok(recipient)
  const { epoch, key } = epochs.addressed(change.jobId ?? jobId, (change.recipient ?? recipient).hint)
  return openRequest({ ...opening(epoch, key), jobId, recipient, sealedRequest: sealed.sealedRequest, ...change })
}

function opening(epoch: Epoch, { keyPair, replayGuard }: SealKey) {
  return { keyPair, replayGuard, statementDigest: epoch.statementDigest }
}

for (const suite of SEAL_SUITES) {
  describe(`a sealed request on the way (${suite})`, () => {
    let enclave: TestEnclave
    let other: TestEnclave

    beforeEach(() => {
      enclave = new TestEnclave()
      other = new TestEnclave()
    })

    it('opens once, at each enclave it is for: the control', () => {
      const job = sealTo([enclave.epoch, other.epoch], suite)
      for (const [index, one] of [enclave, other].entries()) {
        assert.equal(Buffer.from(deliver(one, job, index).plaintext).toString(), 'how deep is the sea?')
      }
    })

    it('is refused the second time in one epoch, whatever of it was changed meanwhile', () => {
      const job = sealTo([enclave.epoch], suite)
      deliver(enclave, job)
      const [recipient] = job.sealed.recipients
      assert.ok(recipient)
      for (const change of [
        {},
        { sealedRequest: sealTo([enclave.epoch], suite).sealed.sealedRequest },
        { recipient: { ...recipient, wrappedKey: new Uint8Array(48) } }
      ]) {
        assert.throws(() => deliver(enclave, job, 0, change), { code: 'SEAL_REPLAYED' })
      }
    })

    it('is refused by another enclave, also under a hint made for that one', () => {
      const job = sealTo([enclave.epoch], suite)
      assert.throws(() => deliver(other, job), { code: 'SEAL_WRONG_RECIPIENT' })
      const [recipient] = job.sealed.recipients
      assert.ok(recipient)
      const hint = recipientHint(other.epoch.keys[suite].keyId, job.jobId)
      assert.throws(() => deliver(other, job, 0, { recipient: { ...recipient, hint } }), { code: 'SEAL_OPEN_FAILED' })
    })

    it('is refused in the next epoch once its own is over, also under a hint made for that one', () => {
      const job = sealTo([enclave.epoch], suite)
      enclave.nowMs += EPOCH_MS
      const next = enclave.epoch
      assert.throws(() => deliver(enclave, job), { code: 'SEAL_WRONG_RECIPIENT' })
      const [recipient] = job.sealed.recipients
      assert.ok(recipient)
      const hint = recipientHint(next.keys[suite].keyId, job.jobId)
      assert.throws(() => deliver(enclave, job, 0, { recipient: { ...recipient, hint } }), {
        code: 'SEAL_OPEN_FAILED'
      })
    })

    it('stays refused after a new epoch began beside the one it was opened in', () => {
      const job = sealTo([enclave.epoch], suite)
      deliver(enclave, job)
      enclave.nowMs += EPOCH_MS / 2
      assert.equal(enclave.epochs.size, 1)
      void enclave.epoch
      assert.equal(enclave.epochs.size, 2)
      assert.throws(() => deliver(enclave, job), { code: 'SEAL_REPLAYED' })
    })

    it('is refused under another job id, another statement and another request', () => {
      const job = sealTo([enclave.epoch], suite)
      const [recipient] = job.sealed.recipients
      assert.ok(recipient)
      const jobId = new Uint8Array(16).fill(9)
      const hint = recipientHint(enclave.epoch.keys[suite].keyId, jobId)
      for (const change of [
        { jobId, recipient: { ...recipient, hint } },
        { statementDigest: new Uint8Array(32).fill(9) },
        { sealedRequest: sealTo([enclave.epoch], suite).sealed.sealedRequest }
      ]) {
        assert.throws(() => deliver(enclave, job, 0, change), { code: 'SEAL_OPEN_FAILED' })
      }
      deliver(enclave, job)
    })

    it('is refused with any bit of it or of its wrap changed', () => {
      const job = sealTo([enclave.epoch], suite)
      const [recipient] = job.sealed.recipients
      assert.ok(recipient)
      const { sealedRequest } = job.sealed
      const part = fc.constantFrom('request', 'enc', 'wrappedKey', 'hint')
      fc.assert(
        fc.property(part, fc.nat(), (name, at) => {
          const change =
            name === 'request'
              ? { sealedRequest: flip(sealedRequest, at) }
              : { recipient: { ...recipient, [name]: flip(recipient[name as 'enc'], at) } }
          const code = name === 'hint' ? 'SEAL_WRONG_RECIPIENT' : 'SEAL_OPEN_FAILED'
          assert.throws(() => deliver(enclave, job, 0, change), { code })
        }),
        { numRuns: 80 }
      )
      deliver(enclave, job)
    })
  })
}

/** What somebody on the way may do to the frames of an answer. */
type Attack =
  | { kind: 'swap' | 'splice' | 'replace'; at: number; from: number }
  | { kind: 'drop' | 'duplicate' | 'truncate'; at: number }
  | { kind: 'flip'; at: number; bit: number }
  | { kind: 'relabel'; at: number; from: number }

const place = fc.nat(1_000)
const attack: fc.Arbitrary<Attack> = fc.oneof(
  fc.record({ kind: fc.constantFrom('swap' as const, 'splice' as const, 'replace' as const), at: place, from: place }),
  fc.record({ kind: fc.constantFrom('drop' as const, 'duplicate' as const, 'truncate' as const), at: place }),
  fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.oneof(fc.nat(), fc.nat(39)) }),
  fc.record({ kind: fc.constant('relabel' as const), at: place, from: place })
)

describe('a sealed answer on the way', () => {
  const enclave = new TestEnclave()
  const other = new TestEnclave()

  /** Frames of an answer to a job of its own, and what opens them. */
  function answer(texts: readonly string[], at = enclave, index = 0, job = sealTo([at.epoch], 'x25519')) {
    const { responseKey } = deliver(at, job, index)
    const sealer = responseSealer(responseKey, job.jobId)
    const frames = texts.flatMap((text, i) => sealer.seal(Buffer.from(text), i === texts.length - 1))
    const key = job.sealed.responseKeys[index]
    assert.ok(key)
    return { frames, jobId: job.jobId, key }
  }

  /** As a client reads: until the stream ends or a frame is refused. */
  function read(frames: readonly Uint8Array[], { jobId, key }: Pick<ReturnType<typeof answer>, 'jobId' | 'key'>) {
    const opener = responseOpener(key, jobId)
    let opened = 0
    try {
      for (const frame of frames) {
        opener.open(frame)
        opened++
      }
      opener.expectFinished()
      return { opened, code: undefined }
    } catch (err) {
      return { opened, code: errorCode(err) }
    }
  }

  const texts = fc.array(fc.string({ maxLength: 20 }), { minLength: 2, maxLength: 8 })

  it('reads to its end when nobody touched it: the control', () => {
    fc.assert(
      fc.property(texts, said => {
        const mine = answer(said)
        assert.deepEqual(read(mine.frames, mine), { opened: said.length, code: undefined })
      }),
      { numRuns: 20 }
    )
  })

  it('is refused, with the code of what was done, at the first frame that is not the next one', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(texts, texts, attack, (said, foreign, what) => {
        const mine = answer(said)
        const theirs = answer(foreign)
        const { frames, from, code } = attacked(mine.frames, theirs.frames, what)
        fc.pre(code !== undefined)
        assert.deepEqual(read(frames, mine), { opened: from, code })
        seen.add(what.kind)
      }),
      { numRuns: 400 }
    )
    assert.equal(seen.size, 8, `only ${[...seen].join(', ')} were tried`)
  })

  it('is refused from an enclave that opened the same request but was not chosen', () => {
    const job = sealTo([enclave.epoch, other.epoch], 'x25519')
    const mine = answer(['one', 'two'], enclave, 0, job)
    const theirs = answer(['one', 'two'], other, 1, job)
    assert.deepEqual(read(theirs.frames, mine), { opened: 0, code: 'SEAL_FRAME_FORGED' })
    assert.deepEqual(read(mine.frames, mine), { opened: 2, code: undefined })
  })

  it('is refused frame by frame with any one bit changed, wherever it is', () => {
    const mine = answer(['a', 'b', 'c'])
    for (const [at, frame] of mine.frames.entries()) {
      for (let bit = 0; bit < frame.byteLength * 8; bit += at + 7) {
        const { opened, code } = read(mine.frames.with(at, flip(frame, bit)), mine)
        assert.equal(opened, at)
        assert.ok(code?.startsWith('SEAL_FRAME_'), `${code}`)
      }
    }
  })
})

/** The frames after the attack, how many of them are still good, and how the next one is refused; no code, no change. */
function attacked(
  mine: readonly Uint8Array[],
  theirs: readonly Uint8Array[],
  what: Attack
): { frames: Uint8Array[]; from: number; code: string | undefined } {
  const at = what.at % mine.length
  const last = mine.length - 1
  const frames = [...mine]
  const frame = mine[at] as Uint8Array
  switch (what.kind) {
    case 'swap': {
      const with_ = what.from % mine.length
      frames[at] = mine[with_] as Uint8Array
      frames[with_] = frame
      return { frames, from: Math.min(at, with_), code: at === with_ ? undefined : 'SEAL_FRAME_MISSING' }
    }
    case 'drop':
      frames.splice(at, 1)
      return { frames, from: at, code: at === last ? 'SEAL_ANSWER_TRUNCATED' : 'SEAL_FRAME_MISSING' }
    case 'duplicate':
      frames.splice(at, 0, frame)
      return { frames, from: at + 1, code: at === last ? 'SEAL_FRAME_AFTER_FINAL' : 'SEAL_FRAME_REPEATED' }
    case 'truncate':
      return { frames: frames.slice(0, at), from: at, code: 'SEAL_ANSWER_TRUNCATED' }
    case 'replace':
    case 'splice': {
      // Made to fit by its clear header, so that only the seal is in the way.
      const spot = what.kind === 'splice' ? what.at % (mine.length + 1) : at
      const foreign = relabelled(theirs[what.from % theirs.length] as Uint8Array, spot)
      frames.splice(spot, what.kind === 'splice' ? 0 : 1, foreign)
      return { frames, from: spot, code: spot > last ? 'SEAL_FRAME_AFTER_FINAL' : 'SEAL_FRAME_FORGED' }
    }
    case 'relabel': {
      const source = what.from % mine.length
      frames[at] = relabelled(mine[source] as Uint8Array, at)
      return { frames, from: at, code: source === at ? undefined : 'SEAL_FRAME_FORGED' }
    }
    case 'flip': {
      const bit = what.bit % (frame.byteLength * 8)
      const changed = flip(frame, bit)
      frames[at] = changed
      const counter = new DataView(changed.buffer, changed.byteOffset).getUint32(1)
      const code = counter > at ? 'SEAL_FRAME_MISSING' : counter < at ? 'SEAL_FRAME_REPEATED' : 'SEAL_FRAME_FORGED'
      return { frames, from: at, code }
    }
  }
}

function relabelled(frame: Uint8Array, counter: number): Uint8Array {
  const copy = frame.slice()
  new DataView(copy.buffer).setUint32(1, counter)
  return copy
}

function flip(value: Uint8Array, at: number): Uint8Array {
  const bit = at % (value.byteLength * 8)
  return value.with(bit >> 3, (value[bit >> 3] ?? 0) ^ (1 << (bit & 7)))
}
