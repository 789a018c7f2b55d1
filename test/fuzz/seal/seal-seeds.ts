import { sha256 } from '../../../src/core/bytes.ts'
import type { Random } from '../../../src/core/random.ts'
import { type HpkeKeyPair, type SealedRequest, type SealSuite, sealRequest } from '../../../src/seal/index.ts'
import { deriveHpkeKeyPair } from '../../../src/seal/x25519-kem.ts'
import { xwingKeyPair } from '../../../src/seal/xwing-kem.ts'
import { encodeJobRequest } from '../../../src/wire/job-request.ts'
import { FuzzRandom } from '../random.ts'

/** A job that was sealed to an enclave whose keys are known here. */
export interface SeedJob {
  readonly suite: SealSuite
  readonly keyPair: HpkeKeyPair
  readonly statementDigest: Uint8Array
  readonly jobId: Uint8Array
  readonly plaintext: Uint8Array
  readonly sealed: SealedRequest
}

/** Jobs of both suites and several sizes, the same in every run. */
export function seedJobs(): SeedJob[] {
  const x25519 = deriveHpkeKeyPair(sha256('fuzz x25519'))
  const xwing = xwingKeyPair(sha256('fuzz xwing'))
  const questions = ['how deep is the sea?', 'and the sky? '.repeat(100), 'x'.repeat(9_000)]
  return [x25519, x25519, x25519, xwing].map((keyPair, i) => seedJob(keyPair, i, questions[i] ?? 'why?'))
}

function seedJob(keyPair: HpkeKeyPair, index: number, question: string): SeedJob {
  const jobId = sha256(`fuzz job ${index}`).slice(0, 16)
  const statementDigest = sha256('fuzz statement')
  const plaintext = encodeJobRequest({
    messages: [{ role: 'user', content: question }],
    maxTokens: 64,
    temperature: 0.5,
    stop: ['\n']
  })
  const target = { suite: keyPair.suite, hpkePublicKey: keyPair.publicKey, statementDigest }
  const sealed = sealRequest({ jobId, plaintext, recipients: [target], random: seededRandom(index) })
  return { suite: keyPair.suite, keyPair, statementDigest, jobId, plaintext, sealed }
}

/** Randomness that is the same in every run. */
export function seededRandom(seed: number): Random {
  const random = new FuzzRandom(seed, 7)
  return { bytes: length => random.bytes(length) }
}
