import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { canonicalBytes } from '../../../src/attest/document.ts'
import {
  BEACON_MARGIN_BLOCKS,
  DEFAULT_POLICY,
  encodeStatement,
  makeSimulatedEvidence,
  reportData,
  SIMNET_POLICY,
  TIERS,
  type VerifyAttestationInput,
  verifyAttestation
} from '../../../src/attest/index.ts'
import { decodeSimulatedEvidence } from '../../../src/attest/simulated-evidence.ts'
import { toHex } from '../../../src/core/bytes.ts'
import { ed25519FromSeed, ed25519Sign } from '../../../src/core/ed25519.ts'
import { AttestationError } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import { attestation, cosign, NOW_MS, PEER_ID, receiptKeys, STATEMENT } from './fixtures.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const challenge = new Uint8Array(32).fill(0x77)

async function refused(input: VerifyAttestationInput, code: string): Promise<void> {
  await assert.rejects(verifyAttestation(input), { code })
}

describe('attestation', () => {
  it('hands out the keys of an enclave that holds', async () => {
    const input = attestation()
    const enclave = await verifyAttestation(input)
    assert.deepEqual(enclave.statement, STATEMENT)
    assert.equal(toHex(enclave.hpkePublicKey), STATEMENT.hpkeKey)
    assert.deepEqual(enclave.receiptKey, receiptKeys.publicKey)
    assert.equal(enclave.tier, 'simulated')
    assert.deepEqual(enclave.modelDigests.map(toHex), STATEMENT.modelDigests)
    assert.equal(enclave.expiresAtMs, STATEMENT.notAfterMs)
    await verifyAttestation({ ...input, expectedDigest: enclave.statementDigest })
  })

  it('ends with the age the policy allows, if that is sooner', async () => {
    const policy = { ...SIMNET_POLICY, maxStatementAgeMs: 90_000 }
    const enclave = await verifyAttestation({ ...attestation(), policy })
    assert.equal(enclave.expiresAtMs, STATEMENT.notBeforeMs + 90_000)
  })

  it('accepts evidence made for its challenge, and no other', async () => {
    await verifyAttestation(attestation({}, challenge))
    await refused({ ...attestation({}, challenge), challenge: new Uint8Array(32) }, 'ATTESTATION_REPORT_DATA_MISMATCH')
    await refused({ ...attestation(), challenge }, 'ATTESTATION_REPORT_DATA_MISMATCH')
    const { challenge: _, ...unchallenged } = attestation({}, challenge)
    await refused(unchallenged, 'ATTESTATION_REPORT_DATA_MISMATCH')
  })

  it('refuses a simulated enclave unless the policy says otherwise', async () => {
    await refused({ ...attestation(), policy: DEFAULT_POLICY }, 'ATTESTATION_TIER_REFUSED')
  })

  it('refuses everything under an empty list', async () => {
    await refused({ ...attestation(), policy: { ...SIMNET_POLICY, acceptedTiers: [] } }, 'ATTESTATION_TIER_REFUSED')
  })

  it('refuses what the policy denies by name', async () => {
    const { deny } = SIMNET_POLICY
    for (const list of [{ bundleDigests: ['cc'.repeat(32)] }, { peerIds: [PEER_ID] }]) {
      await refused(
        { ...attestation(), policy: { ...SIMNET_POLICY, deny: { ...deny, ...list } } },
        'ATTESTATION_DENIED'
      )
    }
  })

  it('never takes simulated evidence for a real tier', async () => {
    for (const tier of TIERS.filter(t => t !== 'simulated')) {
      for (const policy of [DEFAULT_POLICY, SIMNET_POLICY]) {
        await refused({ ...attestation({ tier }), policy }, 'ATTESTATION_TIER_MISMATCH')
      }
    }
  })

  it('refuses evidence of another tier than the statement says', async () => {
    for (const type of ['tdx', 'tdx+gpu', 'snp'] as const) {
      const evidence = utf8(JSON.stringify({ type, version: 1 }))
      await refused({ ...attestation(), evidence }, 'ATTESTATION_TIER_MISMATCH')
      await refused({ ...attestation({ tier: type }), evidence }, 'ATTESTATION_EVIDENCE_INVALID')
    }
  })

  it('refuses evidence that is unknown, malformed, not canonical or too large', async () => {
    const { evidence } = attestation()
    const text = Buffer.from(evidence).toString()
    const cases: Array<[string, string]> = [
      ['{"type":"sgx"}', 'ATTESTATION_EVIDENCE_UNKNOWN'],
      ['{}', 'ATTESTATION_EVIDENCE_INVALID'],
      ['[]', 'ATTESTATION_EVIDENCE_INVALID'],
      ['null', 'ATTESTATION_EVIDENCE_INVALID'],
      ['{"type":1}', 'ATTESTATION_EVIDENCE_INVALID'],
      ['', 'ATTESTATION_EVIDENCE_INVALID'],
      ['{"type":"simulated"}', 'ATTESTATION_EVIDENCE_INVALID'],
      [text.replace('"version":1', '"version":2'), 'ATTESTATION_EVIDENCE_INVALID'],
      [text.replace('{', '{"extra":1,'), 'ATTESTATION_EVIDENCE_INVALID'],
      [`${text} `, 'ATTESTATION_EVIDENCE_NOT_CANONICAL'],
      [text.padEnd(LIMITS.evidenceBytes + 1), 'ATTESTATION_EVIDENCE_TOO_LARGE']
    ]
    for (const [bad, code] of cases) {
      await refused({ ...attestation(), evidence: utf8(bad) }, code)
    }
  })

  it('refuses a statement that is malformed, not canonical or too large', async () => {
    const text = Buffer.from(attestation().statement).toString()
    await refused({ ...attestation(), statement: utf8('{}') }, 'ATTESTATION_STATEMENT_INVALID')
    await refused({ ...attestation(), statement: utf8(`${text} `) }, 'ATTESTATION_STATEMENT_NOT_CANONICAL')
    await refused({ ...attestation(), statement: utf8(text.padEnd(5000)) }, 'ATTESTATION_STATEMENT_TOO_LARGE')
  })

  it('refuses a statement other than the expected one', async () => {
    await refused({ ...attestation(), expectedDigest: new Uint8Array(32) }, 'ATTESTATION_DIGEST_MISMATCH')
  })

  it('refuses evidence whose signature does not hold', async () => {
    const { signature, ...body } = decodeSimulatedEvidence(attestation().evidence)
    const flipped = `${signature.startsWith('0') ? '1' : '0'}${signature.slice(1)}`
    await refused(
      { ...attestation(), evidence: canonicalBytes({ ...body, signature: flipped }) },
      'ATTESTATION_EVIDENCE_SIGNATURE_INVALID'
    )
    const otherData = { ...body, reportData: '00'.repeat(64), signature }
    await refused({ ...attestation(), evidence: canonicalBytes(otherData) }, 'ATTESTATION_EVIDENCE_SIGNATURE_INVALID')
  })

  it("refuses simulated evidence under a root of the sender's own", async () => {
    const own = ed25519FromSeed(new Uint8Array(32).fill(1))
    const { signature: _, ...body } = decodeSimulatedEvidence(attestation().evidence)
    const mine = { ...body, rootKey: toHex(own.publicKey) }
    const message = Buffer.concat([utf8('cocoon/simulated-evidence/v1'), canonicalBytes(mine)])
    const evidence = canonicalBytes({ ...mine, signature: toHex(ed25519Sign(own.privateKey, message)) })
    await refused({ ...attestation(), evidence }, 'ATTESTATION_ROOT_UNKNOWN')
  })

  it('refuses evidence of another statement, or of other software', async () => {
    const other = attestation({ bootId: '00'.repeat(16) })
    await refused({ ...attestation(), evidence: other.evidence }, 'ATTESTATION_REPORT_DATA_MISMATCH')
    const { statement } = attestation()
    const evidence = makeSimulatedEvidence({
      bundleDigest: new Uint8Array(32),
      reportData: reportData(statement, STATEMENT.beacon)
    })
    await refused({ ...attestation(), evidence }, 'ATTESTATION_MEASUREMENT_MISMATCH')
  })

  it('judges time by the clock it is given, to the millisecond', async () => {
    const { notBeforeMs, notAfterMs } = STATEMENT
    const policy = { ...SIMNET_POLICY, maxStatementAgeMs: 10_000_000, clockSkewMs: 5_000 }
    const input = { ...attestation(), policy }
    await verifyAttestation({ ...input, nowMs: notBeforeMs - 5_000 })
    await refused({ ...input, nowMs: notBeforeMs - 5_001 }, 'ATTESTATION_NOT_YET_VALID')
    await verifyAttestation({ ...input, nowMs: notAfterMs - 1 })
    await refused({ ...input, nowMs: notAfterMs }, 'ATTESTATION_EXPIRED')
    const short = { ...input, policy: { ...policy, maxStatementAgeMs: 60_000 } }
    await verifyAttestation({ ...short, nowMs: notBeforeMs + 60_000 })
    await refused({ ...short, nowMs: notBeforeMs + 60_001 }, 'ATTESTATION_TOO_OLD')
  })

  it('names times that no calendar holds without falling over', async () => {
    const far = Number.MAX_SAFE_INTEGER
    await refused(attestation({ notBeforeMs: far, notAfterMs: far }), 'ATTESTATION_NOT_YET_VALID')
  })

  it('refuses to judge without a usable time, or with a policy that has none', async () => {
    for (const nowMs of [Number.NaN, 0, -1, 1.5, Number.POSITIVE_INFINITY]) {
      await refused({ ...attestation(), nowMs }, 'ATTESTATION_INPUT_INVALID')
    }
    const policy = { ...SIMNET_POLICY, maxStatementAgeMs: Number.NaN }
    await refused({ ...attestation(), policy }, 'ATTESTATION_TOO_OLD')
    await refused({ ...attestation({}, challenge), challenge: new Uint8Array(31) }, 'ATTESTATION_INPUT_INVALID')
  })

  it('refuses a statement for another peer, though that peer signed it', async () => {
    const other = '12D3KooWH3uVF6wv47WnArKHk5p6cvgCJEb74UTmxztmQDc298L3'
    await refused({ ...attestation({ peerId: other }), verifyPeerSignature: () => true }, 'ATTESTATION_PEER_MISMATCH')
    await refused(
      { ...attestation(), expectedPeerId: other, verifyPeerSignature: () => true },
      'ATTESTATION_PEER_MISMATCH'
    )
  })

  it('refuses a statement its peer did not sign, under this domain', async () => {
    const input = attestation()
    const stranger = ed25519FromSeed(new Uint8Array(32).fill(4)).privateKey
    for (const peerSignature of [
      new Uint8Array(0),
      new Uint8Array(64),
      cosign(input.statement, stranger),
      cosign(encodeStatement({ ...STATEMENT, bootId: '00'.repeat(16) })),
      ed25519Sign(ed25519FromSeed(new Uint8Array(32).fill(0x33)).privateKey, input.statement)
    ]) {
      await refused({ ...input, peerSignature }, 'ATTESTATION_COSIGNATURE_INVALID')
    }
    const short = { ...input, peerSignature: new Uint8Array(63), verifyPeerSignature: () => true }
    await refused(short, 'ATTESTATION_COSIGNATURE_INVALID')
    await refused({ ...input, verifyPeerSignature: async () => false }, 'ATTESTATION_COSIGNATURE_INVALID')
  })

  const beaconHash = STATEMENT.beacon.hash

  it('refuses a beacon of another network, or from the future', async () => {
    const input = attestation()
    await refused({ ...input, chainView: { globalId: -239, height: 1000, beaconHash } }, 'ATTESTATION_NETWORK_MISMATCH')
    const height = STATEMENT.beacon.height - BEACON_MARGIN_BLOCKS
    await verifyAttestation({ ...input, chainView: { globalId: -3, height, beaconHash } })
    await refused({ ...input, chainView: { globalId: -3, height: height - 1, beaconHash } }, 'ATTESTATION_BEACON_AHEAD')
    const { chainView: _, ...unseen } = input
    await verifyAttestation(unseen)
  })

  it('refuses a beacon that is too far back, or no block of the chain', async () => {
    const input = attestation()
    const farthest = STATEMENT.beacon.height + SIMNET_POLICY.maxBeaconAgeBlocks
    await verifyAttestation({ ...input, chainView: { globalId: -3, height: farthest, beaconHash } })
    await refused(
      { ...input, chainView: { globalId: -3, height: farthest + 1, beaconHash } },
      'ATTESTATION_BEACON_TOO_OLD'
    )
    const other = { globalId: -3, height: 1000, beaconHash: 'ef'.repeat(32) }
    await refused({ ...input, chainView: other }, 'ATTESTATION_BEACON_MISMATCH')
  })

  it('waits for a view of the chain that is on its way, and fails as that fails, once all before it held', async () => {
    const input = attestation()
    await verifyAttestation({ ...input, chainView: Promise.resolve({ globalId: -3, height: 1000, beaconHash }) })
    const unknown = Promise.reject(new AttestationError('ATTESTATION_BEACON_AHEAD', 'the view’s own'))
    await refused({ ...input, chainView: unknown }, 'ATTESTATION_BEACON_AHEAD')
    await refused({ ...input, chainView: unknown, policy: DEFAULT_POLICY }, 'ATTESTATION_TIER_REFUSED')
    const never = new Promise<never>(() => undefined)
    await refused({ ...input, chainView: never, evidence: new Uint8Array(1) }, 'ATTESTATION_EVIDENCE_INVALID')
  })

  it('refuses a statement or evidence with any byte changed', async () => {
    const input = attestation()
    const field = fc.constantFrom('statement', 'evidence', 'peerSignature')
    await fc.assert(
      fc.asyncProperty(field, fc.nat(), fc.integer({ min: 1, max: 255 }), async (name, place, mask) => {
        const bytes = input[name]
        const at = place % bytes.byteLength
        const changed = bytes.with(at, (bytes[at] ?? 0) ^ mask)
        await assert.rejects(verifyAttestation({ ...input, [name]: changed }), AttestationError)
      }),
      { numRuns: 300 }
    )
  })

  it('tells which peer is meant', async () => {
    const seen: string[] = []
    const verifyPeerSignature = (peerId: string): boolean => seen.push(peerId) > 0
    await verifyAttestation({ ...attestation(), verifyPeerSignature, nowMs: NOW_MS })
    assert.deepEqual(seen, [PEER_ID])
  })
})
