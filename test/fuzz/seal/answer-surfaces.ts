import assert from 'node:assert/strict'
import { sha256, toHex } from '../../../src/core/bytes.ts'
import { aesGcmSeal } from '../../../src/seal/aes-gcm.ts'
import { counterNonce } from '../../../src/seal/counter-nonce.ts'
import { ResponseKey, responseOpener, responseSealer } from '../../../src/seal/index.ts'
import { padFrame } from '../../../src/seal/padding.ts'
import { type AnswerEvent, decodeAnswerEvent, encodeAnswerEvent } from '../../../src/wire/answer-event.ts'
import { decodeJobDown, encodeJobDown } from '../../../src/wire/job-stream.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import { mutate } from '../mutate.ts'
import { mutateLayout } from '../mutate-fields.ts'
import type { FuzzRandom } from '../random.ts'
import type { Surface } from '../surface.ts'
import { hostileStream } from './hostile-frames.ts'

const JOB_ID = sha256('fuzz answer').slice(0, 16)
const SECRETS = ['one', 'two'].map(
  name => new Uint8Array(Buffer.concat([sha256(name), sha256(name, 'nonce').slice(0, 12)]))
)
const USAGE = { promptTokens: 10, cachedPromptTokens: 0, completionTokens: 3 }

/** An answer that an enclave sealed. */
interface SeedAnswer {
  readonly frames: readonly Uint8Array[]
  readonly payloads: readonly Uint8Array[]
  readonly chainHash: string
}

/** Sealed answers on their way through a host that may do anything with them, and what is in them. */
export function answerSurfaces(): Surface[] {
  const answers = SECRETS.map(seedAnswer)
  const events: readonly AnswerEvent[] = [
    { type: 'text', text: new Uint8Array(Buffer.from('héllo')) },
    { type: 'end', finishReason: 'stop' },
    { type: 'end', finishReason: 'content_filter' }
  ]
  const encoded = events.map(encodeAnswerEvent)
  return [
    {
      name: 'frames',
      weight: 60,
      feed: random => {
        const [answer, other] = answers
        assert.ok(answer && other)
        return openAll(random, answer, shuffled(random, answer, other))
      }
    },
    {
      name: 'answer-stream',
      weight: 40,
      feed: async random => {
        const [answer, other] = answers
        assert.ok(answer && other)
        const sent = shuffled(random, answer, other).map(sealed =>
          encodeJobDown({ type: 'chunk', sealed, usage: USAGE })
        )
        const stream = hostileStream(random, sent, LIMITS.jobFrameBytes)
        const arrived: Uint8Array[] = []
        for (let frame = await stream.read(); frame !== undefined; frame = await stream.read()) {
          const message = decodeJobDown(frame)
          if (message.type === 'chunk') {
            arrived.push(message.sealed)
          }
        }
        return openAll(random, answer, arrived)
      }
    },
    {
      name: 'hostile-enclave',
      weight: 45,
      feed: random => {
        const secret = SECRETS[0] ?? new Uint8Array()
        const plaintext = mutateLayout(
          random,
          [
            {
              bytes: padFrame(random.bytes(random.below(511))),
              numbers: [
                [0, 2],
                [2, 2],
                [510, 2]
              ]
            }
          ],
          true
        )
        const final = random.below(2) === 0
        const aad = Buffer.concat([Buffer.from('cocoon/answer-frame/v1'), JOB_ID, Uint8Array.of(final ? 1 : 0)])
        const body = aesGcmSeal(secret.slice(0, 32), counterNonce(secret.slice(32), 0), aad, plaintext)
        const opener = responseOpener(new ResponseKey(secret), JOB_ID)
        const { bytes } = opener.open(new Uint8Array(Buffer.concat([Uint8Array.of(final ? 1 : 0, 0, 0, 0, 0), body])))
        assert.deepEqual(padFrame(bytes), new Uint8Array(plaintext), 'a frame has two paddings')
        return `opened ${decodeAnswerEvent(bytes)?.type}`
      }
    },
    {
      name: 'answer-event',
      weight: 80,
      feed: random => {
        const { bytes } = mutate(random, encoded)
        const event = decodeAnswerEvent(bytes)
        assert.deepEqual(
          Buffer.from(event === undefined ? [] : encodeAnswerEvent(event)),
          Buffer.from(bytes),
          'an event has two encodings'
        )
        return `read ${event?.type}`
      }
    }
  ]
}

function seedAnswer(secret: Uint8Array, index: number): SeedAnswer {
  const sealer = responseSealer(new ResponseKey(secret), JOB_ID)
  const texts = ['It is', ' deep.', 'x'.repeat(700), ''].map(text => new Uint8Array(Buffer.from(`${text}${index}`)))
  const frames = texts.flatMap((text, i) => sealer.seal(text, i === texts.length - 1))
  const opener = responseOpener(new ResponseKey(secret), JOB_ID)
  const payloads = frames.map(frame => opener.open(frame).bytes)
  return { frames, payloads, chainHash: toHex(sealer.chainHash) }
}

/** Frames cut out, repeated, exchanged, changed, or of another answer. */
function shuffled(random: FuzzRandom, answer: SeedAnswer, other: SeedAnswer): Uint8Array[] {
  const frames = [...answer.frames]
  for (let count = random.below(4); count > 0; count--) {
    const at = random.below(frames.length + 1)
    switch (random.below(7)) {
      case 0:
        frames.splice(at, 1)
        break
      case 1:
        frames.splice(at, 0, random.pick(answer.frames))
        break
      case 2:
        frames.splice(at, 1, random.pick(other.frames))
        break
      case 3:
        frames.length = Math.min(at, frames.length)
        break
      case 4: {
        // Its header, of which only the nonce and the associated data are a witness.
        const frame = Uint8Array.from(frames[at] ?? answer.frames[0] ?? [])
        frame[random.below(5)] = random.pick([0, 1, 2, 255])
        frames.splice(at, 1, frame)
        break
      }
      default:
        frames.splice(at, 1, mutate(random, [frames[at] ?? random.pick(answer.frames)]).bytes)
    }
  }
  return frames
}

/** Opens what came, in its order. A frame that is refused changes nothing: the genuine one may still come. */
function openAll(random: FuzzRandom, answer: SeedAnswer, frames: readonly Uint8Array[]): string {
  const opener = responseOpener(new ResponseKey(SECRETS[0] ?? new Uint8Array()), JOB_ID)
  const patient = random.below(2) === 0
  let opened = 0
  for (const frame of frames) {
    try {
      const { bytes, final } = opener.open(frame)
      assert.deepEqual(bytes, answer.payloads[opened], 'a frame opened that was not the next')
      assert.equal(final, opened === answer.frames.length - 1)
      assert.deepEqual(Buffer.from(frame), Buffer.from(answer.frames[opened] ?? []), 'a changed frame opened')
      opened++
    } catch (err) {
      if (!patient || err instanceof assert.AssertionError) {
        throw err
      }
    }
  }
  opener.expectFinished()
  assert.equal(opened, answer.frames.length, 'an answer ended that is not whole')
  assert.equal(toHex(opener.chainHash), answer.chainHash, 'an answer has another chain')
  opener.wipe()
  return 'whole'
}
