import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { readCollateral } from '../../src/attest/tdx/collateral.ts'
import { TdxVerifier } from '../../src/attest/tdx/verifier.ts'
import type { AttestationCase } from './attestation-cases.ts'

const FULL_ROUNDS = 200
const CACHED_ROUNDS = 400
/** Too short to be timed one by one. */
const CACHED_BATCH = 100
const RAW_ROUNDS = 2_000

export interface Speed {
  /** Median milliseconds of a verification from nothing. */
  fullMs: number
  /** Of one that was made before, over the same objects. */
  cachedMs: number
  /** Of one raw P-256 signature check of `node:crypto` in the same run. */
  rawVerifyMs: number
}

/** Times a case that is accepted. */
export function measureSpeed({
  quote,
  collateral,
  nowMs
}: Pick<AttestationCase, 'quote' | 'collateral' | 'nowMs'>): Speed {
  const input = { quote, collateral: readCollateral(collateral), nowMs }
  const fullMs = median(FULL_ROUNDS, () => {
    // Parsed anew: what was read before remembers its digest.
    new TdxVerifier(1).verifyTdx({ ...input, collateral: readCollateral({ ...input.collateral }) })
  })
  const verifier = new TdxVerifier()
  verifier.verifyTdx(input)
  const batchMs = median(CACHED_ROUNDS, () => {
    for (let i = 0; i < CACHED_BATCH; i++) {
      verifier.verifyTdx(input)
    }
  })
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const message = randomBytes(632)
  const signature = sign('sha256', message, privateKey)
  const rawVerifyMs = median(RAW_ROUNDS, () => verify('sha256', message, publicKey, signature))
  return { fullMs, cachedMs: batchMs / CACHED_BATCH, rawVerifyMs }
}

function median(rounds: number, work: () => unknown): number {
  const times = Array.from({ length: rounds }, () => {
    const startedMs = performance.now()
    work()
    return performance.now() - startedMs
  })
  return times.toSorted((a, b) => a - b)[rounds >> 1] ?? Number.NaN
}
