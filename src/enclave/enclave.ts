import type { AbortOptions } from '../core/abort.ts'
import type { TokenPrices } from '../core/price.ts'
import type { Device, ModelInfo } from '../inference/index.ts'

/** What the enclave loaded and how fast it answered its self-test. */
export interface EnclaveInfo {
  model: ModelInfo
  /** `cuda`, `vulkan`, `metal` or `cpu`. */
  backend: string
  devices: readonly Device[]
  threads: number
  /** Answers made at the same time. */
  slots: number
  /** Completion tokens per second of one answer. */
  tokensPerSecond: number
  /** From question to first token in the self-test, in milliseconds. */
  firstTokenMs: number
  /** SHA-256 of the enclave's own compiled files, 32 bytes. */
  bundleDigest: Uint8Array
  pid: number
}

export interface AttestInput {
  /** Multihash bytes of the libp2p peer that relays. */
  peerId: Uint8Array
  globalId: number
  beaconHeight: number
  /** 32 bytes. */
  beaconHash: Uint8Array
  /** 32 bytes that the evidence shall bind instead of the beacon. */
  challenge?: Uint8Array
}

export interface AttestedStatement {
  statement: Uint8Array
  evidence: Uint8Array
  /** Raw X-Wing key whose SHA-256 the statement names, 1,216 bytes; absent where it names none. */
  xwingKey?: Uint8Array
}

/** A sealed job as the host relays it. */
export interface EnclaveJob {
  /** 16 bytes. */
  jobId: Uint8Array
  recipient: { hint: Uint8Array; enc: Uint8Array; wrappedKey: Uint8Array }
  sealedRequest: Uint8Array
  /** The job's limit; the client's own, inside the seal, may be lower. */
  maxCompletionTokens: number
  prices: TokenPrices
  /** Address of the payment channel. */
  channel: string
  openedLt: bigint
  /** Completion tokens that may be made before the first grant. */
  grantedTokens: number
  /** Multihash bytes. */
  clientPeerId: Uint8Array
}

/** Token counts are cumulative, up to and including the frame. */
export type EnclaveEvent =
  | {
      type: 'chunk'
      sealed: Uint8Array
      promptTokens: number
      cachedPromptTokens: number
      completionTokens: number
    }
  | { type: 'ended'; receipt: Uint8Array; receiptSignature: Uint8Array; finishReason: string }

/**
 * A job under way: iterate it once. It ends with one `ended` event, or throws what went wrong; breaking off
 * cancels it.
 *
 * @throws {PeerError} what is wrong with the client's request: `SEAL_…`, `JOB_REQUEST_INVALID`, `PROMPT_TOO_LONG`,
 *   `PROMPT_INVALID`; safe to send to the client
 * @throws {EnvironmentError} `ENCLAVE_DIED`, `ENCLAVE_STOPPED`, `INFERENCE_FAILED`
 * @throws {CancelledError} `CANCELLED` if the signal given to `run` fires
 */
export interface EnclaveRun extends AsyncIterable<EnclaveEvent> {
  /** Raises the completion tokens the enclave may make to this total. */
  grant(totalCompletionTokens: number): void
  /** Ends the answer where it is: the events already under way, a final frame and a receipt still come. */
  cancel(): void
}

/** The host's handle to an enclave program in its own process. */
export interface Enclave {
  readonly info: EnclaveInfo
  /**
   * The standing statement, or a new one once half of its life is over, with evidence for it.
   *
   * @throws {EnvironmentError} `ENCLAVE_DIED`, `ENCLAVE_STOPPED`
   */
  attest(input: AttestInput, options?: AbortOptions): Promise<AttestedStatement>
  run(job: EnclaveJob, options?: AbortOptions): EnclaveRun
  /** Memory of the enclave process and jobs it holds. */
  inspect(options?: AbortOptions): Promise<{ rssBytes: number; running: number }>
  /** Ends the process at once; runs under way throw `ENCLAVE_STOPPED`. */
  stop(): Promise<void>
}
