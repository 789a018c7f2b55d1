import assert from 'node:assert/strict'
import fc from 'fast-check'
import { makeReceipt, type Receipt, verifyAttestation } from '../../../src/attest/index.ts'
import type { AttestedPeer } from '../../../src/client/attested-peers.ts'
import { checkReceipt, type SeenJob } from '../../../src/client/check-receipt.ts'
import { fromHex } from '../../../src/core/bytes.ts'
import { ed25519FromSeed } from '../../../src/core/ed25519.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { tokenCost } from '../../../src/core/price.ts'
import { attestation, CLIENT_PEER_ID, PEER_ID, receiptFields, receiptKeys } from '../attest/fixtures.ts'

async function attestedPeer(): Promise<AttestedPeer> {
  const input = attestation()
  const { statement, evidence, peerSignature } = input
  const challenge = new Uint8Array(32)
  return { peerId: PEER_ID, enclave: await verifyAttestation(input), challenge, statement, evidence, peerSignature }
}

const SEEN: SeenJob = {
  jobId: fromHex('01'.repeat(16)),
  requestDigest: fromHex('02'.repeat(32)),
  answerDigest: fromHex('03'.repeat(32)),
  modelDigestHex: 'aa'.repeat(32),
  usage: { promptTokens: 100, cachedPromptTokens: 20, completionTokens: 64 },
  prices: {
    promptPerMTokens: nanoTon(1_000_000n),
    cachedPromptPerMTokens: nanoTon(500_000n),
    completionPerMTokens: nanoTon(2_000_001n)
  },
  channel: `0:${'04'.repeat(32)}`,
  openedLt: 12345678901234567890n,
  clientPeerId: CLIENT_PEER_ID
}

describe('check of a receipt', () => {
  let peer: AttestedPeer
  const make = (changes: Partial<Receipt> = {}, keys = receiptKeys) =>
    makeReceipt({ ...receiptFields(peer.statement), ...changes }, keys)
  const check = (changes: Partial<Receipt> = {}, seen: Partial<SeenJob> = {}): Receipt => {
    const { bytes, signature } = make(changes)
    return checkReceipt(bytes, signature, peer, { ...SEEN, ...seen })
  }

  before(async () => {
    peer = await attestedPeer()
  })

  it('accepts what the client saw', () => {
    assert.equal(check().cost, '239')
  })

  it('refuses a receipt that differs from what the client saw in any field, naming it', () => {
    const cases: Array<[keyof Receipt, Partial<SeenJob>]> = [
      ['jobId', { jobId: new Uint8Array(16) }],
      ['requestDigest', { requestDigest: new Uint8Array(32) }],
      ['answerDigest', { answerDigest: new Uint8Array(32) }],
      ['modelDigest', { modelDigestHex: 'ab'.repeat(32) }],
      ['promptTokens', { usage: { ...SEEN.usage, promptTokens: 99 } }],
      ['cachedPromptTokens', { usage: { ...SEEN.usage, cachedPromptTokens: 0 } }],
      ['completionTokens', { usage: { ...SEEN.usage, completionTokens: 63 } }],
      ['cost', { prices: { ...SEEN.prices, completionPerMTokens: nanoTon(1_000_000n) } }],
      ['channel', { channel: `0:${'05'.repeat(32)}` }],
      ['openedLt', { openedLt: 1n }],
      ['clientPeerId', { clientPeerId: PEER_ID }]
    ]
    for (const [field, seen] of cases) {
      assert.throws(() => check({}, seen), { code: 'RECEIPT_MISMATCH', details: { field, provider: PEER_ID } })
    }
    assert.throws(() => check({ providerPeerId: CLIENT_PEER_ID }), { code: 'RECEIPT_MISMATCH' })
  })

  it('holds the provider to every token and every price, whatever the sum is', () => {
    const tokens = fc.nat(5_000)
    const price = fc.bigInt(0n, 10_000_000n)
    const usage = fc.record({ promptTokens: tokens, cachedPromptTokens: tokens, completionTokens: tokens })
    const prices = fc.record({ promptPerMTokens: price, cachedPromptPerMTokens: price, completionPerMTokens: price })
    const branded = (p: Record<keyof SeenJob['prices'], bigint>): SeenJob['prices'] => ({
      promptPerMTokens: nanoTon(p.promptPerMTokens),
      cachedPromptPerMTokens: nanoTon(p.cachedPromptPerMTokens),
      completionPerMTokens: nanoTon(p.completionPerMTokens)
    })
    const written = (p: SeenJob['prices']) => ({
      promptPerMTokens: p.promptPerMTokens.toString(),
      cachedPromptPerMTokens: p.cachedPromptPerMTokens.toString(),
      completionPerMTokens: p.completionPerMTokens.toString()
    })
    // Half of the time the receipt differs in one figure only: the closest that a cheat can come.
    const close = <T extends object>(all: fc.Arbitrary<T>, like: T, one: fc.Arbitrary<keyof T>): fc.Arbitrary<T> =>
      fc.tuple(all, one).map(([other, key]) => ({ ...like, [key]: other[key] }))
    const pair = fc.tuple(usage, prices).chain(([u, p]) =>
      fc.record({
        seen: fc.constant({ usage: u, prices: branded(p) }),
        said: fc.record({
          usage: fc.oneof(
            fc.constant(u),
            close(usage, u, fc.constantFrom('promptTokens', 'cachedPromptTokens', 'completionTokens'))
          ),
          prices: fc
            .oneof(
              fc.constant(p),
              close(prices, p, fc.constantFrom('promptPerMTokens', 'cachedPromptPerMTokens', 'completionPerMTokens'))
            )
            .map(branded)
        })
      })
    )
    fc.assert(
      fc.property(pair, ({ seen, said }) => {
        // The enclave's receipt always adds up by its own figures.
        const receipt = { ...said.usage, prices: written(said.prices), cost: `${tokenCost(said.prices, said.usage)}` }
        const same =
          Object.entries(seen.usage).every(([key, value]) => said.usage[key as keyof typeof said.usage] === value) &&
          Object.entries(seen.prices).every(([key, value]) => said.prices[key as keyof typeof said.prices] === value)
        if (same) {
          check(receipt, seen)
        } else {
          assert.throws(() => check(receipt, seen), { code: 'RECEIPT_MISMATCH' })
        }
      }),
      { numRuns: 200 }
    )
  })

  it('refuses one of another enclave, statement or model, or that does not add up', () => {
    const { bytes, signature } = make({}, ed25519FromSeed(new Uint8Array(32)))
    assert.throws(() => checkReceipt(bytes, signature, peer, SEEN), { code: 'RECEIPT_SIGNATURE_INVALID' })
    assert.throws(() => check({ statementDigest: '00'.repeat(32) }), { code: 'RECEIPT_STATEMENT_MISMATCH' })
    assert.throws(() => check({ modelDigest: '00'.repeat(32) }), { code: 'RECEIPT_MODEL_MISMATCH' })
    assert.throws(() => check({ cost: '240' }), { code: 'RECEIPT_COST_MISMATCH' })
  })

  it('answers damaged bytes with a coded refusal', () => {
    const { bytes, signature } = make()
    fc.assert(
      fc.property(fc.nat({ max: bytes.byteLength * 8 - 1 }), bit => {
        const damaged = bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
        assert.throws(() => checkReceipt(damaged, signature, peer, SEEN), { errorClass: 'attestation' })
      }),
      { numRuns: 60 }
    )
  })
})
