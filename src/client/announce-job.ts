import { anySignal } from '../core/abort.ts'
import { fromHex } from '../core/bytes.ts'
import type { OfferPolicy, PriceCap } from '../market/index.ts'
import type { Mesh } from '../mesh/index.ts'
import { type ResponseKey, sealRequest } from '../seal/index.ts'
import { encodeAnnouncement, type Recipient, type SealedBody } from '../wire/announcement.ts'
import { LIMITS } from '../wire/limits.ts'
import type { AttestedPeer } from './attested-peers.ts'
import type { OfferDesk, TakenOffer } from './offer-desk.ts'

/** A request sealed to some enclaves, as it travels. */
export interface SealedJob {
  jobId: Uint8Array
  /** SHA-256 of the sealed request: what a receipt names it by. */
  requestDigest: Uint8Array
  body: SealedBody
  sealedRequest: Uint8Array
  peers: ReadonlyArray<{ peer: AttestedPeer; recipient: Recipient; responseKey: ResponseKey }>
}

/** Seals `plaintext` once, and its key to each enclave. */
export function sealJob(jobId: Uint8Array, plaintext: Uint8Array, peers: readonly AttestedPeer[]): SealedJob {
  const { sealedRequest, requestDigest, recipients, responseKeys } = sealRequest({
    jobId,
    plaintext,
    recipients: peers.map(({ enclave }) => enclave)
  })
  const body: SealedBody =
    sealedRequest.byteLength <= LIMITS.announcedRequestBytes
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
