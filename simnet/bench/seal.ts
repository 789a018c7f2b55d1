import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import {
  FRAME_PAYLOAD_BYTES,
  generateSealKeyPair,
  ResponseKey,
  responseOpener,
  responseSealer,
  SEAL_SUITES,
  type SealSuite,
  setupRecipient,
  setupSender
} from '../../src/seal/index.ts'
import { median, round } from './statistics.ts'

const FRAMES = 2_000
const FRAME_BYTES = 512
const WRAPS = 100
const ROUNDS = 9

/**
 * Microseconds for a frame of an answer, counted in and checked out with everything around its encryption, beside plain
 * AES-256-GCM of as many bytes in the same run; and for wrapping a content key in each suite. Medians of nine rounds.
 */
export function benchSeal(): Record<string, Record<string, number>> {
  // A first round that does not count: what compiles while it runs is not what runs.
  timeFrames()
  const rounds = Array.from({ length: ROUNDS }, timeFrames)
  const middle = (pick: (times: ReturnType<typeof timeFrames>) => number): number => median(rounds.map(pick))
  const [seal, open] = [middle(times => times.seal), middle(times => times.open)]
  return {
    frame: {
      sealMicros: round(seal),
      openMicros: round(open),
      sealOverRaw: round(median(rounds.map(times => times.seal / times.rawSeal))),
      openOverRaw: round(median(rounds.map(times => times.open / times.rawOpen)))
    },
    ...Object.fromEntries(SEAL_SUITES.map(suite => [suite, timeWraps(suite)]))
  }
}

function timeFrames(): { seal: number; open: number; rawSeal: number; rawOpen: number } {
  const jobId = randomBytes(16)
  const secret = randomBytes(44)
  const sealer = responseSealer(new ResponseKey(secret), jobId)
  const opener = responseOpener(new ResponseKey(secret), jobId)
  const payload = randomBytes(FRAME_PAYLOAD_BYTES)
  const frames: Uint8Array[] = []
  const seal = micros(FRAMES, () => frames.push(...sealer.seal(payload, false)))
  const open = micros(FRAMES, at => opener.open(frames[at] as Uint8Array))

  const plaintext = randomBytes(FRAME_BYTES)
  const sealed: Array<{ bytes: Buffer; tag: Buffer }> = []
  const rawSeal = micros(FRAMES, at => {
    const cipher = createCipheriv('aes-256-gcm', secret.subarray(0, 32), nonce(at))
    const bytes = cipher.update(plaintext)
    cipher.final()
    sealed.push({ bytes, tag: cipher.getAuthTag() })
  })
  const rawOpen = micros(FRAMES, at => {
    const { bytes, tag } = sealed[at] as { bytes: Buffer; tag: Buffer }
    const decipher = createDecipheriv('aes-256-gcm', secret.subarray(0, 32), nonce(at))
    decipher.setAuthTag(tag)
    decipher.update(bytes)
    decipher.final()
  })
  return { seal, open, rawSeal, rawOpen }
}

/** HPKE contexts of both ends, each with one message. */
function timeWraps(suite: SealSuite): Record<string, number> {
  const none = new Uint8Array(0)
  const contentKey = randomBytes(32)
  const keyPair = generateSealKeyPair(suite)
  const wrap = () => {
    const context = setupSender(keyPair.publicKey, none, { suite })
    return { enc: context.enc, sealed: context.seal(none, contentKey) }
  }
  const wrapped = Array.from({ length: WRAPS }, wrap)
  const wraps = Array.from({ length: ROUNDS }, () => micros(WRAPS, wrap))
  const unwraps = Array.from({ length: ROUNDS }, () =>
    micros(WRAPS, at => {
      const { enc, sealed } = wrapped[at] as ReturnType<typeof wrap>
      setupRecipient(enc, keyPair, none).open(none, sealed)
    })
  )
  return { wrapMicros: round(median(wraps), 0), unwrapMicros: round(median(unwraps), 0) }
}

function nonce(at: number): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt32BE(at, 8)
  return bytes
}

/** Of one of so many runs, on average. */
function micros(runs: number, task: (at: number) => unknown): number {
  const startMs = performance.now()
  for (let at = 0; at < runs; at++) {
    task(at)
  }
  return ((performance.now() - startMs) * 1_000) / runs
}
