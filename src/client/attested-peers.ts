import { setImmediate as immediate } from 'node:timers/promises'
import {
  type AttestationPolicy,
  CHALLENGE_BYTES,
  TdxVerifier,
  type VerifiedEnclave,
  verifyAttestation
} from '../attest/index.ts'
import { type AbortOptions, linkSignals, throwIfAborted, withTimeLimit } from '../core/abort.ts'
import { toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { PeerError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { SharedRuns } from '../core/shared-runs.ts'
import type { Mesh } from '../mesh/index.ts'
import { type Sleep, systemSleep } from '../ton/index.ts'
import {
  type AttestRefusal,
  type AttestReply,
  decodeAttestReply,
  encodeAttestRequest
} from '../wire/attest-exchange.ts'
import { LIMITS } from '../wire/limits.ts'
import { PROTOCOLS } from '../wire/protocols.ts'
import { type BeaconChain, beaconView } from './beacon-view.ts'
import { exchange } from './exchange.ts'

/** An enclave that passed the policy, with the documents that prove it. */
export interface AttestedPeer extends AttestReply {
  peerId: string
  /** What its evidence was asked to bind, 32 bytes: it was made for this client, now. */
  challenge: Uint8Array
  enclave: VerifiedEnclave
}

export interface AttestedPeersComponents {
  clock: Clock
  random: Random
  mesh: Mesh
  chain: BeaconChain
  /** @default the system's timers */
  sleep?: Sleep
}

const EXCHANGE_TIMEOUT_MS = 10_000

/**
 * A capacity record is the provider's word; what runs in its enclave is in the statement.
 *
 * @throws {PeerError} `MODEL_MISMATCH` unless the enclave attests to the model
 */
export function expectModel({ peerId, enclave }: AttestedPeer, modelDigestHex: string): void {
  if (!enclave.statement.modelDigests.includes(modelDigestHex)) {
    throw new PeerError(
      'MODEL_MISMATCH',
      `${peerId} advertises the model ${modelDigestHex}, which its enclave does not run`
    )
  }
}

/** Asks providers for their attestation, checks it, and remembers the verdict by statement digest until it ends. */
export class AttestedPeers {
  readonly #components: AttestedPeersComponents
  readonly #policy: AttestationPolicy
  readonly #verified = new Map<string, { peer: AttestedPeer; askedFor: string }>()
  // A provider makes one quote at a time for each peer.
  readonly #asking = new SharedRuns<AttestedPeer>()
  readonly #tdx = new TdxVerifier()

  constructor(components: AttestedPeersComponents, policy: AttestationPolicy) {
    this.#components = components
    this.#policy = policy
  }

  /** The remembered verdict, if it still holds. */
  remembered(peerId: string): AttestedPeer | undefined {
    const known = this.#verified.get(peerId)?.peer
    return known !== undefined && known.enclave.expiresAtMs > this.#components.clock.nowMs() ? known : undefined
  }

  forget(peerId: string): void {
    this.#verified.delete(peerId)
  }

  /**
   * The attested enclave of this provider: the remembered one while its statement has `statementDigest`, or the one that it
   * shows now, which may be newer than its capacity record. Whoever asks for one provider at the same time shares the
   * exchange, and a record that was found to be old is not asked about again.
   *
   * @throws {AttestationError} with the code of the check that failed
   * @throws {PeerError} `PEER_SILENT`, `ATTESTATION_BUSY` as `show`
   */
  async attest(peerId: string, statementDigest: Uint8Array, options: AbortOptions = {}): Promise<AttestedPeer> {
    const known = this.remembered(peerId)
    const askedFor = toHex(statementDigest)
    if (
      known !== undefined &&
      [toHex(known.enclave.statementDigest), this.#verified.get(peerId)?.askedFor].includes(askedFor)
    ) {
      return known
    }
    const ask = async (): Promise<AttestedPeer> => {
      const { reply, challenge, verdict } = await this.show(peerId)
      const peer = { ...reply, peerId, challenge, enclave: await verdict }
      this.#verified.set(peerId, { peer, askedFor })
      return peer
    }
    throwIfAborted(options.signal)
    return this.#asking.run(peerId, ask, options)
  }

  /**
   * What a provider shows now over a challenge of ours, and the verdict on it, which may be a refusal.
   *
   * @throws {PeerError} `PEER_SILENT` if the provider closes without an answer, `ATTESTATION_BUSY` if it makes no evidence
   *   for us now: `details.retryAfterMs` says when to come again
   */
  async show(
    peerId: string,
    options: AbortOptions = {}
  ): Promise<{ reply: AttestReply; challenge: Uint8Array; verdict: Promise<VerifiedEnclave> }> {
    const { chain, random } = this.#components
    const challenge = random.bytes(CHALLENGE_BYTES)
    const [reply, tip] = await withTimeLimit(EXCHANGE_TIMEOUT_MS, options.signal, signal =>
      Promise.all([this.#exchange(peerId, challenge, signal), chain.tip({ signal })])
    )
    const verdict = this.#judge(peerId, { ...reply, challenge }, tip.height, options)
    // Whoever shows it may look at it later.
    verdict.catch(() => undefined)
    return { reply, challenge, verdict }
  }

  async #judge(
    peerId: string,
    shown: AttestReply & { challenge: Uint8Array },
    tipHeight: number,
    options: AbortOptions
  ): Promise<VerifiedEnclave> {
    const { mesh, clock, chain, sleep = systemSleep } = this.#components
    const policy = this.#policy
    const ended = new AbortController()
    const { signal, unlink } = linkSignals(options.signal, ended.signal)
    const question = { statement: shown.statement, policy, tipHeight, patienceMs: EXCHANGE_TIMEOUT_MS }
    const chainView = beaconView({ chain, sleep }, question, { signal })
    // Evidence may be refused before anybody looks at the block.
    chainView.catch(() => undefined)
    try {
      // The request leaves before the evidence takes the processor.
      await immediate()
      return await verifyAttestation({
        ...shown,
        expectedPeerId: peerId,
        verifyPeerSignature: (id, message, signature) => mesh.verifyPeerSignature(id, message, signature),
        policy,
        nowMs: clock.nowMs(),
        chainView,
        tdx: this.#tdx
      })
    } finally {
      ended.abort()
      unlink()
    }
  }

  async #exchange(peerId: string, challenge: Uint8Array, signal: AbortSignal): Promise<AttestReply> {
    const reply = await exchange<AttestReply | AttestRefusal>(this.#components.mesh, encodeAttestRequest(challenge), {
      peerId,
      protocol: PROTOCOLS.attest,
      name: 'attestation',
      maxFrameBytes: LIMITS.attestReplyBytes,
      signal,
      read: decodeAttestReply
    })
    if ('retryAfterMs' in reply) {
      const { retryAfterMs } = reply
      throw new PeerError(
        'ATTESTATION_BUSY',
        `${peerId} makes no evidence for this node before ${Math.ceil(retryAfterMs / 1_000)} s have passed: ` +
          'ask again then, or use another provider',
        { details: { peerId, retryAfterMs } }
      )
    }
    return reply
  }
}
