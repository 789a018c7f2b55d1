import { canonicalBytes } from '../../../src/attest/document.ts'
import {
  DEFAULT_POLICY,
  encodeStatement,
  encodeStoredAttestation,
  encodeStoredReceipt,
  makeReceipt,
  makeSimulatedEvidence,
  reportData,
  SIMNET_POLICY,
  type Statement,
  type StoredReceipt,
  statementCosignMessage,
  type VerifyAttestationInput,
  verifyAttestation
} from '../../../src/attest/index.ts'
import { TdxVerifier, type VerifiedTdx, type VerifyTdxInput } from '../../../src/attest/tdx/verifier.ts'
import { toHex } from '../../../src/core/bytes.ts'
import { ed25519FromSeed } from '../../../src/core/ed25519.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { PeerKeys, peerIdentity } from '../../../src/mesh/index.ts'
import { signVoucher } from '../../../src/payments/index.ts'
import { channelAddress } from '../../../src/ton/index.ts'
import { measuredImage } from '../../support/tdx-platform.ts'
import { testEventLog } from '../../support/tdx-platform-event-log.ts'
import { receiptFields, receiptKeys, STATEMENT, VOUCHER_TERMS } from '../../unit/attest/fixtures.ts'
import { nvidiaVectors } from '../../unit/attest/nvidia/vectors.ts'
import { MILAN_POLICY, snpVectors } from '../../unit/attest/snp/vectors.ts'
import type { SeededPlatform } from './seeded-platform.ts'
import { MADE_NOW_MS } from './x509-seeds.ts'

export const LOG = testEventLog([
  { rtmr: 0, data: 'firmware settings' },
  { rtmr: 1, data: 'kernel' },
  { rtmr: 2, data: 'command line' }
])

const peerKeys = new PeerKeys()

/** Attestations with genuine signatures, and what they prove. */
export interface DocumentSeeds {
  /** They hold. */
  readonly sound: readonly VerifyAttestationInput[]
  /** Evidence of every tier, also such as cannot be judged as a whole. */
  readonly evidence: readonly Uint8Array[]
  readonly raw: readonly Uint8Array[]
  readonly receipt: StoredReceipt
  readonly receiptFiles: readonly string[]
  readonly attestationFiles: readonly string[]
}

/** Made statements and evidence of each tier, receipts and the files of both. */
export async function documentSeeds(platform: SeededPlatform): Promise<DocumentSeeds> {
  const peer = await peerIdentity(new Uint8Array(32).fill(0x33))
  const times = { notBeforeMs: MADE_NOW_MS - 60_000, notAfterMs: MADE_NOW_MS + 3_600_000, peerId: peer.id }
  const cosigned = (statement: Uint8Array): Uint8Array => peer.sign(statementCosignMessage(statement))
  const common = {
    expectedPeerId: peer.id,
    verifyPeerSignature: (id: string, message: Uint8Array, signature: Uint8Array) =>
      peerKeys.verify(id, message, signature),
    nowMs: MADE_NOW_MS
  }
  const simulated = (challenge?: Uint8Array): VerifyAttestationInput => {
    const document = { ...STATEMENT, ...times }
    const statement = encodeStatement(document)
    const bundleDigest = Buffer.from(document.software.bundleDigest, 'hex')
    const evidence = makeSimulatedEvidence({
      bundleDigest,
      reportData: reportData(statement, challenge ?? document.beacon)
    })
    return {
      ...common,
      statement,
      evidence,
      peerSignature: cosigned(statement),
      policy: SIMNET_POLICY,
      ...(challenge && { challenge })
    }
  }
  const images = [
    {
      ...measuredImage({ mrTd: new Uint8Array(48).fill(0xa1), rtmrs: LOG.rtmrs }),
      name: 'test guest',
      bundleDigest: STATEMENT.software.bundleDigest
    }
  ]
  const tdx = (eventLog: Uint8Array | undefined): VerifyAttestationInput => {
    const document: Statement = { ...STATEMENT, ...times, tier: 'tdx' }
    const statement = encodeStatement(document)
    const quote = tdQuote(platform, reportData(statement, document.beacon))
    const log = eventLog === undefined ? {} : { eventLog: base64(eventLog) }
    const evidence = canonicalBytes({
      type: 'tdx',
      version: 1,
      quote: base64(quote),
      collateral: platform.collateral(),
      ...log
    })
    const verifier = new RootedVerifier(platform.rootSha256)
    return {
      ...common,
      statement,
      evidence,
      peerSignature: cosigned(statement),
      policy: { ...DEFAULT_POLICY, images },
      tdx: verifier
    }
  }
  const sound = [
    simulated(),
    simulated(new Uint8Array(32).fill(7)),
    tdx(undefined),
    tdx(LOG.log.slice(0, LOG.sizeBytes + 64))
  ]
  // Also so that verifiers with a memory remember the same in every run, wherever it begins.
  for (const input of sound) {
    await verifyAttestation(input)
  }
  const receipt = storedReceipt(simulated(), peer.id)
  const { finalVoucher: _, ...unpaid } = receipt
  return {
    sound,
    evidence: [...sound.map(({ evidence }) => evidence), ...recordedEvidence(platform)],
    raw: rawEvidence(platform),
    receipt,
    receiptFiles: [receipt, unpaid].map(encodeStoredReceipt),
    attestationFiles: sound.map(({ statement, evidence, peerSignature, challenge }) =>
      encodeStoredAttestation({
        statement,
        evidence,
        peerSignature,
        fetchedAtMs: MADE_NOW_MS,
        ...(challenge && { challenge })
      })
    )
  }
}

function tdQuote(platform: SeededPlatform, data: Uint8Array, configId = 0): Uint8Array {
  return platform.quote({
    body: body => {
      body.fill(0xa1, 136, 184).fill(configId, 184, 232)
      LOG.rtmrs.forEach((rtmr, i) => body.set(rtmr, 328 + i * 48))
      body.set(data, 520)
    }
  })
}

function storedReceipt({ statement, evidence, peerSignature }: VerifyAttestationInput, peerId: string): StoredReceipt {
  const payer = ed25519FromSeed(new Uint8Array(32).fill(0x44))
  const terms = { ...VOUCHER_TERMS, payerKey: toHex(payer.publicKey) }
  const raw = { ...terms, payerKey: payer.publicKey, payeeKey: new Uint8Array(32).fill(0x0c), salt: BigInt(terms.salt) }
  const channel = channelAddress(raw)
  const fields = {
    ...receiptFields(statement),
    channel,
    providerPeerId: peerId,
    startedAtMs: MADE_NOW_MS,
    endedAtMs: MADE_NOW_MS + 1_500
  }
  const { bytes, signature } = makeReceipt(fields, receiptKeys)
  const voucher = signVoucher(payer, terms.globalId, {
    channel,
    openedLt: BigInt(fields.openedLt),
    cumulative: nanoTon(5_000n)
  })
  const finalVoucher = { channel, openedLt: fields.openedLt, cumulative: '5000', signature: voucher.signature, terms }
  return { receipt: bytes, signature, statement, evidence, peerSignature, finalVoucher }
}

function recordedEvidence(platform: SeededPlatform): Uint8Array[] {
  const [snp, nvidia] = [snpVectors(), nvidiaVectors()]
  const configured = { quote: base64(tdQuote(platform, new Uint8Array(64), 1)), collateral: platform.collateral() }
  const all: object[] = [{ type: 'tdx', version: 1, ...configured }]
  if (snp !== undefined) {
    const { report, certificates } = snp.coco
    const { leaf, ask, ark } = certificates
    all.push({
      type: 'snp',
      version: 1,
      report: base64(report),
      leaf: base64(leaf),
      ask: base64(ask),
      ark: base64(ark),
      // None was recorded; of a made root, so that it is refused last.
      crl: base64(platform.crl('root'))
    })
  }
  if (nvidia !== undefined) {
    const { report, chainPem, rims } = nvidia.gonvtrust
    const cpu = { quote: base64(tdQuote(platform, new Uint8Array(64))), collateral: platform.collateral() }
    const gpus = [{ report: base64(report), chain: base64(Buffer.from(chainPem)), driverRim: 0, vbiosRim: 1 }]
    all.push({ type: 'tdx+gpu', version: 1, cpu, gpus, rims: [base64(rims.driver), base64(rims.vbios)] })
  }
  return all.map(canonicalBytes)
}

function rawEvidence(platform: SeededPlatform): Uint8Array[] {
  const quote = base64(platform.quote())
  const gpus = [{ report: base64(new Uint8Array(200)), chain: base64(new Uint8Array(200)), driverRim: 0, vbiosRim: 0 }]
  return [
    { type: 'tdx', version: 1, quote, eventLog: base64(LOG.log.slice(0, LOG.sizeBytes)) },
    { type: 'tdx+gpu', version: 1, cpu: { quote }, gpus, rims: [base64(new Uint8Array(30))] },
    { type: 'snp', version: 1, report: base64(new Uint8Array(1184)), table: base64(new Uint8Array(96)) }
  ].map(canonicalBytes)
}

/** The policy that the recorded SEV-SNP evidence passes. */
export const SNP_POLICY = MILAN_POLICY

class RootedVerifier extends TdxVerifier {
  readonly #rootSha256: string

  constructor(rootSha256: string) {
    super(64)
    this.#rootSha256 = rootSha256
  }

  override verifyTdx(input: VerifyTdxInput): VerifiedTdx {
    return super.verifyTdx({ ...input, rootSha256: this.#rootSha256 })
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
