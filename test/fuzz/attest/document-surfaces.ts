import assert from 'node:assert/strict'
import {
  decodeSnpEvidence,
  decodeTdxEvidence,
  decodeTdxGpuEvidence,
  evidenceType
} from '../../../src/attest/evidence.ts'
import {
  DEFAULT_POLICY,
  decodeReceipt,
  decodeStatement,
  decodeStoredAttestation,
  decodeStoredReceipt,
  encodeStatement,
  encodeStoredAttestation,
  encodeStoredReceipt,
  type VerifyAttestationInput,
  verifyAttestation,
  verifyReceipt,
  verifyStoredReceipt
} from '../../../src/attest/index.ts'
import { judgeEvidence } from '../../../src/attest/judge-evidence.ts'
import { decodeRawEvidence } from '../../../src/attest/raw-evidence.ts'
import { decodeSimulatedEvidence } from '../../../src/attest/simulated-evidence.ts'
import { TIERS } from '../../../src/attest/tier.ts'
import { sha256, toHex } from '../../../src/core/bytes.ts'
import { verifyVoucherSignature } from '../../../src/node/voucher-signature.ts'
import {
  decodeAttestReply,
  decodeAttestRequest,
  encodeAttestReply,
  encodeAttestRequest,
  MAX_RETRY_AFTER_MS
} from '../../../src/wire/attest-exchange.ts'
import { receiptKeys, STATEMENT } from '../../unit/attest/fixtures.ts'
import { mutate } from '../mutate.ts'
import { mutateJson, readJsonDocument } from '../mutate-json.ts'
import type { FuzzRandom } from '../random.ts'
import type { Surface } from '../surface.ts'
import { changedString } from './collateral-strings.ts'
import { type DocumentSeeds, SNP_POLICY } from './document-seeds.ts'
import { MADE_NOW_MS } from './x509-seeds.ts'

const DECODERS = new Map<string, (bytes: Uint8Array) => { type: string }>([
  ['simulated', decodeSimulatedEvidence],
  ['tdx', decodeTdxEvidence],
  ['tdx+gpu', decodeTdxGpuEvidence],
  ['snp', decodeSnpEvidence]
])

/** Statements, evidence, receipts, and the files and messages that hold them. */
export function documentSurfaces(seeds: DocumentSeeds): Surface[] {
  const read = (bytes: Uint8Array) => readJsonDocument(Buffer.from(bytes).toString())
  const statements = seeds.sound.map(({ statement }) => read(statement))
  const evidence = seeds.evidence.map(read)
  const raw = seeds.raw.map(read)
  const receipts = [read(seeds.receipt.receipt)]
  const receiptFiles = seeds.receiptFiles.map(readJsonDocument)
  const attestationFiles = seeds.attestationFiles.map(readJsonDocument)
  const replies = seeds.sound.map(one => encodeAttestReply({ ...one, xwingKey: new Uint8Array(1_216) }))
  const refusals = [1_000, 600_000].map(retryAfterMs => encodeAttestReply({ retryAfterMs }))
  const sound = seeds.sound.map((input, i) => ({ input, statement: statements[i], evidence: evidence[i] }))
  const genuine = new Set(seeds.sound.map(({ statement }) => toHex(sha256(statement))))
  const { receiptKey } = { receiptKey: receiptKeys.publicKey }
  return [
    {
      name: 'statement',
      weight: 60,
      feed: random => {
        const bytes = mutateJson(random, statements)
        assert.deepEqual(
          encodeStatement(decodeStatement(bytes)),
          new Uint8Array(bytes),
          'a statement has two encodings'
        )
        return 'read'
      }
    },
    {
      name: 'evidence',
      weight: 30,
      feed: random => {
        const bytes = mutateJson(random, evidence, changedString)
        const type = evidenceType(bytes)
        const decode = DECODERS.get(type) ?? decodeTdxEvidence
        return `read ${decode(bytes).type}`
      }
    },
    {
      name: 'raw-evidence',
      weight: 40,
      feed: random => `read ${decodeRawEvidence(mutateJson(random, raw))?.type}`
    },
    {
      name: 'verify-attestation',
      weight: 20,
      feed: async random => {
        const { input, statement, evidence: shown } = random.pick(sound)
        assert.ok(statement && shown)
        const part = random.below(5)
        const changed: VerifyAttestationInput = {
          ...input,
          ...(part === 0 ? { statement: mutateJson(random, [statement]) } : {}),
          ...(part === 1 || part === 2 ? { evidence: mutateJson(random, [shown], changedString) } : {}),
          ...(part === 3 ? { peerSignature: mutate(random, [input.peerSignature]).bytes } : {}),
          ...(part === 4 ? anyCircumstance(random) : {})
        }
        const verified = await verifyAttestation(changed)
        assert.ok(genuine.has(toHex(verified.statementDigest)), 'a changed statement holds')
        assert.equal(verified.tier, decodeStatement(input.statement).tier, 'a tier that was not shown holds')
        assert.equal(verified.image?.name, verified.tier === 'tdx' ? 'test guest' : undefined)
        return 'held'
      }
    },
    {
      name: 'judge-evidence',
      weight: 10,
      feed: random => {
        const bytes =
          random.below(3) === 0 ? Buffer.from(random.pick(evidence).text) : mutateJson(random, evidence, changedString)
        const tier =
          random.below(4) === 0
            ? random.pick(TIERS)
            : ((/"type":"([a-z+]+)"/.exec(Buffer.from(bytes.slice(-40)).toString())?.[1] ?? 'snp') as 'snp')
        const tdx = seeds.sound[2]?.tdx
        assert.ok(tdx)
        const gpuEvidence = random.below(2) === 0 ? [gpuDigest(random.pick(evidence).text)] : undefined
        const statement = { ...STATEMENT, tier, ...(gpuEvidence && { gpuEvidence }) }
        const policy = { ...(seeds.sound[2]?.policy ?? DEFAULT_POLICY), snp: SNP_POLICY }
        const judged = judgeEvidence({ statement, evidence: bytes, policy, nowMs: MADE_NOW_MS, tdx })
        // Neither the recorded GPU answered this statement, nor is the recorded guest an image of the policy.
        assert.ok(
          judged.platform.tier === 'tdx' || judged.platform.tier === 'simulated',
          `evidence of ${judged.platform.tier} holds`
        )
        return `held ${judged.platform.tier}`
      }
    },
    {
      name: 'receipt',
      weight: 55,
      feed: random => {
        const bytes = mutateJson(random, receipts)
        decodeReceipt(bytes)
        const signature =
          random.below(3) === 0 ? mutate(random, [seeds.receipt.signature]).bytes : seeds.receipt.signature
        verifyReceipt({ bytes, signature, receiptKey })
        assert.deepEqual(Buffer.from(bytes), Buffer.from(seeds.receipt.receipt), 'a changed receipt holds')
        return 'held'
      }
    },
    {
      name: 'receipt-file',
      weight: 25,
      feed: async random => {
        const stored = decodeStoredReceipt(text(mutateJson(random, receiptFiles)))
        assert.deepEqual(decodeStoredReceipt(encodeStoredReceipt(stored)), stored, 'a receipt file has two meanings')
        const { voucher } = await verifyStoredReceipt({
          stored,
          policy: seeds.sound[0]?.policy ?? DEFAULT_POLICY,
          verifyPeerSignature: seeds.sound[0]?.verifyPeerSignature ?? (() => false),
          verifyVoucherSignature
        })
        assert.deepEqual(stored.receipt, seeds.receipt.receipt, 'a changed receipt file holds')
        assert.deepEqual(stored.statement, seeds.receipt.statement, 'a changed receipt file holds')
        assert.ok(
          voucher === 'none' ||
            toHex(stored.finalVoucher?.signature ?? stored.receipt) ===
              toHex(seeds.receipt.finalVoucher?.signature ?? stored.receipt)
        )
        return `held ${voucher}`
      }
    },
    {
      name: 'attestation-file',
      weight: 45,
      feed: random => {
        const stored = decodeStoredAttestation(text(mutateJson(random, attestationFiles)))
        assert.deepEqual(
          decodeStoredAttestation(encodeStoredAttestation(stored)),
          stored,
          'an attestation file has two meanings'
        )
        return 'read'
      }
    },
    {
      name: 'attest-message',
      weight: 40,
      feed: random => {
        const part = random.below(4)
        if (part === 0) {
          const { bytes } = mutate(random, [encodeAttestRequest(new Uint8Array(32).fill(3))])
          return `request of ${decodeAttestRequest(bytes).challenge.length}`
        }
        const reply = decodeAttestReply(mutate(random, part === 1 ? refusals : replies).bytes)
        if ('retryAfterMs' in reply) {
          assert.ok(reply.retryAfterMs >= 1 && reply.retryAfterMs <= MAX_RETRY_AFTER_MS)
          assert.deepEqual(decodeAttestReply(encodeAttestReply(reply)), reply, 'a refusal has two meanings')
          return 'refusal'
        }
        assert.deepEqual(decodeAttestReply(encodeAttestReply(reply)), reply, 'a reply has two meanings')
        return 'read'
      }
    }
  ]
}

/** What is not in the documents: another client's view, policy or clock. */
function anyCircumstance(random: FuzzRandom): Partial<VerifyAttestationInput> {
  const policy = DEFAULT_POLICY
  const deny = policy.deny
  const beaconHash = STATEMENT.beacon.hash
  return random.pick<Partial<VerifyAttestationInput>>([
    { nowMs: MADE_NOW_MS + 3_600_000 },
    { nowMs: MADE_NOW_MS - 3_600_000 },
    { expectedPeerId: `${STATEMENT.peerId}x` },
    { expectedDigest: random.bytes(32) },
    { challenge: random.bytes(32) },
    { chainView: { globalId: -239, height: 1_000, beaconHash } },
    { chainView: { globalId: -3, height: 900, beaconHash } },
    { chainView: { globalId: -3, height: 100_000, beaconHash } },
    { chainView: { globalId: -3, height: 1_000, beaconHash: 'ef'.repeat(32) } },
    { policy },
    { policy: { ...policy, acceptedTiers: ['simulated', 'tdx'], maxStatementAgeMs: 1_000 } },
    {
      policy: {
        ...policy,
        acceptedTiers: ['simulated', 'tdx'],
        deny: { ...deny, bundleDigests: [STATEMENT.software.bundleDigest] }
      }
    }
  ])
}

/** Of the first GPU's report in evidence, if there is one. */
function gpuDigest(evidence: string): string {
  const report = /"report":"([^"]*)"/.exec(evidence)?.[1] ?? ''
  return toHex(sha256(Buffer.from(report, 'base64')))
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}
