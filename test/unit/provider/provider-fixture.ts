import { encodeStatement, makeSimulatedEvidence, reportData } from '../../../src/attest/index.ts'
import type { AbortOptions } from '../../../src/core/abort.ts'
import { sha256, toHex } from '../../../src/core/bytes.ts'
import { ed25519Sign } from '../../../src/core/ed25519.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import type { TokenPrices } from '../../../src/core/price.ts'
import { EnclaveIdentity, type EnclaveIdentityComponents } from '../../../src/provider/enclave-identity.ts'
import { recipientHint } from '../../../src/seal/index.ts'
import type { JobAnnouncement, Recipient } from '../../../src/wire/announcement.ts'
import { peerKeys, STATEMENT } from '../attest/fixtures.ts'
import { ManualClock } from '../mesh/samples.ts'

export const MODEL_DIGEST = new Uint8Array(32).fill(0xaa)
export const HPKE_KEY = new Uint8Array(32).fill(0x11)

/** One nanoton a completion token, prompts for nothing. */
export const PRICES: TokenPrices = {
  promptPerMTokens: nanoTon(0n),
  cachedPromptPerMTokens: nanoTon(0n),
  completionPerMTokens: nanoTon(1_000_000n)
}

/** An enclave that shows one statement until the test gives it another key. */
export class FakeAttester {
  readonly clock = new ManualClock()
  hpkeKey: Uint8Array = HPKE_KEY
  lifeMs = 3_600_000
  calls: Array<{
    peerId: Uint8Array
    globalId: number
    beaconHeight: number
    beaconHash: Uint8Array
    challenge?: Uint8Array
  }> = []

  /** Waits before each statement. */
  before: (options: AbortOptions) => Promise<void> = async () => undefined

  identity(): EnclaveIdentity {
    return new EnclaveIdentity(this.components())
  }

  components(): EnclaveIdentityComponents {
    return {
      logger: silentLogger,
      clock: this.clock,
      enclave: {
        attest: async (input, options = {}) => {
          this.calls.push(input)
          await this.before(options)
          const now = this.clock.nowMs()
          const document = {
            ...STATEMENT,
            hpkeKey: toHex(this.hpkeKey),
            notBeforeMs: now,
            notAfterMs: now + this.lifeMs,
            beacon: { globalId: input.globalId, height: input.beaconHeight, hash: toHex(input.beaconHash) }
          }
          const statement = encodeStatement(document)
          const evidence = makeSimulatedEvidence({
            bundleDigest: Buffer.from(document.software.bundleDigest, 'hex'),
            reportData: reportData(statement, input.challenge ?? document.beacon)
          })
          return { statement, evidence }
        }
      },
      mesh: { peerIdBytes: Uint8Array.of(1, 2), sign: message => ed25519Sign(peerKeys.privateKey, message) },
      evidence: { complete: async raw => raw },
      chain: { globalId: -3, tip: async () => ({ height: 1_000, hash: new Uint8Array(32).fill(0xee) }) }
    }
  }
}

export function recipientOf(hpkeKey: Uint8Array, jobId: Uint8Array): Recipient {
  return {
    hint: recipientHint(sha256(hpkeKey), jobId),
    enc: new Uint8Array(32).fill(1),
    wrappedKey: new Uint8Array(48)
  }
}

export function announcement(clock: ManualClock, changes: Partial<JobAnnouncement> = {}): JobAnnouncement {
  const jobId = changes.jobId ?? new Uint8Array(16).fill(7)
  return {
    jobId,
    modelDigest: MODEL_DIGEST,
    maxCompletionTokens: 100,
    maxPromptPerMTokens: nanoTon(1_000_000n),
    maxCompletionPerMTokens: nanoTon(1_000_000n),
    tier: 'simulated',
    deadlineMs: clock.nowMs() + 8_000,
    recipients: [recipientOf(HPKE_KEY, jobId)],
    body: { kind: 'inline', sealedRequest: Uint8Array.of(1, 2, 3) },
    ...changes
  }
}
