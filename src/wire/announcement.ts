import { type NanoTon, nanoTon } from '../core/nano-ton.ts'
import { decodeWire, requireBytes, requireField, requireText } from './check.ts'
import { JobAnnouncement as Wire } from './generated/job.ts'
import { LIMITS } from './limits.ts'
import { WIRE_VERSION } from './protocols.ts'

/** The content key wrapped for one enclave. */
export interface Recipient {
  /** First 8 bytes of SHA-256(enclave key id ‖ job id). */
  hint: Uint8Array
  /** HPKE encapsulated key. */
  enc: Uint8Array
  /** HPKE ciphertext of the content key. */
  wrappedKey: Uint8Array
}

/** The sealed request itself, or what to expect on the job stream when it is too large for gossip. */
export type SealedBody =
  | { readonly kind: 'inline'; readonly sealedRequest: Uint8Array }
  | { readonly kind: 'later'; readonly sizeBytes: number; readonly digest: Uint8Array }

/** A job as it is gossiped on its model's topic (design §4, step 2). */
export interface JobAnnouncement {
  jobId: Uint8Array
  modelDigest: Uint8Array
  maxCompletionTokens: number
  /** The most the client pays, in nanotons per million tokens. */
  maxPromptPerMTokens: NanoTon
  maxCompletionPerMTokens: NanoTon
  /** Required TEE tier. */
  tier: string
  /** Unix milliseconds after which no offer counts. */
  deadlineMs: number
  recipients: Recipient[]
  body: SealedBody
}

const NAME = 'Job announcement'

export function encodeAnnouncement(job: JobAnnouncement): Uint8Array {
  return Wire.encode({
    version: WIRE_VERSION,
    jobId: job.jobId,
    modelDigest: job.modelDigest,
    maxCompletionTokens: job.maxCompletionTokens,
    maxPromptPerMTokens: job.maxPromptPerMTokens,
    maxCompletionPerMTokens: job.maxCompletionPerMTokens,
    tier: job.tier,
    deadlineMs: BigInt(job.deadlineMs),
    recipients: job.recipients,
    ...encodeBody(job.body)
  })
}

/** @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED` */
export function decodeAnnouncement(bytes: Uint8Array): JobAnnouncement {
  const wire = decodeWire(NAME, bytes, LIMITS.announcementBytes, b =>
    Wire.decode(b, { limits: { recipients: LIMITS.recipients } })
  )
  requireField(NAME, 'version', wire.version === WIRE_VERSION, `${WIRE_VERSION}`)
  requireBytes(NAME, 'jobId', wire.jobId, LIMITS.jobIdBytes)
  requireBytes(NAME, 'modelDigest', wire.modelDigest, LIMITS.digestBytes)
  requireText(NAME, 'tier', wire.tier, 32)
  requireField(NAME, 'deadlineMs', wire.deadlineMs <= BigInt(Number.MAX_SAFE_INTEGER), 'a safe integer')
  requireField(NAME, 'recipients', wire.recipients.length > 0, 'at least one')
  return {
    jobId: wire.jobId,
    modelDigest: wire.modelDigest,
    maxCompletionTokens: wire.maxCompletionTokens,
    maxPromptPerMTokens: nanoTon(wire.maxPromptPerMTokens),
    maxCompletionPerMTokens: nanoTon(wire.maxCompletionPerMTokens),
    tier: wire.tier,
    deadlineMs: Number(wire.deadlineMs),
    recipients: wire.recipients.map(recipient => checkRecipient(NAME, recipient)),
    body: decodeBody(NAME, wire, LIMITS.announcedRequestBytes)
  }
}

/** Checks the sizes of one wrapped key of a message called `name`. */
export function checkRecipient(name: string, recipient: Recipient): Recipient {
  requireBytes(name, 'recipient hint', recipient.hint, LIMITS.hintBytes)
  requireBytes(name, 'recipient wrappedKey', recipient.wrappedKey, LIMITS.wrappedKeyBytes)
  const sizes: readonly number[] = LIMITS.encBytes
  requireField(name, 'recipient enc', sizes.includes(recipient.enc.byteLength), `${sizes.join(' or ')} bytes`)
  return recipient
}

interface WireBody {
  sealedRequest: Uint8Array
  sealedSize: number
  sealedDigest: Uint8Array
}

export function encodeBody(body: SealedBody): WireBody {
  return body.kind === 'inline'
    ? { sealedRequest: body.sealedRequest, sealedSize: 0, sealedDigest: new Uint8Array(0) }
    : { sealedRequest: new Uint8Array(0), sealedSize: body.sizeBytes, sealedDigest: body.digest }
}

/** Reads either form of a sealed body; `inlineMaxBytes` bounds the first. */
export function decodeBody(name: string, wire: WireBody, inlineMaxBytes: number): SealedBody {
  if (wire.sealedSize === 0) {
    const { byteLength } = wire.sealedRequest
    requireField(name, 'sealedRequest', byteLength > 0 && byteLength <= inlineMaxBytes, `1 to ${inlineMaxBytes} bytes`)
    return { kind: 'inline', sealedRequest: wire.sealedRequest }
  }
  requireField(name, 'sealedRequest', wire.sealedRequest.byteLength === 0, 'empty when sealedSize is set')
  requireField(name, 'sealedSize', wire.sealedSize <= LIMITS.sealedRequestBytes, `at most ${LIMITS.sealedRequestBytes}`)
  requireBytes(name, 'sealedDigest', wire.sealedDigest, LIMITS.digestBytes)
  return { kind: 'later', sizeBytes: wire.sealedSize, digest: wire.sealedDigest }
}
