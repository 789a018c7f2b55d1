import { randomBytes } from 'node:crypto'
import { gpuNonce } from '../attest/gpu-nonce.ts'
import type { ReceiptKey } from '../attest/receipt.ts'
import { encodeStatement, type Statement, statementDigest } from '../attest/statement.ts'
import { toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { ed25519FromSeed } from '../core/ed25519.ts'
import { PeerError } from '../core/errors.ts'
import {
  enclaveKeyId,
  generateSealKeyPair,
  type HpkeKeyPair,
  ReplayGuard,
  recipientHint,
  SEAL_SUITES,
  type SealSuite,
  wipe
} from '../seal/index.ts'
import type { GpuProofs } from './evidence/gpu-command.ts'

/** How long a statement and its keys are good for, in milliseconds. */
export const EPOCH_MS = 60 * 60_000
/** Two are the rule. More come of a host that names another peer or network each time, which must not fill the memory. */
const MAX_EPOCHS = 8

/** One HPKE key pair of an epoch. */
export interface SealKey {
  readonly keyPair: HpkeKeyPair
  /** What recipient hints are made of, 32 bytes. */
  readonly keyId: Uint8Array
  readonly replayGuard: ReplayGuard
}

/** The keys of one statement. Nothing of it is ever written anywhere. */
export interface Epoch {
  readonly statement: Statement
  readonly statementBytes: Uint8Array
  /** 32 bytes. */
  readonly statementDigest: Uint8Array
  readonly keys: Readonly<Record<SealSuite, SealKey>>
  /** What the GPUs answered whose reports the statement names. */
  readonly gpuProofs?: GpuProofs
  /** Signs receipts. */
  readonly receiptKey: ReceiptKey
}

/** Asks the GPUs for reports that answer a nonce. */
export type AskGpus = (nonce: Uint8Array) => Promise<GpuProofs>

/** What a statement says beside keys and times. */
export type StatementFacts = Omit<
  Statement,
  'version' | 'gpuEvidence' | 'hpkeKey' | 'xwingKeyId' | 'receiptKey' | 'notBeforeMs' | 'notAfterMs'
>

/**
 * The enclave's keys, new for every statement. A statement is replaced when half its life is over, so that
 * clients always find one with time left; the keys of the one before stay until it expires.
 */
export class Epochs {
  readonly #clock: Clock
  /** Newest last. */
  #epochs: Epoch[] = []
  #making: Promise<unknown> = Promise.resolve()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Epochs whose keys are still held. */
  get size(): number {
    this.#dropExpired()
    return this.#epochs.length
  }

  /** The standing epoch, or a new one when it is half over or the facts it must name have changed. */
  current(facts: StatementFacts): Epoch {
    return this.#standing(facts) ?? this.#keep(seal(draftEpoch(facts, this.#clock.nowMs())))
  }

  /** The same for a statement that names GPUs. Calls at once share what they answer. */
  currentWithGpus(facts: StatementFacts, askGpus: AskGpus): Promise<Epoch> {
    const made = this.#making.then(async () => {
      const standing = this.#standing(facts)
      if (standing !== undefined) {
        return standing
      }
      const draft = draftEpoch(facts, this.#clock.nowMs())
      try {
        return this.#keep(seal(draft, await askGpus(gpuNonce(draft.statement))))
      } catch (err) {
        wipeKeys(draft)
        throw err
      }
    })
    this.#making = made.catch(() => undefined)
    return made
  }

  /**
   * The epoch and the key of it that a request was sealed to.
   *
   * @throws {PeerError} `SEAL_WRONG_RECIPIENT` if it was sealed to another enclave, or to keys that are gone
   */
  addressed(jobId: Uint8Array, hint: Uint8Array): { epoch: Epoch; key: SealKey } {
    this.#dropExpired()
    const wanted = toHex(hint)
    const found = this.#epochs
      .flatMap(epoch => SEAL_SUITES.map(suite => ({ epoch, key: epoch.keys[suite] })))
      .find(({ key }) => toHex(recipientHint(key.keyId, jobId)) === wanted)
    if (found === undefined) {
      throw new PeerError(
        'SEAL_WRONG_RECIPIENT',
        'The request was sealed to another enclave key: fetch the statement again'
      )
    }
    return found
  }

  #standing(facts: StatementFacts): Epoch | undefined {
    this.#dropExpired()
    const standing = this.#epochs.at(-1)
    return standing !== undefined && this.#stands(standing, facts) ? standing : undefined
  }

  #keep(epoch: Epoch): Epoch {
    this.#epochs.push(epoch)
    this.#epochs.splice(0, Math.max(0, this.#epochs.length - MAX_EPOCHS)).forEach(wipeKeys)
    // Also where nobody asks for anything any more.
    setTimeout(() => this.#dropExpired(), EPOCH_MS).unref()
    return epoch
  }

  #stands({ statement }: Epoch, facts: StatementFacts): boolean {
    const halfTimeMs = (statement.notBeforeMs + statement.notAfterMs) / 2
    return (
      statement.peerId === facts.peerId &&
      statement.beacon.globalId === facts.beacon.globalId &&
      this.#clock.nowMs() < halfTimeMs
    )
  }

  // The key objects' own memory is cleansed by OpenSSL when the last reference is gone.
  #dropExpired(): void {
    const nowMs = this.#clock.nowMs()
    this.#epochs = this.#epochs.filter(epoch => {
      const lives = epoch.statement.notAfterMs > nowMs
      if (!lives) {
        wipeKeys(epoch)
      }
      return lives
    })
  }
}

function wipeKeys({ keys }: Pick<Epoch, 'keys'>): void {
  SEAL_SUITES.forEach(suite => keys[suite].keyPair.wipe())
}

type EpochDraft = Pick<Epoch, 'statement' | 'keys' | 'receiptKey'>

function draftEpoch(facts: StatementFacts, nowMs: number): EpochDraft {
  const keys = { x25519: makeKey('x25519'), xwing: makeKey('xwing') }
  const seed = randomBytes(32)
  const receiptKey = ed25519FromSeed(seed)
  wipe(seed)
  const statement: Statement = {
    ...facts,
    version: 1,
    hpkeKey: toHex(keys.x25519.keyPair.publicKey),
    xwingKeyId: toHex(keys.xwing.keyId),
    receiptKey: toHex(receiptKey.publicKey),
    notBeforeMs: nowMs,
    notAfterMs: nowMs + EPOCH_MS
  }
  return { statement, keys, receiptKey }
}

function seal(draft: EpochDraft, gpuProofs?: GpuProofs): Epoch {
  const statement = gpuProofs === undefined ? draft.statement : { ...draft.statement, gpuEvidence: gpuProofs.digests }
  const statementBytes = encodeStatement(statement)
  return {
    ...draft,
    statement,
    statementBytes,
    statementDigest: statementDigest(statementBytes),
    ...(gpuProofs && { gpuProofs })
  }
}

function makeKey(suite: SealSuite): SealKey {
  const keyPair = generateSealKeyPair(suite)
  return { keyPair, keyId: enclaveKeyId(keyPair.publicKey), replayGuard: new ReplayGuard() }
}
