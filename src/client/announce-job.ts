import { anySignal } from '../core/abort.ts'
import { fromHex } from '../core/bytes.ts'
import type { OfferPolicy, PriceCap } from '../market/index.ts'
import type { Mesh } from '../mesh/index.ts'
import { type ResponseKey, type SealSuite, sealRequest } from '../seal/index.ts'
import { encodeAnnouncement, type Recipient, type SealedBody } from '../wire/announcement.ts'
import { LIMITS } from '../wire/limits.ts'
import type { AttestedPeer } from './attested-peers.ts'
import type { OfferDesk, TakenOffer } from './offer-desk.ts'
import { sealTarget } from './seal-target.ts'

/** A request sealed to some enclaves, as it travels. */
export interface SealedJob {
  jobId: Uint8Array
  /** SHA-256 of the sealed request: what a receipt names it by. */
  requestDigest: Uint8Array
  body: SealedBody
  sealedRequest: Uint8Array
  peers: ReadonlyArray<{ peer: AttestedPeer; recipient: Recipient; responseKey: ResponseKey }>
}

/**
 * Seals `plaintext` once, and its key to each enclave in one suite.
 *
 * @throws {PeerError} `SUITE_NOT_OFFERED`
 * @throws {AttestationError} `ATTESTATION_XWING_KEY_MISMATCH`
 */
export function sealJob(
  jobId: Uint8Array,
  plaintext: Uint8Array,
  peers: readonly AttestedPeer[],
  suite: SealSuite = 'x25519'
): SealedJob {
  const { sealedRequest, requestDigest, recipients, responseKeys } = sealRequest({
    jobId,
    plaintext,
    recipients: peers.map(peer => sealTarget(peer, suite))
  })
  const body: SealedBody =
    sealedRequest.byteLength <= inlineLimit(suite)
      ? { kind: 'inline', sealedRequest }
      : { kind: 'later', sizeBytes: sealedRequest.byteLength, digest: requestDigest }
  return {
    jobId,
    requestDigest,
    body,
    sealedRequest,
    peers: peers.map((peer, at) => ({
      peer,
      recipient: recipients[at] as Recipient,
      responseKey: responseKeys[at] as ResponseKey
    }))
  }
}

// By the suite alone, so that it tells nothing more: with its wraps the largest body still fits an announcement.
function inlineLimit(suite: SealSuite): number {
  return suite === 'xwing' ? LIMITS.announcedXWingRequestBytes : LIMITS.announcedRequestBytes
}

export interface AnnounceInit {
  modelDigestHex: string
  maxCompletionTokens: number
  maxPrices: PriceCap
  tier: string
  deadlineMs: number
  timeoutMs: number
  policy: OfferPolicy
  signal?: AbortSignal
}

/**
 * Gossips the job and waits for an offer that can be taken (design §4, steps 2–4).
 *
 * @throws {NetworkError} `NO_OFFER`, or `NO_GOSSIP_PEERS` if nobody listens on the model's topic
 */
export async function announceJob(
  mesh: Mesh,
  desk: OfferDesk,
  job: SealedJob,
  init: AnnounceInit
): Promise<TakenOffer> {
  const invited = new Set(job.peers.map(({ peer }) => peer.peerId))
  const call = desk.call(job.jobId, invited, init.policy, {
    timeoutMs: init.timeoutMs,
    ...(init.signal === undefined ? {} : { signal: init.signal })
  })
  try {
    const bytes = encodeAnnouncement({
      jobId: job.jobId,
      modelDigest: fromHex(init.modelDigestHex, LIMITS.digestBytes),
      maxCompletionTokens: init.maxCompletionTokens,
      maxPromptPerMTokens: init.maxPrices.promptPerMTokens,
      maxCompletionPerMTokens: init.maxPrices.completionPerMTokens,
      tier: init.tier,
      deadlineMs: init.deadlineMs,
      recipients: job.peers.map(({ recipient }) => recipient),
      body: job.body
    })
    await mesh.announceJob(init.modelDigestHex, bytes, { signal: anySignal(init.signal) })
    return await call.offer
  } finally {
    call.close()
  }
}
