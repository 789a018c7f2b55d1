import type { StoredAttestation, StoredReceipt, VerifiedEnclave } from '../attest/index.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import type { TokenUsage } from '../core/price.ts'
import type { ChatMessage, PrivacyMode } from '../wire/job-request.ts'

/** A question for the mesh. */
export interface AskRequest {
  messages: ChatMessage[]
  /** SHA-256 of the GGUF, lower-case hex. */
  modelDigestHex: string
  /** Completion tokens at most. */
  maxTokens: number
  temperature?: number
  topP?: number
  seed?: number
  stop?: string[]
  /**
   * How the answer travels; `strict` takes the same time and bytes whatever is said, which is longer and more.
   * @default what the client was set to
   */
  privacy?: PrivacyMode
  /** Only this provider will do. */
  provider?: string
}

/** What the mesh does for a question, in order: one `provider`, any number of `text`, one `end`. */
export type AnswerEvent =
  | { type: 'provider'; peerId: string; tier: string; warm: boolean; channel: string }
  | { type: 'text'; text: string }
  | {
      type: 'end'
      finishReason: string
      usage: TokenUsage
      /** Price of the answer. */
      cost: NanoTon
      /** Signed to the provider for this job, never more than one window above `cost`. */
      paid: NanoTon
      vouchers: number
      receipt: StoredReceipt
    }

/** What a provider's enclave showed of itself, and what the policy says to it. */
export type ShownAttestation = { stored: StoredAttestation } & ({ enclave: VerifiedEnclave } | { refusal: unknown })
