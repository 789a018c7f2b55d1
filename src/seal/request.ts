import { timingSafeEqual } from 'node:crypto'
import { sha256 } from '../core/bytes.ts'
import { PeerError, UsageError } from '../core/errors.ts'
import { type Random, systemRandom } from '../core/random.ts'
import { aesGcmOpen, aesGcmSeal, KEY_BYTES, TAG_BYTES } from './aes-gcm.ts'
import { NONCE_BYTES } from './counter-nonce.ts'
import { setupRecipient, setupSender } from './hpke.ts'
import type { HpkeKeyPair, SealSuite } from './kem.ts'
import { expectLength } from './length.ts'
import { isRequestSize, padRequest, unpadRequest } from './padding.ts'
import { enclaveKeyId, HINT_BYTES, recipientHint } from './recipient-hint.ts'
import type { ReplayGuard } from './replay-guard.ts'
import { exportResponseKey, type ResponseKey } from './response-key.ts'
import { KEMS } from './suites.ts'
import { wipe } from './wipe.ts'

/** Bytes of a job id. */
export const JOB_ID_BYTES = 16
const DIGEST_BYTES = 32
const WRAPPED_KEY_BYTES = KEY_BYTES + TAG_BYTES

const REQUEST_DOMAIN = Buffer.from('cocoon/request/v1')
const COMMITMENT_DOMAIN = Buffer.from('cocoon/request-key/v1')
const INFO_DOMAIN = Buffer.from('cocoon/hpke/v1')
const WRAP_DOMAIN = Buffer.from('cocoon/wrap/v1')

/** Bytes that sealing adds to a padded request: key commitment and tag. */
const OVERHEAD_BYTES = DIGEST_BYTES + TAG_BYTES

// A content key is random and seals exactly one message, so its nonce cannot repeat whatever it is.
const SINGLE_USE_NONCE = new Uint8Array(NONCE_BYTES)

/** The content key wrapped for one enclave: the wire's `Recipient`. */
export interface WrappedRecipient {
  /** {@link recipientHint}, 8 bytes. */
  hint: Uint8Array
  /** HPKE encapsulated key: 32 bytes of X25519, 1,120 of X-Wing. */
  enc: Uint8Array
  /** HPKE ciphertext of the content key, 48 bytes. */
  wrappedKey: Uint8Array
}

/** An attested enclave that may answer. */
export interface SealTarget {
  /** @default 'x25519' */
  readonly suite?: SealSuite
  /** Raw key of that suite that its statement names. */
  readonly hpkePublicKey: Uint8Array
  /** SHA-256 of its statement: it opens only what was sealed to exactly this statement. */
  readonly statementDigest: Uint8Array
}

export interface SealRequestInit {
  /** 16 bytes. */
  readonly jobId: Uint8Array
  /** At most 4 MiB less 52 bytes. */
  readonly plaintext: Uint8Array
  /** One at least. */
  readonly recipients: readonly SealTarget[]
  /** @default the system's randomness */
  readonly random?: Random
}

export interface SealedRequest {
  /** `key commitment (32) ‖ AES-256-GCM ciphertext ‖ tag (16)`: 1 KiB times a power of two. */
  readonly sealedRequest: Uint8Array
  /** SHA-256 of `sealedRequest`: what announcements, wraps and receipts name it by. */
  readonly requestDigest: Uint8Array
  /** In the order of the targets. */
  readonly recipients: WrappedRecipient[]
  /** Opens the answer of the target at the same place. Wipe those that do not answer. */
  readonly responseKeys: ResponseKey[]
}

export interface OpenRequestInit {
  readonly jobId: Uint8Array
  readonly keyPair: HpkeKeyPair
  /** SHA-256 of the statement that names the key pair's public key. */
  readonly statementDigest: Uint8Array
  readonly recipient: WrappedRecipient
  readonly sealedRequest: Uint8Array
  /** The guard of this key pair. */
  readonly replayGuard: ReplayGuard
}

export interface OpenedRequest {
  /** Wipe it after use. */
  readonly plaintext: Uint8Array
  readonly responseKey: ResponseKey
}

/**
 * Seals a request once, and its content key for each enclave that may answer (design §5).
 *
 * @throws {UsageError} `SEAL_REQUEST_TOO_LARGE`, `SEAL_NO_RECIPIENT`
 * @throws {PeerError} `SEAL_LENGTH_INVALID`, `SEAL_KEY_INVALID` for a bad id, digest or enclave key
 */
export function sealRequest(init: SealRequestInit): SealedRequest {
  const { jobId, recipients: targets, random } = init
  expectLength('Job id', jobId, JOB_ID_BYTES)
  if (targets.length === 0) {
    throw new UsageError('SEAL_NO_RECIPIENT', 'No enclave to seal the request to: expected at least one')
  }
  const contentKey = (random ?? systemRandom).bytes(KEY_BYTES)
  const padded = padRequest(init.plaintext, OVERHEAD_BYTES)
  try {
    const body = aesGcmSeal(contentKey, SINGLE_USE_NONCE, requestAad(jobId), padded)
    const sealedRequest = new Uint8Array(Buffer.concat([keyCommitment(contentKey), body]))
    const requestDigest = sha256(sealedRequest)
    const wraps = targets.map(target => wrapKey(contentKey, target, jobId, requestDigest, random))
    return {
      sealedRequest,
      requestDigest,
      recipients: wraps.map(wrap => wrap.recipient),
      responseKeys: wraps.map(wrap => wrap.responseKey)
    }
  } finally {
    wipe(contentKey, padded)
  }
}

/**
 * The enclave's side of {@link sealRequest}. Checks sizes and replay before any key is used; records `enc` as soon as
 * the wrap proved genuine. After a failure nothing is handed out.
 *
 * @throws {PeerError} `SEAL_LENGTH_INVALID`, `SEAL_REQUEST_SIZE`, `SEAL_WRONG_RECIPIENT`, `SEAL_REPLAYED`,
 *   `SEAL_KEY_INVALID`, `SEAL_OPEN_FAILED`, `SEAL_REQUEST_FORGED`, `SEAL_PADDING_INVALID`
 * @throws {CocoonError} `SEAL_EPOCH_FULL`
 */
export function openRequest(init: OpenRequestInit): OpenedRequest {
  const { jobId, keyPair, statementDigest, recipient, sealedRequest, replayGuard } = init
  expectRecipient(recipient, jobId, keyPair)
  if (!isRequestSize(sealedRequest.byteLength)) {
    throw new PeerError(
      'SEAL_REQUEST_SIZE',
      `The sealed request has ${sealedRequest.byteLength} bytes: expected 1 KiB times a power of two, at most 4 MiB`
    )
  }
  replayGuard.check(recipient.enc)

  const context = setupRecipient(recipient.enc, keyPair, hpkeInfo(statementDigest, jobId))
  let contentKey: Uint8Array | undefined
  try {
    contentKey = context.open(wrapAad(sha256(sealedRequest)), recipient.wrappedKey)
    replayGuard.record(recipient.enc)
    return { plaintext: openBody(contentKey, jobId, sealedRequest), responseKey: exportResponseKey(context) }
  } finally {
    context.wipe()
    wipe(...(contentKey === undefined ? [] : [contentKey]))
  }
}

function wrapKey(
  contentKey: Uint8Array,
  target: SealTarget,
  jobId: Uint8Array,
  requestDigest: Uint8Array,
  random: Random | undefined
): { recipient: WrappedRecipient; responseKey: ResponseKey } {
  const { suite = 'x25519' } = target
  const seed = random?.bytes(KEMS[suite].seedBytes)
  const info = hpkeInfo(target.statementDigest, jobId)
  const init = seed === undefined ? { suite } : { suite, ephemeralSeed: seed }
  const context = setupSender(target.hpkePublicKey, info, init)
  try {
    const hint = recipientHint(enclaveKeyId(target.hpkePublicKey), jobId)
    const wrappedKey = context.seal(wrapAad(requestDigest), contentKey)
    return { recipient: { hint, enc: context.enc, wrappedKey }, responseKey: exportResponseKey(context) }
  } finally {
    context.wipe()
    seed?.fill(0)
  }
}

function expectRecipient(recipient: WrappedRecipient, jobId: Uint8Array, keyPair: HpkeKeyPair): void {
  expectLength('Job id', jobId, JOB_ID_BYTES)
  expectLength('Recipient hint', recipient.hint, HINT_BYTES)
  expectLength('Encapsulated key', recipient.enc, KEMS[keyPair.suite].encBytes)
  expectLength('Wrapped key', recipient.wrappedKey, WRAPPED_KEY_BYTES)
  if (!timingSafeEqual(recipient.hint, recipientHint(enclaveKeyId(keyPair.publicKey), jobId))) {
    throw new PeerError(
      'SEAL_WRONG_RECIPIENT',
      'The request was sealed to another enclave key: fetch the statement again'
    )
  }
}

function openBody(contentKey: Uint8Array, jobId: Uint8Array, sealedRequest: Uint8Array): Uint8Array {
  const commitment = sealedRequest.subarray(0, DIGEST_BYTES)
  const padded = timingSafeEqual(commitment, keyCommitment(contentKey))
    ? aesGcmOpen(contentKey, SINGLE_USE_NONCE, requestAad(jobId), sealedRequest.subarray(DIGEST_BYTES))
    : undefined
  if (padded === undefined) {
    throw new PeerError('SEAL_REQUEST_FORGED', 'The sealed request does not open with the key that came with it')
  }
  try {
    return unpadRequest(padded, OVERHEAD_BYTES)
  } finally {
    wipe(padded)
  }
}

// AES-GCM does not commit to its key: without this one ciphertext could open to different requests under different
// keys, and a receipt, which names the ciphertext, would not say which of them was answered.
function keyCommitment(contentKey: Uint8Array): Uint8Array {
  return sha256(COMMITMENT_DOMAIN, contentKey)
}

function requestAad(jobId: Uint8Array): Uint8Array {
  return Buffer.concat([REQUEST_DOMAIN, jobId])
}

function hpkeInfo(statementDigest: Uint8Array, jobId: Uint8Array): Uint8Array {
  expectLength('Statement digest', statementDigest, DIGEST_BYTES)
  return Buffer.concat([INFO_DOMAIN, statementDigest, jobId])
}

// A wrap holds for this sealed request only: no other can be put under it.
function wrapAad(requestDigest: Uint8Array): Uint8Array {
  return Buffer.concat([WRAP_DOMAIN, requestDigest])
}
