export { decodeStoredAttestation, encodeStoredAttestation, type StoredAttestation } from './attestation-file.ts'
export { BEACON_MARGIN_BLOCKS, beaconAhead, type ChainView, expectBeaconNear } from './beacon.ts'
export { describeEnclave, type EnclaveInWords } from './describe.ts'
export type { Platform } from './judge-evidence.ts'
export type { AcceptedImage } from './measured.ts'
export { type AttestationPolicy, DEFAULT_POLICY, SIMNET_POLICY, withSimulated } from './policy.ts'
export type { Receipt, ReceiptPrices, ReceiptSampling, SignedReceipt } from './receipt.ts'
export { decodeReceipt, makeReceipt, type ReceiptKey, verifyReceipt } from './receipt.ts'
export { CHALLENGE_BYTES, reportData } from './report-data.ts'
export { makeSimulatedEvidence } from './simulated-evidence.ts'
export type { Beacon, Statement } from './statement.ts'
export {
  decodeStatement,
  encodeStatement,
  STATEMENT_COSIGN_DOMAIN,
  statementCosignMessage,
  statementDigest
} from './statement.ts'
export type { FinalVoucher, StoredReceipt, VoucherTerms } from './stored-receipt.ts'
export { decodeStoredReceipt, encodeStoredReceipt } from './stored-receipt.ts'
export { TdxVerifier } from './tdx/verifier.ts'
export { TIERS, type Tier } from './tier.ts'
export {
  type PeerSignatureCheck,
  type VerifiedEnclave,
  type VerifyAttestationInput,
  verifyAttestation
} from './verify.ts'
export {
  expectReceiptFits,
  type VerifiedReceipt,
  type VerifyStoredReceiptInput,
  verifyStoredReceipt
} from './verify-receipt.ts'
