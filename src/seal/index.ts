export { AnswerChain } from './answer-chain.ts'
export type { HpkeContext, RecipientContext, SenderContext, SenderInit } from './hpke.ts'
export { setupRecipient, setupSender } from './hpke.ts'
export type { HpkeKeyPair, SealSuite } from './kem.ts'
export { SEAL_SUITES } from './kem.ts'
export { FRAME_PAYLOAD_BYTES, isRequestSize, MAX_SEALED_REQUEST_BYTES } from './padding.ts'
export { enclaveKeyId, HINT_BYTES, recipientHint } from './recipient-hint.ts'
export { ReplayGuard, type ReplayGuardInit } from './replay-guard.ts'
export type {
  OpenedRequest,
  OpenRequestInit,
  SealedRequest,
  SealRequestInit,
  SealTarget,
  WrappedRecipient
} from './request.ts'
export { JOB_ID_BYTES, openRequest, sealRequest } from './request.ts'
export type { OpenedFrame, ResponseOpener, ResponseSealer } from './response.ts'
export { responseOpener, responseSealer, SEALED_FRAME_BYTES } from './response.ts'
export { ResponseKey } from './response-key.ts'
export { generateSealKeyPair } from './suites.ts'
export { wipe } from './wipe.ts'
export { generateHpkeKeyPair } from './x25519-kem.ts'
