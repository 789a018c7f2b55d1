import { decodeStatement, STATEMENT_COSIGN_DOMAIN, statementDigest } from '../attest/index.ts'
import type { AbortOptions } from '../core/abort.ts'
import { fromHex, sha256, toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { EnvironmentError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { AttestedStatement } from '../enclave/index.ts'
import { recipientHint } from '../seal/index.ts'
import type { Recipient } from '../wire/announcement.ts'
import type { AttestReply } from '../wire/attest-exchange.ts'

/** The enclave's standing statement with everything a client checks it by. */
export interface Identity extends AttestReply {
  digest: Uint8Array
  /** SHA-256 of each of the enclave's HPKE public keys. */
  keyIds: readonly Uint8Array[]
  tier: string
  notBeforeMs: number
  expiresAtMs: number
}

export interface EnclaveIdentityComponents {
  logger: Logger
  clock: Clock
  enclave: {
    attest(request: AttestInput, options?: AbortOptions): Promise<AttestedStatement>
  }
  mesh: { peerIdBytes: Uint8Array; sign(message: Uint8Array): Promise<Uint8Array> | Uint8Array }
  /** Adds what clients need to judge the enclave's evidence, and only vendors can sign. */
  evidence: { complete(raw: Uint8Array, options?: AbortOptions): Promise<Uint8Array> }
  chain: { globalId: number; tip(options?: AbortOptions): Promise<{ height: number; hash: Uint8Array }> }
}

interface AttestInput {
  peerId: Uint8Array
  globalId: number
  beaconHeight: number
  beaconHash: Uint8Array
  challenge?: Uint8Array
}

/** Keeps the enclave's statement fresh: a new one before the old one ends, and the old one's hints until it does. */
export class EnclaveIdentity {
  readonly #components: EnclaveIdentityComponents
  #current: Identity | undefined
  #previous: Identity | undefined

  constructor(components: EnclaveIdentityComponents) {
    this.#components = components
  }

  /** @throws {EnvironmentError} `ENCLAVE_NOT_ATTESTED` before the first `refresh` */
  get current(): Identity {
    if (this.#current === undefined) {
      throw new EnvironmentError('ENCLAVE_NOT_ATTESTED', 'The enclave has no statement yet: start the provider first')
    }
    return this.#current
  }

  /** Asks the enclave for a statement bound to the chain's newest block, and co-signs it. Returns whether it changed. */
  async refresh(options: AbortOptions = {}): Promise<boolean> {
    const { chain } = this.#components
    const next = await this.#attest(await chain.tip(options), undefined, options)
    if (this.#current !== undefined && toHex(this.#current.digest) === toHex(next.digest)) {
      return false
    }
    this.#previous = this.#current
    this.#current = next
    this.#components.logger.info('statement', { digest: toHex(next.digest), tier: next.tier })
    return true
  }

  /** Evidence for a client's own challenge (32 bytes). Hardware makes a quote for each: a `ChallengeDesk` says whose. */
  async challenged(challenge: Uint8Array, options: AbortOptions = {}): Promise<AttestReply> {
    const { beacon } = decodeStatement(this.current.statement)
    const shown = await this.#attest({ height: beacon.height, hash: fromHex(beacon.hash, 32) }, challenge, options)
    if (toHex(shown.digest) !== toHex(this.current.digest)) {
      // The enclave has new keys: jobs sealed to them must be known as ours.
      await this.refresh(options)
    }
    return shown
  }

  /** True once half of the statement's life is over. */
  isAging(): boolean {
    const { notBeforeMs, expiresAtMs } = this.current
    return this.#components.clock.nowMs() > notBeforeMs + (expiresAtMs - notBeforeMs) / 2
  }

  /** The recipient of an announcement that is meant for this enclave, if any. */
  addressed(jobId: Uint8Array, recipients: readonly Recipient[]): Recipient | undefined {
    const now = this.#components.clock.nowMs()
    const own = [this.#current, this.#previous]
      .filter(identity => identity !== undefined && identity.expiresAtMs > now)
      .flatMap(identity => (identity as Identity).keyIds.map(keyId => toHex(recipientHint(keyId, jobId))))
    return recipients.find(recipient => own.includes(toHex(recipient.hint)))
  }

  async #attest(
    beacon: { height: number; hash: Uint8Array },
    challenge: Uint8Array | undefined,
    options: AbortOptions
  ): Promise<Identity> {
    const { enclave, mesh, chain } = this.#components
    const {
      statement,
      evidence: raw,
      xwingKey
    } = await enclave.attest(
      {
        peerId: mesh.peerIdBytes,
        globalId: chain.globalId,
        beaconHeight: beacon.height,
        beaconHash: beacon.hash,
        ...(challenge === undefined ? {} : { challenge })
      },
      options
    )
    const decoded = decodeStatement(statement)
    const evidence = await this.#components.evidence.complete(raw, options)
    const peerSignature = await mesh.sign(Buffer.concat([Buffer.from(STATEMENT_COSIGN_DOMAIN), statement]))
    return {
      statement,
      evidence,
      peerSignature,
      ...(xwingKey === undefined ? {} : { xwingKey }),
      digest: statementDigest(statement),
      keyIds: [
        sha256(fromHex(decoded.hpkeKey, 32)),
        ...(decoded.xwingKeyId === undefined ? [] : [fromHex(decoded.xwingKeyId, 32)])
      ],
      tier: decoded.tier,
      notBeforeMs: decoded.notBeforeMs,
      expiresAtMs: decoded.notAfterMs
    }
  }
}
