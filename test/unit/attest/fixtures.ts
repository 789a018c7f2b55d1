import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import {
  encodeStatement,
  makeSimulatedEvidence,
  type Receipt,
  reportData,
  SIMNET_POLICY,
  type Statement,
  statementCosignMessage,
  type VerifyAttestationInput,
  type VoucherTerms
} from '../../../src/attest/index.ts'
import { toHex } from '../../../src/core/bytes.ts'
import { ed25519FromSeed } from '../../../src/core/ed25519.ts'

export const NOW_MS = 1_795_000_000_000
export const PEER_ID = '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X'
export const CLIENT_PEER_ID = '12D3KooWH3uVF6wv47WnArKHk5p6cvgCJEb74UTmxztmQDc298L3'

export const receiptKeys = ed25519FromSeed(new Uint8Array(32).fill(0x22))
/** Stands for the libp2p key of the peer. */
export const peerKeys = ed25519FromSeed(new Uint8Array(32).fill(0x33))

export const STATEMENT: Statement = {
  version: 1,
  tier: 'simulated',
  hpkeKey: '11'.repeat(32),
  receiptKey: toHex(receiptKeys.publicKey),
  peerId: PEER_ID,
  modelDigests: ['aa'.repeat(32), 'ab'.repeat(32)],
  configDigest: 'bb'.repeat(32),
  software: { version: '0.1.0', bundleDigest: 'cc'.repeat(32) },
  bootId: 'dd'.repeat(16),
  notBeforeMs: NOW_MS - 60_000,
  notAfterMs: NOW_MS + 3_600_000,
  beacon: { globalId: -3, height: 1000, hash: 'ee'.repeat(32) }
}

/** A valid attestation, and what a client asks of it; `changes` are applied to the statement before it is signed. */
export function attestation(changes: Partial<Statement> = {}, challenge?: Uint8Array): VerifyAttestationInput {
  const document = { ...STATEMENT, ...changes }
  const statement = encodeStatement(document)
  return {
    statement,
    evidence: makeSimulatedEvidence({
      bundleDigest: Buffer.from(document.software.bundleDigest, 'hex'),
      reportData: reportData(statement, challenge ?? document.beacon)
    }),
    peerSignature: cosign(statement),
    expectedPeerId: PEER_ID,
    ...(challenge === undefined ? {} : { challenge }),
    verifyPeerSignature,
    policy: SIMNET_POLICY,
    nowMs: NOW_MS,
    chainView: { globalId: -3, height: 1000, beaconHash: document.beacon.hash }
  }
}

/** Of a channel that is nobody's. */
export const VOUCHER_TERMS: VoucherTerms = {
  globalId: -3,
  payerKey: '0a'.repeat(32),
  payerAddress: `0:${'0b'.repeat(32)}`,
  payeeKey: '0c'.repeat(32),
  payeeAddress: `0:${'0d'.repeat(32)}`,
  salt: '14',
  challengeSeconds: 3_600
}

export function cosign(statement: Uint8Array, privateKey: KeyObject = peerKeys.privateKey): Uint8Array {
  return new Uint8Array(sign(null, statementCosignMessage(statement), privateKey))
}

export function verifyPeerSignature(peerId: string, message: Uint8Array, signature: Uint8Array): boolean {
  return peerId === PEER_ID && verify(null, message, createPublicKey(peerKeys.privateKey), signature)
}

export function receiptFields(statement: Uint8Array): Receipt {
  return {
    jobId: '01'.repeat(16),
    requestDigest: '02'.repeat(32),
    answerDigest: '03'.repeat(32),
    modelDigest: 'aa'.repeat(32),
    statementDigest: createHash('sha256').update(statement).digest('hex'),
    sampling: { temperatureMilli: 700, seed: 42, maxTokens: 64 },
    promptTokens: 100,
    cachedPromptTokens: 20,
    completionTokens: 64,
    prices: { promptPerMTokens: '1000000', cachedPromptPerMTokens: '500000', completionPerMTokens: '2000001' },
    // 100 + 10 + 128.000064, rounded up.
    cost: '239',
    channel: `0:${'04'.repeat(32)}`,
    openedLt: '12345678901234567890',
    finishReason: 'stop',
    startedAtMs: NOW_MS,
    endedAtMs: NOW_MS + 1500,
    providerPeerId: PEER_ID,
    clientPeerId: CLIENT_PEER_ID
  }
}
